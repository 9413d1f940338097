package reg

import (
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// Each check by what it takes, in the form that is sent, and what it refuses.
// No refusal shows the value.
func TestChecks(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		name  string
		check func(string) (string, error)
		good  map[string]string // as sent; "": as given
		bad   []string
	}{
		{"status", checkStatus, map[string]string{"open": "", "Closed": "closed"}, []string{"canary", "active", " open"}},
		{"validity", checkValidity, map[string]string{"1": "", "36500": "", "007": "7", "Always": "always", "always": ""},
			[]string{"0", "-1", "+7", "36501", "99999999999999999999", "7d", "1.5", "0x7", "canary", "٧"}},
		{"host", checkHost, map[string]string{"r1": "", "r1.example.com": "", "*.example.com": "", "dev-*.lab": "", "a_b.example": "", "r1.example.com.": "", "1.2.3.4": ""},
			[]string{".", "a..b", ".a", "-a", "a-", "canary host", "a/b", "ä.example", "a,b", "a\nb", long + ".example", strings.Repeat(long[:60]+".", 5)}},
		{"text", checkText(5), map[string]string{"a b": "", "äöüßé": "", "00:11": ""}, []string{"canary", " a", "a ", "a\tb", "a\x1b", "\xff", "a\u200bb", "a\u202eb"}},
		{"user", checkUser, map[string]string{"device 1": ""}, []string{"canary:x", " x"}},
		{"ip", checkIP, map[string]string{"192.0.2.1": "", "2001:DB8:0::1": "2001:db8::1", "::ffff:192.0.2.1": ""},
			[]string{"192.0.2.300", "192.0.2", "192.0.2.1/24", "fe80::1%eth0", "canary", "192.0.2.01"}},
		{"mail", checkEmail, map[string]string{"admin@example.com": "", "a+b@[192.0.2.1]": ""},
			[]string{"canary", "Admin <admin@example.com>", "<admin@example.com>", "admin@", "a@b, c@d", "admin@example.com "}},
		{"serial", checkSerial, map[string]string{"0a1b": "", " FOC1234X0AB ": "FOC1234X0AB", "0A:1B": ""}, []string{"canary\x1b", "", "  ", strings.Repeat("canary", 11)}},
		{"domains", checkDomains, map[string]string{"a.example": "", "a.example, *.b.example": "a.example,*.b.example"}, []string{"a.example,", ",", "canary domain", "a,b c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for in, want := range c.good {
				if want == "" {
					want = in
				}
				if got, err := c.check(in); err != nil || got != want {
					t.Errorf("%q: %q, %v; want %q", in, got, err, want)
				}
			}
			for _, in := range c.bad {
				got, err := c.check(in)
				if err == nil {
					t.Errorf("%q: taken as %q", in, got)
				} else if strings.Contains(err.Error(), "canary") {
					t.Errorf("%q is shown: %v", in, err)
				}
			}
		})
	}
}

// Every field that the API has for a kind can be given, by a flag and by a
// column, and no other.
func TestFieldsAreThoseOfTheAPI(t *testing.T) {
	for kind, want := range map[cmapi.RegistrationKind]string{
		cmapi.GenericRegistration: "fqdn validity status",
		cmapi.SCEPRegistration:    "fqdn validity status ipaddress email serialnumber password",
		cmapi.ESTRegistration:     "fqdn validity status username realm subject-commonname authentication-certificate-ca password",
		cmapi.CMPRegistration:     "fqdn validity status password",
		cmapi.ACMERegistration:    "fqdn validity status allowedDomains hmacKey",
	} {
		var got []string
		for _, fd := range fields() {
			if isOf(fd.api, kind) {
				got = append(got, fd.api)
			}
		}
		for _, s := range secrets() {
			if isOf(s.api, kind) {
				got = append(got, s.api)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s, want %s", words(kind), text, want)
		}
		for _, api := range kind.Fields() {
			if !strings.Contains(" "+want+" ", " "+api+" ") {
				t.Errorf("%s: no flag for %s", words(kind), api)
			}
		}
	}
}

// The name of an ACME registration or a device need be no host name; that of
// the others must be one.
func TestNamesByKind(t *testing.T) {
	fqdn := fields()[0]
	for kind, want := range map[cmapi.RegistrationKind]bool{
		cmapi.GenericRegistration: true, cmapi.ACMERegistration: true, cmapi.SCEPRegistration: false, cmapi.ESTRegistration: false, cmapi.CMPRegistration: false,
	} {
		var in cmapi.RegistrationInput
		if err := fqdn.set(&in, kind, "key id/1"); (err == nil) != want {
			t.Errorf("%s: %v", words(kind), err)
		}
	}
}

func TestOperationsOfAllPaths(t *testing.T) {
	for action, want := range map[string]string{
		"list":   "listRegistrations listRegistrationsScep listRegistrationsEst listRegistrationsCmp listRegistrationsAcme",
		"create": "createRegistration createRegistrationScep createRegistrationEst createRegistrationCmp createRegistrationAcme",
		"update": "updateRegistration updateRegistrationScep updateRegistrationEst updateRegistrationCmp updateRegistrationAcme",
	} {
		if got := strings.Join(operations(action), " "); got != want {
			t.Errorf("%s: %s", action, got)
		}
	}
}
