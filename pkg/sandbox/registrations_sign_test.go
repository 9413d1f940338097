package sandbox

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// A signature covers every field and the path; secrets do not stand in what it
// is made of.
func TestRegistrationSignature(t *testing.T) {
	r := newRig(t, Options{})
	const path = "/registrations/p-scep/scep"
	body := object("fqdn", "a.example.com", "password", "s3cret", "email", "a@example.com", "validity", 7)
	data, _ := r.must("officer", r.request("POST", path, jsonType, body)).field("dataToSign").(string)
	tbs, err := base64.StdEncoding.DecodeString(data)
	if err != nil || strings.Contains(string(tbs), "s3cret") || !strings.Contains(string(tbs), "a.example.com") || !strings.Contains(string(tbs), "p-scep") {
		t.Fatalf("%v %q", err, tbs)
	}
	sig := r.cms("officer2", tbs)
	for name, changed := range map[string]string{
		"another name":     strings.Replace(body, "a.example.com", "b.example.com", 1),
		"another password": strings.Replace(body, "s3cret", "secret", 1),
		"one field less":   strings.Replace(body, `"email":"a@example.com",`, "", 1),
		"one field more":   strings.Replace(body, "{", `{"status":"closed",`, 1),
		"another number":   strings.Replace(body, "7", "8", 1),
	} {
		if a := r.must("officer", r.request("POST", path, jsonType, signedBody(changed, sig))); a.code() != codeBadSignature {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	// The order of members and the spelling of a value do not matter.
	same := `{"signature":"` + sig + `", "validity":"7","email":"a@example.com","password":"s3cret","fqdn":"\u0061.example.com"}`
	if a := r.must("officer", r.request("POST", path, jsonType, same)); a.code() != codeOK {
		t.Errorf("%s", a.body)
	}
	if got := r.registrations(path, "officer", "Demo Officer 2"); len(got) != 1 {
		t.Errorf("the signer is not the officer of %v", got)
	}
	if a := r.must("officer", r.request("POST", path, jsonType, same)); a.code() != codeBadSignature {
		t.Errorf("used twice: %s", a.body)
	}
	// For the same fields under another procedure it is worth nothing.
	data, _ = r.must("officer", r.request("POST", "/registrations/p-scep", jsonType, object("fqdn", "x", "regtype", "device"))).field("dataToSign").(string)
	tbs, _ = base64.StdEncoding.DecodeString(data)
	other := signedBody(object("fqdn", "x", "regtype", "device"), r.cms("officer", tbs))
	if a := r.must("officer", r.request("POST", "/registrations/p-est", jsonType, other)); a.code() != codeBadSignature {
		t.Errorf("another procedure: %s", a.body)
	}
}

func TestRegistrationsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	start := func() *rig {
		s, err := Start(context.Background(), Options{Dir: dir, Signing: SigningVRO})
		if err != nil {
			t.Fatal(err)
		}
		return &rig{Server: s, t: t, clients: map[string]*http.Client{}}
	}
	r := start()
	id := r.register("/registrations/p-cmp/cmp", object("fqdn", "a", "password", "x"))
	accounts := string(r.get("/registrations/p-acme/acme/accounts").body)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = start()
	defer r.Close()
	if got := r.registrations("/registrations/p-cmp"); !slices.Equal(got, []string{id}) {
		t.Errorf("%v", got)
	}
	if again := string(r.get("/registrations/p-acme/acme/accounts").body); again != accounts {
		t.Errorf("%s, want %s", again, accounts)
	}
}
