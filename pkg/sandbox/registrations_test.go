package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// object is a JSON body for a test: name, value, ...; a value that is no
// string is written as it is.
func object(pairs ...any) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := json.Marshal(pairs[i])
		value, _ := json.Marshal(pairs[i+1])
		out = append(out, string(name)+":"+string(value))
	}
	return "{" + strings.Join(out, ",") + "}"
}

// sendJSON sends a body, signed in a second step when the gateway asks.
func (r *rig) sendJSON(method, path, body string) reply {
	r.t.Helper()
	a := r.must("officer", r.request(method, path, jsonType, body))
	data, _ := a.field("dataToSign").(string)
	if a.code() != codeSignature || data == "" {
		return a
	}
	tbs, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.must("officer", r.request(method, path, jsonType, signedBody(body, r.cms("officer", tbs))))
}

func signedBody(body, signature string) string {
	return strings.TrimSuffix(body, "}") + `,"signature":"` + signature + `"}`
}

// register makes a registration and returns its id.
func (r *rig) register(path, body string) string {
	r.t.Helper()
	a := r.sendJSON("POST", path, body)
	m, _ := a.field("registration").(map[string]any)
	id, _ := m["regid"].(string)
	if a.status != http.StatusOK || a.code() != codeOK || id == "" {
		r.t.Fatalf("%s %s: %d %s", path, body, a.status, a.body)
	}
	return id
}

// registrations are the ids in a list, in its order.
func (r *rig) registrations(path string, pairs ...string) []string {
	r.t.Helper()
	a := r.get(path + "?" + encode(pairs...))
	if a.status != http.StatusOK || a.code() != codeOK {
		r.t.Fatalf("%s %v: %d %s", path, pairs, a.status, a.body)
	}
	list, _ := a.field("registrations").([]any)
	out := []string{}
	for _, e := range list {
		m, _ := e.(map[string]any)
		id, _ := m["regid"].(string)
		out = append(out, id)
	}
	return out
}

const hmacKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd-_8"

// What each type of registration looks like in the lists that show it.
func TestRegistrationTypes(t *testing.T) {
	for _, m := range modes {
		clock := newClock(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
		opts := m.opts
		opts.Clock = clock.now
		r := newRig(t, opts)
		for _, c := range []struct {
			procid, path, kind, body string
			password                 bool
		}{
			{"p-scep", "/scep", "scep", object("fqdn", "a.example.com", "password", "s3cret", "ipaddress", "10.0.0.1", "email", "a@example.com", "serialnumber", "SN-1"), true},
			{"p-scep", "", "device", object("fqdn", "b.example.com", "regtype", "device"), false},
			{"p-est", "/est", "est", object("fqdn", "*.example.com", "username", "u", "realm", "r", "password", "s3cret"), true},
			{"p-est", "/est", "est", object("fqdn", "c.example.com", "subject-commonname", "c", "authentication-certificate-ca", "Device CA"), false},
			{"p-cmp", "/cmp", "cmp", object("fqdn", "d.example.com", "password", "s3cret"), true},
			{"p-cmp", "/cmp", "cmp", object("fqdn", "e.example.com"), false},
			{"p-cmp", "", "cmp", object("fqdn", "f.example.com", "regtype", "cmp"), false},
			{"p-acme", "/acme", "acme", object("fqdn", "key id", "hmacKey", hmacKey, "allowedDomains", "example.com, *.example.org"), false},
			{"p-acme", "", "acme", object("fqdn", "key-2", "regtype", "acme"), false},
		} {
			body := strings.TrimSuffix(c.body, "}") + `,"validity":"7","status":"open"}`
			id := r.register("/registrations/"+c.procid+c.path, body)
			if raw, err := base64.StdEncoding.DecodeString(id); err != nil || len(raw) != 20 {
				t.Errorf("%s: regid %q", c.body, id)
			}
			if rec := r.last(); len(rec.IDs) != 0 || !slices.Equal(rec.Changed, []string{id}) {
				t.Errorf("%s: logged as %+v", c.body, rec)
			}
			var in struct{ FQDN string }
			if err := json.Unmarshal([]byte(c.body), &in); err != nil {
				t.Fatal(err)
			}
			created, days := `1893553445000`, `7`
			if opts.Quirks == QuirksDeclared {
				created, days = `"2030-01-02T03:04:05Z"`, `"7"`
			}
			want := func(validity string) string {
				return `{"regid":"` + id + `","fqdn":"` + in.FQDN + `","creationdate":` + created +
					`,"officer":"Demo Officer","status":"open","regtype":"` + c.kind + `","validity":` + validity
			}
			got := string(r.get("/registrations/" + c.procid + "?" + encode("regid", id)).body)
			if w := `{"registrations":[` + want(days) + `}],"error":0,"msg":"done"}` + "\n"; got != w {
				t.Errorf("%s: listed as %s, want %s", m.name, got, w)
			}
			if rec := r.last(); !slices.Equal(rec.IDs, []string{id}) {
				t.Errorf("%s: logged as %+v", c.body, rec)
			}
			if c.kind == "device" {
				continue
			}
			got = string(r.get("/registrations/" + c.procid + "/" + c.kind + "?" + encode("regid", id)).body)
			rest, ok := strings.CutPrefix(got, `{"registrations":[`+want(`"7"`))
			password, shown := strings.CutPrefix(rest, `,"encryptedpassword":"`)
			if !ok || shown != c.password || !shown && rest != `}],"error":0,"msg":"done"}`+"\n" {
				t.Errorf("%s: %s lists %s", m.name, c.kind, got)
			}
			if shown && !strings.HasSuffix(password, `"}],"error":0,"msg":"done"}`+"\n") || strings.Contains(got, "s3cret") {
				t.Errorf("%s: the password is shown as %s", m.name, password)
			}
		}
	}
}

func TestRegistrationFilters(t *testing.T) {
	clock := newClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	r := newRig(t, Options{Signing: SigningVRO, Clock: clock.now})
	const path = "/registrations/p-cmp"
	always := r.register(path+"/cmp", object("fqdn", "Always.example.com"))
	week := r.register(path+"/cmp", object("fqdn", "week.example.com", "validity", 7))
	shut := r.register(path+"/cmp", object("fqdn", "shut.example.com", "status", "closed", "validity", "always"))
	device := r.register(path, object("fqdn", "week.example.com", "regtype", "device"))
	other := r.register("/registrations/p-scep/scep", object("fqdn", "week.example.com", "password", "x"))
	for _, c := range []struct {
		path  string
		pairs []string
		want  []string
	}{
		{path, nil, []string{always, week, shut, device}},
		{path + "/cmp", nil, []string{always, week, shut}},
		{path, []string{"regtype", "device"}, []string{device}},
		{path, []string{"regtype", "est"}, []string{}},
		{path, []string{"fqdn", "ALWAYS.example.COM"}, []string{always}},
		{path, []string{"fqdn", "week.example.com"}, []string{week, device}},
		{path, []string{"fqdn", "week"}, []string{}},
		{path, []string{"regid", shut}, []string{shut}},
		{path, []string{"regid", other}, []string{}},
		{path + "/cmp", []string{"regid", device}, []string{}},
		{path, []string{"status", "closed"}, []string{shut}},
		{path, []string{"status", "open"}, []string{always, week, device}},
		{path, []string{"validity", "7"}, []string{week}},
		{path, []string{"validity", "always"}, []string{always, shut, device}},
		{path, []string{"officer", "demo officer"}, []string{always, week, shut, device}},
		{path, []string{"officer", "Demo Officer 2"}, []string{}},
		{path, []string{"officer", "Demo Officer", "status", "open", "validity", "always", "regtype", "cmp"}, []string{always}},
	} {
		if got := r.registrations(c.path, c.pairs...); !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %v, want %v", c.path, c.pairs, got, c.want)
		}
	}
	// After the week it is closed, until an officer gives it more days.
	clock.advance(7 * 24 * time.Hour)
	if got := r.registrations(path, "status", "closed"); !slices.Equal(got, []string{week, shut}) {
		t.Errorf("after a week closed: %v", got)
	}
	if a := r.sendJSON("PUT", path+"/cmp", object("regid", week, "status", "open")); a.code() != codeOK || len(r.registrations(path, "status", "closed")) != 2 {
		t.Errorf("opened without more days: %s", a.body)
	}
	if a := r.sendJSON("PUT", path+"/cmp", object("regid", week, "validity", "1")); a.code() != codeOK || !slices.Equal(r.registrations(path, "status", "closed"), []string{shut}) {
		t.Errorf("with one more day: %s", a.body)
	}
	for _, bad := range []string{"status=Open", "status=", "validity=0", "validity=07", "validity=forever", "regtype=itsx", "fqdn=", "regid=a&regid=b", "officer=%ff"} {
		if a := r.get(path + "?" + bad); a.status != http.StatusInternalServerError || a.code() != codeBadValue {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
	if got := r.registrations(path+"/cmp", "regtype", "x", "email", ""); len(got) != 3 {
		t.Errorf("filters that this list does not have: %v", got)
	}
}

func TestUpdateRegistration(t *testing.T) {
	for _, m := range modes {
		r := newRig(t, m.opts)
		id := r.register("/registrations/p-est/est", object("fqdn", "a.example.com", "password", "p", "username", "u"))
		a := r.sendJSON("PUT", "/registrations/p-est/est", object("regid", id, "fqdn", "b.example.com", "status", "closed", "validity", "30"))
		if want := `{"registration":{"regid":"` + id + `"},"error":0,"msg":"done"}` + "\n"; a.status != http.StatusOK || string(a.body) != want {
			t.Errorf("%s: %d %s, want %s", m.name, a.status, a.body, want)
		}
		if rec := r.last(); rec.OperationID != "updateRegistrationEst" || !slices.Equal(rec.IDs, []string{id}) || !slices.Equal(rec.Changed, []string{id}) {
			t.Errorf("%s: logged as %+v", m.name, rec)
		}
		if got := r.registrations("/registrations/p-est/est", "fqdn", "b.example.com", "status", "closed", "validity", "30"); !slices.Equal(got, []string{id}) {
			t.Errorf("%s: %v", m.name, got)
		}
		// The generic operation knows only what all types have.
		if a := r.sendJSON("PUT", "/registrations/p-est", object("regid", id, "status", "open")); a.code() != codeOK || len(r.registrations("/registrations/p-est", "status", "open")) != 1 {
			t.Errorf("%s: %s", m.name, a.body)
		}
		// From one form of EST to the other: the password goes.
		list := func() string { return string(r.get("/registrations/p-est/est?" + encode("regid", id)).body) }
		if !strings.Contains(list(), "encryptedpassword") {
			t.Errorf("%s: %s", m.name, list())
		}
		if a := r.sendJSON("PUT", "/registrations/p-est/est", object("regid", id, "subject-commonname", "cn")); a.code() != codeOK || strings.Contains(list(), "encryptedpassword") {
			t.Errorf("%s: %s %s", m.name, a.body, list())
		}
		if a := r.sendJSON("PUT", "/registrations/p-est/est", object("regid", id, "realm", "r")); a.code() != codeMissing {
			t.Errorf("%s: back without a password: %s", m.name, a.body)
		}
		if a := r.sendJSON("PUT", "/registrations/p-est/est", object("regid", id)); a.code() != codeOK || len(r.last().Changed) != 0 {
			t.Errorf("%s: nothing to change: %s, %+v", m.name, a.body, r.last())
		}
	}
}

func TestRegistrationsRefused(t *testing.T) {
	r := newRig(t, Options{})
	scep := r.register("/registrations/p-scep/scep", object("fqdn", "a", "password", "x"))
	device := r.register("/registrations/p-scep", object("fqdn", "a", "regtype", "device"))
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		method, path, body string
		code               int
	}{
		{"POST", "p-scep/scep", object("password", "x"), codeMissing},
		{"POST", "p-scep/scep", object("fqdn", "a"), codeMissing},
		{"POST", "p-scep/scep", object("fqdn", "", "password", "x"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", long, "password", "x"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a\nb", "password", "x"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", 5, "password", "x"), codeBadValue},
		{"POST", "p-scep/scep", `{"fqdn":null,"password":"x"}`, codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", ""), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "ipaddress", "10.0.0"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "email", "nobody"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "serialnumber", ""), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "status", "Open"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "validity", "0"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "validity", -1), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "validity", 1.5), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "validity", "36501"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "regtype", "scep"), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "regid", scep), codeBadValue},
		{"POST", "p-scep/scep", object("fqdn", "a", "password", "x", "hmacKey", hmacKey), codeBadValue},
		{"POST", "p-scep/scep", `{"fqdn":"a","fqdn":"b","password":"x"}`, codeBadValue},
		{"POST", "p-scep/est", object("fqdn", "a", "password", "x"), codeBadValue},
		{"POST", "p-scep", object("fqdn", "a", "regtype", "est"), codeBadValue},
		{"POST", "p-scep", object("fqdn", "a", "regtype", "acme/account"), codeBadValue},
		{"POST", "p-acme", object("fqdn", "a", "regtype", "acme/account"), codeBadValue},
		{"POST", "p-scep", object("fqdn", "a", "regtype", "other"), codeBadValue},
		{"POST", "p-scep", object("fqdn", "a"), codeMissing},
		{"POST", "p-scep", object("fqdn", "a", "regtype", "scep", "password", "x"), codeBadValue},
		{"POST", "p-pkcs10", object("fqdn", "a", "regtype", "device"), codeBadValue},
		{"POST", "SCEP%20Procedure/scep", object("fqdn", "a", "password", "x"), codeBadValue},
		{"POST", "nowhere/scep", object("fqdn", "a", "password", "x"), codeBadValue},
		{"POST", "p-est/est", object("fqdn", "a"), codeMissing},
		{"POST", "p-est/est", object("fqdn", "a", "username", "u"), codeMissing},
		{"POST", "p-est/est", object("fqdn", "a", "password", "p", "subject-commonname", "c"), codeBadValue},
		{"POST", "p-est/est", object("password", "p"), codeMissing},
		{"POST", "p-cmp/cmp", object("password", "p"), codeMissing},
		{"POST", "p-cmp/cmp", object("fqdn", "a", "username", "u"), codeBadValue},
		{"POST", "p-acme/acme", object("fqdn", "a"), codeMissing},
		{"POST", "p-acme/acme", object("fqdn", "a", "hmacKey", hmacKey[:42]), codeBadValue},
		{"POST", "p-acme/acme", object("fqdn", "a", "hmacKey", hmacKey+"AA"), codeBadValue},
		{"POST", "p-acme/acme", object("fqdn", "a", "hmacKey", strings.Repeat("!", 43)), codeBadValue},
		{"POST", "p-acme/acme", object("fqdn", "a", "hmacKey", hmacKey, "allowedDomains", "a,,b"), codeBadValue},
		{"PUT", "p-scep/scep", object("fqdn", "a"), codeMissing},
		{"PUT", "p-scep/scep", object("regid", "AAECAwQFBgcICQoLDA0ODxAREhM=", "fqdn", "a"), codeBadValue},
		{"PUT", "p-cmp/cmp", object("regid", scep, "fqdn", "a"), codeBadValue},
		{"PUT", "p-cmp", object("regid", scep, "fqdn", "a"), codeBadValue},
		{"PUT", "p-scep/scep", object("regid", device, "fqdn", "a"), codeBadValue},
		{"PUT", "p-scep", object("regid", scep, "regtype", "scep"), codeBadValue},
		{"PUT", "p-scep", object("regid", scep, "officer", "me"), codeBadValue},
		{"PUT", "p-scep", object("regid", scep, "password", "x"), codeBadValue},
		{"GET", "p-scep/est", "", codeBadValue},
		{"GET", "p-pkcs10", "", codeBadValue},
		{"GET", "nowhere", "", codeBadValue},
		{"POST", "p-scep/scep", `[]`, codeEncoding},
		{"POST", "p-scep/scep", ``, codeEncoding},
		{"POST", "p-scep/scep", `{"fqdn":"a"} {}`, codeEncoding},
		{"POST", "p-scep/scep", `{"fqdn":"a`, codeEncoding},
		{"POST", "p-scep/scep", "{\"fqdn\":\"\xff\"}", codeEncoding},
		{"POST", "p-scep/scep", `{"fqdn":"a","password":"x","signature":5}`, codeEncoding},
		{"POST", "p-scep/scep", `{"fqdn":"a","password":"x","signature":null}`, codeEncoding},
		{"POST", "p-scep/scep", `{"fqdn":"a","password":"x","signature":"%%"}`, codeEncoding},
	} {
		a := r.sendJSON(c.method, "/registrations/"+c.path, c.body)
		if a.status != http.StatusInternalServerError || a.code() != c.code {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, a.status, a.body, c.code)
		}
		if rec := r.last(); len(rec.Changed) != 0 {
			t.Errorf("%s %s %s: changed %v", c.method, c.path, c.body, rec.Changed)
		}
	}
	if a := r.must("officer", r.request("POST", "/registrations/p-scep/scep", urlencoded, "fqdn=a&password=x")); a.code() != codeEncoding {
		t.Errorf("a form: %s", a.body)
	}
	if got := r.registrations("/registrations/p-scep"); !slices.Equal(got, []string{scep, device}) {
		t.Errorf("left: %v", got)
	}
}
