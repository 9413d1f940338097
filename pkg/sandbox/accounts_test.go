package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Officers revoke by what an account has: each certificate is there, and leads
// back to the registration.
func TestAccounts(t *testing.T) {
	for _, m := range modes {
		for _, certs := range []int{0, 40} {
			opts := m.opts
			opts.Certs = certs
			r := newRig(t, opts)
			declared := opts.Quirks == QuirksDeclared
			regs := r.registrations("/registrations/p-acme/acme")
			if len(regs) != 2 || !strings.Contains(regs[0], "/") || !strings.Contains(regs[1], "+") {
				t.Fatalf("%s: registrations %v", m.name, regs)
			}
			a := r.get("/registrations/p-acme/acme/accounts")
			list, _ := a.field("registrations").([]any)
			if len(list) != 6 || a.code() != codeOK {
				t.Fatalf("%s: %s", m.name, a.body)
			}
			seen := map[string]bool{}
			for k, e := range list {
				account, _ := e.(map[string]any)
				status, _ := account["status"].(string)
				name := "certIds"
				if declared {
					name = "certids"
				}
				ids, _ := account[name].([]any)
				if len(ids) == 0 || (account["regType"] == "acme/account") == declared || (status == strings.ToLower(status)) != declared ||
					account["keyid"] != []string{"demo-key-1", "demo-key-2"}[k/3] {
					t.Errorf("%s: %v", m.name, account)
				}
				for _, id := range ids {
					text, isText := id.(string)
					if !isText {
						text = idText(int64(id.(float64)))
					}
					if isText != declared || seen[text] || r.state(text) != "active" {
						t.Errorf("%s: certificate %v is %q", m.name, id, r.state(text))
					}
					seen[text] = true
					back, _ := r.get("/registrations/certificate/" + text).field("registration").(map[string]any)
					if back["regid"] != regs[k/3] || back["regtype"] != "acme" || !slices.Contains(toStrings(back["certids"]), text) {
						t.Errorf("%s: certificate %s belongs to %v", m.name, text, back)
					}
				}
			}
			if certs > 0 && !seen["10001"] || certs == 0 && !seen["11"] || len(seen) != 8 {
				t.Errorf("%s: certificates %v", m.name, seen)
			}
			first, _ := list[0].(map[string]any)
			id, _ := first["regid"].(string)
			one := r.get("/registrations/p-acme/acme/accounts?" + encode("accountid", id))
			if declared != (one.field("regid") == id) || declared == (one.field("registrations") != nil) {
				t.Errorf("%s: one account: %s", m.name, one.body)
			}
			for pattern, want := range map[string]int{"demo-account-*": 6, "*-3": 1, "*": 6, "d*o*t-1": 1, id[:5] + "*": 1, "nobody*": 0} {
				got := r.get("/registrations/p-acme/acme/accounts?" + encode("accountid", pattern))
				list, isList := got.field("registrations").([]any)
				switch {
				case declared && want == 1:
					if got.field("regid") == nil {
						t.Errorf("%s, %s: %s", m.name, pattern, got.body)
					}
				case !isList || len(list) != want:
					t.Errorf("%s, %s: %s", m.name, pattern, got.body)
				}
			}
		}
	}
	r := newRig(t, Options{})
	for _, path := range []string{"/registrations/p-acme/acme/accounts?accountid=nobody", "/registrations/p-acme/acme/accounts?accountid=",
		"/registrations/p-est/acme/accounts", "/registrations/nowhere/acme/accounts", "/registrations/certificate/5", "/registrations/certificate/77777", "/registrations/certificate/x"} {
		if a := r.get(path); a.status != http.StatusInternalServerError || a.code() != codeBadValue {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := r.must("officer", r.request("GET", "/registrations/certificate/scep", "", "")); a.code() != codeBadValue || r.last().OperationID != "getRegistrationsCertId" {
		t.Errorf("the literal path does not win: %s, %+v", a.body, r.last())
	}
}

func toStrings(list any) []string {
	var out []string
	values, _ := list.([]any)
	for _, v := range values {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "A", false}, {"a", "ab", false}, {"*", "", true}, {"a*", "a", true}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"*b*", "abc", true}, {"a*b*c", "a-b-c", true}, {"a*b*c", "acb", false}, {"**", "x", true}, {"*ab", "aab", true}, {"", "", true},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.text, got)
		}
	}
}
