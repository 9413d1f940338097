package cmapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

type (
	plainRegistration Registration
	plainAccount      Account
)

// callRegistrations is call for what has to do with registrations.
func callRegistrations(ctx context.Context, c *Client, operation string) (got, into any, err error) {
	lists := map[string]RegistrationKind{
		"listRegistrations": GenericRegistration, "listRegistrationsScep": SCEPRegistration, "listRegistrationsEst": ESTRegistration,
		"listRegistrationsCmp": CMPRegistration, "listRegistrationsAcme": ACMERegistration,
	}
	if kind, ok := lists[operation]; ok {
		list, err := c.Registrations.List(ctx, kind, "p", RegistrationFilter{})
		return converted[plainRegistration](list), &[]plainRegistration{}, err
	}
	switch operation {
	case "listAcmeAccounts":
		list, err := c.Registrations.Accounts(ctx, "p", "")
		return converted[plainAccount](list), &[]plainAccount{}, err
	case "getRegistrationsCertId":
		reg, err := c.Registrations.OfCertificate(ctx, "20001")
		got := (*plainRegistration)(reg)
		return &got, new(*plainRegistration), err
	case "createRegistrationScep":
		id, err := c.Registrations.Create(ctx, SCEPRegistration, "p", RegistrationInput{FQDN: "d", Password: "canary"})
		return &id, new(string), err
	}
	return nil, nil, errors.New("no such operation in this test: " + operation)
}

// converted changes the type of each element to one without a JSON form.
func converted[To, From any](list []From) *[]To {
	var out []To
	for _, v := range list {
		out = append(out, reflect.ValueOf(v).Convert(reflect.TypeFor[To]()).Interface().(To))
	}
	return &out
}

const aRegID = "AAE/+w=="

var aKey = HMACKey{0xfb, 0xff, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 0xff}

// TestRegistrationBytes is TestRequestBytes for registrations.
func TestRegistrationBytes(t *testing.T) {
	list := func(kind RegistrationKind, f RegistrationFilter) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Registrations.List(ctx, kind, "p-demo", f)
			return err
		}
	}
	create := func(kind RegistrationKind, in RegistrationInput) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Registrations.Create(ctx, kind, "p-demo", in)
			return err
		}
	}
	update := func(kind RegistrationKind, in RegistrationInput) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { return c.Registrations.Update(ctx, kind, "p-demo", in) }
	}
	for _, c := range []struct {
		name string // the notes that it shows
		call func(context.Context, *Client) error
	}{
		{"note33-note36-note38-list-generic", list(GenericRegistration, RegistrationFilter{
			RegID: aRegID, FQDN: "*.example.com", Status: "open", Validity: "7", Officer: "Demo Officer & Co", RegType: "acme/account"})},
		{"note36-list-scep", list(SCEPRegistration, RegistrationFilter{RegID: aRegID, FQDN: "a", Status: "closed", Validity: "always", Officer: "o"})},
		{"request-list-est", list(ESTRegistration, RegistrationFilter{})},
		{"request-list-cmp", list(CMPRegistration, RegistrationFilter{})},
		{"request-list-acme", list(ACMERegistration, RegistrationFilter{})},
		{"note16-note41-create-generic", create(GenericRegistration, RegistrationInput{FQDN: "d.example.com", RegType: "device", Validity: "7", Status: "open"})},
		{"note05-create-scep", create(SCEPRegistration, RegistrationInput{
			FQDN: "d.example.com", Validity: "7", Password: "pass <wörd>&", IPAddress: "192.0.2.1", Email: "d@example.com", SerialNumber: "0aff"})},
		{"note35-create-est-http", create(ESTRegistration, RegistrationInput{FQDN: "*.example.com", Username: "u", Realm: "r", Password: "p"})},
		{"note35-create-est-certificate", create(ESTRegistration, RegistrationInput{FQDN: "d.example.com", SubjectCN: "d", AuthenticationCA: "Demo CA"})},
		{"create-cmp", create(CMPRegistration, RegistrationInput{FQDN: "*.example.com", Password: "p"})},
		{"note25-note26-create-acme", create(ACMERegistration, RegistrationInput{FQDN: "demo key/id", HMACKey: &aKey, AllowedDomains: "a.example,*.b.example", Validity: "always"})},
		{"note14-note15-note42-update-generic", update(GenericRegistration, RegistrationInput{RegID: aRegID, Status: "closed", Validity: "always"})},
		{"note14-update-scep", update(SCEPRegistration, RegistrationInput{RegID: aRegID, Email: "d@example.com"})},
		{"note35-update-est-http", update(ESTRegistration, RegistrationInput{RegID: aRegID, Password: "p"})},
		{"note35-update-est-certificate", update(ESTRegistration, RegistrationInput{RegID: aRegID, SubjectCN: "d"})},
		{"note14-update-cmp", update(CMPRegistration, RegistrationInput{RegID: aRegID, FQDN: "d.example.com"})},
		{"note25-update-acme", update(ACMERegistration, RegistrationInput{RegID: aRegID, HMACKey: &aKey})},
		{"request-registration-of-certificate", func(ctx context.Context, c *Client) error {
			_, err := c.Registrations.OfCertificate(ctx, "20001")
			return err
		}},
		{"request-accounts", func(ctx context.Context, c *Client) error {
			_, err := c.Registrations.Accounts(ctx, "a/b c", "demo*")
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) { sameBytes(t, c.name, c.call) })
	}
}

// What no gateway should get is not built.
func TestRegistrationsRefusedBeforeSending(t *testing.T) {
	in := func(change func(*RegistrationInput)) RegistrationInput {
		in := RegistrationInput{FQDN: "d"}
		change(&in)
		return in
	}
	for _, c := range []struct {
		name   string
		kind   RegistrationKind
		proc   string
		in     RegistrationInput
		update bool
		want   string
	}{
		{"no name", CMPRegistration, "p", RegistrationInput{}, false, "createRegistrationCmp: fqdn is missing"},
		{"generic without a type", GenericRegistration, "p", RegistrationInput{FQDN: "d"}, false, "createRegistration: regtype is missing"},
		{"scep without a password", SCEPRegistration, "p", RegistrationInput{FQDN: "d"}, false, "createRegistrationScep: password is missing"},
		{"acme without a key", ACMERegistration, "p", RegistrationInput{FQDN: "d"}, false, "createRegistrationAcme: hmacKey is missing"},
		{"an id that the server gives", CMPRegistration, "p", in(func(in *RegistrationInput) { in.RegID = "x" }), false, "createRegistrationCmp: it takes no regid"},
		{"change of what has no id", CMPRegistration, "p", RegistrationInput{FQDN: "d"}, true, "updateRegistrationCmp: regid is missing"},
		{"type in a change", GenericRegistration, "p", in(func(in *RegistrationInput) { in.RegID, in.RegType = "x", "device" }), true, "updateRegistration: it takes no regtype"},
		{"type where the path says it", SCEPRegistration, "p", in(func(in *RegistrationInput) { in.RegType = "scep" }), false, "createRegistrationScep: it takes no regtype"},
		{"password of no kind", GenericRegistration, "p", in(func(in *RegistrationInput) { in.Password = "canary" }), false, "createRegistration: it takes no password"},
		{"key for cmp", CMPRegistration, "p", in(func(in *RegistrationInput) { in.HMACKey = &aKey }), false, "createRegistrationCmp: it takes no hmacKey"},
		{"mail for est", ESTRegistration, "p", in(func(in *RegistrationInput) { in.Email = "a@b" }), false, "createRegistrationEst: it takes no email"},
		{"both forms of est", ESTRegistration, "p", in(func(in *RegistrationInput) { in.Password, in.SubjectCN = "canary", "d" }), false,
			"createRegistrationEst: password is of HTTP authentication and subject-commonname of certificate authentication: a registration has one of them"},
		{"no procedure", CMPRegistration, "", RegistrationInput{FQDN: "d"}, false, "createRegistrationCmp: no procedure is named"},
		{"note 32: the id that the gateway takes for another path", CMPRegistration, "certificate", RegistrationInput{FQDN: "d"}, false,
			`createRegistrationCmp: a procedure with the id "certificate" cannot be reached by the path for cmp registrations: the gateway takes it for another`},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := NewCreateRegistration
			if c.update {
				build = NewUpdateRegistration
			}
			if _, err := build(c.kind, c.proc, c.in); err == nil || err.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	if _, err := NewCreateRegistration(GenericRegistration, "certificate", RegistrationInput{FQDN: "d", RegType: "device"}); err != nil {
		t.Errorf("the generic path clashes with none: %v", err)
	}
	b := newBench(t, setup{}, replyJSON(200, "{}"))
	if _, err := b.client.Registrations.List(t.Context(), ACMERegistration, "p", RegistrationFilter{RegType: "acme"}); err == nil {
		t.Error("a regtype goes to a path that has none")
	}
	if _, err := b.client.Registrations.List(t.Context(), ACMERegistration, "certificate", RegistrationFilter{}); err == nil {
		t.Error("a list of what is another path")
	}
	if _, err := b.client.Registrations.Accounts(t.Context(), "", ""); err == nil {
		t.Error("accounts of no procedure")
	}
	if n := len(b.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// 33, 38: no parameter but these six is ever in a list's query.
func TestRegistrationFilter(t *testing.T) {
	f := RegistrationFilter{"1", "2", "3", "4", "5", "6"}
	same(t, "query", f.query(), url.Values{"regid": {"1"}, "fqdn": {"2"}, "status": {"3"}, "validity": {"4"}, "officer": {"5"}, "regtype": {"6"}})
	same(t, "query of no filter", RegistrationFilter{}.query(), url.Values{})
}

func TestKindOfRegistration(t *testing.T) {
	for in, want := range map[string]RegistrationKind{
		"est": ESTRegistration, "CMP": CMPRegistration, "scep": SCEPRegistration, "Acme": ACMERegistration,
		"": GenericRegistration, "device": GenericRegistration, "acme/account": GenericRegistration, "itss": GenericRegistration,
	} {
		if got := KindOfRegistration(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// 25: either alphabet, padded or not, is read; one form is sent. The error
// does not show the key.
func TestHMACKey(t *testing.T) {
	const text = "-_8CAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8"
	for _, in := range []string{text, text + "=", strings.NewReplacer("-", "+", "_", "/").Replace(text), "+/8CAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=\n"} {
		k, err := ParseHMACKey(in)
		if err != nil || *k != aKey || k.Text() != text {
			t.Errorf("%s: %v", in, err)
		}
	}
	for in, want := range map[string]string{
		"":                      "expected 32 bytes in Base64, got 0",
		"AAEC":                  "expected 32 bytes in Base64, got 3",
		strings.Repeat("A", 44): "expected 32 bytes in Base64, got 33",
		"canary !!":             "expected 32 bytes in Base64, got what is no Base64",
	} {
		if _, err := ParseHMACKey(in); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}

// However an input is printed, its secrets are not.
func TestSecretsAreNotPrinted(t *testing.T) {
	in := RegistrationInput{FQDN: "d", Password: "canary", HMACKey: &aKey}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{in, &in, in.Password, in.HMACKey, struct{ S Secret }{"canary"}} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{"canary", fmt.Sprintf("%x", "canary"), aKey.Text(), "fbff02", "251 255 2"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T: %s", verb, v, text)
				}
			}
		}
	}
}

// 12: the trace shows who and what, and no secret in either direction.
func TestRegistrationTrace(t *testing.T) {
	b := newBench(t, setup{}, inTurn(
		replyJSON(200, `{"error":-19,"dataToSign":"Y2FuYXJ5"}`),
		replyJSON(200, `{"error":0,"registration":{"regid":"new","encryptedpassword":"canary-encrypted","password":"canary-echo"}}`),
		replyJSON(200, `{"error":0,"registrations":[{"regid":"new","fqdn":"d.example.com","encryptedpassword":"canary-listed"}]}`)))
	var trace strings.Builder
	c := b.connect(t, func(cfg *Config) { cfg.Trace = &trace })
	id, err := c.Registrations.Create(t.Context(), SCEPRegistration, "p", RegistrationInput{FQDN: "d.example.com", Password: "canary"})
	if err != nil || id != "new" {
		t.Fatalf("%q, %v", id, err)
	}
	if _, err := NewCreateRegistration(ACMERegistration, "p", RegistrationInput{FQDN: "k", HMACKey: &aKey}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Registrations.List(t.Context(), SCEPRegistration, "p", RegistrationFilter{FQDN: "d.example.com"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/registrations/p/scep", "createRegistrationScep", `"regid":"new"`, `"password":"***"`, "fqdn=d.example.com", `"encryptedpassword":"***"`} {
		if !strings.Contains(trace.String(), want) {
			t.Errorf("no %s in\n%s", want, trace.String())
		}
	}
	if strings.Contains(trace.String(), "canary") || strings.Contains(trace.String(), "Y2FuYXJ5") {
		t.Errorf("a secret in\n%s", trace.String())
	}
	if got := maskBody("application/json", []byte(`{"fqdn":"k","hmacKey":"canary","signature":"canary"}`)); got != `{"fqdn":"k","hmacKey":"***","signature":"***"}` {
		t.Errorf("traced as %s", got)
	}
}

// What is printed has the API's names in a fixed order, and what is unknown
// behind them.
func TestRegistrationJSON(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		into           func() any
	}{
		{"registration",
			`{"Z":1,"certIds":[1,2],"regType":"scep","validity":7,"status":"OPEN","creationdate":1700000000999,"officer":"o","fqdn":"f","regid":"r","accountids":["a"],"encryptedpassword":"e","password":"canary"}`,
			`{"regid":"r","fqdn":"f","regtype":"scep","status":"open","validity":"7","creationdate":"2023-11-14T22:13:20Z","officer":"o","certids":["1","2"],"accountids":["a"],"encryptedpassword":"e","Z":1}`,
			func() any { return &Registration{} }},
		{"account",
			`{"Z":1,"certIds":[1,2],"regType":"acme/account","status":"Active","creationdate":1700000000999,"officer":"o","fqdn":"f","regid":"r","keyid":"k","email":"m","hmacKey":"canary","error":0,"MSG":"done"}`,
			`{"regid":"r","fqdn":"f","regtype":"acme/account","status":"active","keyid":"k","email":"m","creationdate":"2023-11-14T22:13:20Z","officer":"o","certids":["1","2"],"Z":1}`,
			func() any { return &Account{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, second := c.into(), c.into()
			if err := json.Unmarshal([]byte(c.in), first); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(first)
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
			if err := json.Unmarshal(got, second); err != nil {
				t.Fatal(err)
			}
			if again, _ := json.Marshal(second); string(again) != c.want {
				t.Errorf("read back and written again: %s", again)
			}
		})
	}
}

// FuzzAccounts: no answer makes the reader panic, or gives an account that
// cannot be printed.
func FuzzAccounts(f *testing.F) {
	f.Add([]byte(`{"registrations":[{"regid":"a","certIds":[1]}],"error":0}`))
	f.Add([]byte(`{"regid":"a","certids":["1"],"CERTIDS":null}`))
	f.Add([]byte(`{"registrations":{"regid":1e3}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := readAccounts(body)
		if err != nil {
			return
		}
		if raw, err := json.Marshal(list); err != nil || !json.Valid(raw) {
			t.Errorf("%s: %v", raw, err)
		}
	})
}
