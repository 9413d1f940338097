package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

const issuersPath = "/certificates/issuers"

// issuerNames are the names in an answer, one a line.
func issuerNames(t *testing.T, a reply, list string) string {
	t.Helper()
	var m map[string]json.RawMessage
	var entries []struct {
		DN string `json:"subjectDn"`
	}
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if err := json.Unmarshal(m[list], &entries); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.DN)
	}
	return strings.Join(out, "\n")
}

func TestListIssuers(t *testing.T) {
	r := newRig(t, Options{Certs: 2000, MaxHits: 100})
	a := r.get(issuersPath + "?searchLimit=2")
	want := `{"error":0,"msg":"done","searchHits":7,"issuers":[` +
		`{"subjectDn":"cn=Demo Root CA,o=Demo,c=SE","subject":{"c":"SE","cn":"Demo Root CA","o":"Demo"}},` +
		`{"subjectDn":"cn=Demo Issuing CA,o=Demo,c=SE","subject":{"c":"SE","cn":"Demo Issuing CA","o":"Demo"}}]}` + "\n"
	if a.status != http.StatusOK || string(a.body) != want {
		t.Errorf("%d %s, want %s", a.status, a.body, want)
	}
	second, hits := issuerNames(t, r.get(issuersPath+"?searchOffset=1&searchLimit=1"), "issuers"), r.get(issuersPath+"?searchLimit=0").field("searchHits")
	if second != "cn=Demo Issuing CA,o=Demo,c=SE" || hits != 7.0 {
		t.Errorf("offset: %q, %v", second, hits)
	}
	serial := func(id string) string {
		c, _ := r.get("/certificates/" + id + "/details").field("certificate").(map[string]any)
		return c["certificateserialnumber"].(string)
	}
	if a := r.do(revoke, "certid", "3", "reason", "4"); a.code() != codeOK {
		t.Fatalf("%s", a.body)
	}
	const future, past = "2100-01-01T00:00:00Z", "2000-01-01T00:00:00Z"
	for _, c := range []struct {
		pairs []string
		hits  float64
	}{
		{[]string{"certificateSerialNumber", serial("2")}, 1},
		{[]string{"revocationTimeFrom", past, "revocationTimeTo", future}, 1},
		{[]string{"revocationTimeFrom", future}, 0},
		{[]string{"revocationReason", "4,1"}, 1},
		{[]string{"revocationReason", "1"}, 0},
		{[]string{"publicationAllowed", "true"}, 7},
		{[]string{"publicationTimeFrom", past, "publicationTimeTo", past}, 0},
		{[]string{"publicationTimeTo", future}, 7},
		{[]string{"ocspActivationTimeFrom", past}, 7},
		{[]string{"ocspActivationTimeTo", past}, 0},
		{[]string{"validFromTimeFrom", past, "validFromTimeTo", future}, 7},
		{[]string{"isNotYetValid", "true"}, 0},
		{[]string{"validToTimeFrom", past, "validToTimeTo", future}, 7},
		{[]string{"isExpired", "true"}, 0},
		{[]string{"subjectCommonName", "nobody", "subjectType", "EE", "isNotRevoked", "true"}, 7},
	} {
		if a := r.get(issuersPath + "?" + encode(c.pairs...)); a.field("searchHits") != c.hits {
			t.Errorf("%v: %s, want %v hits", c.pairs, a.body, c.hits)
		}
	}
	for _, bad := range []string{"searchLimit=-1", "revocationReason=7", "isExpired=maybe", "validToTimeTo=now", "certificateSerialNumber="} {
		if a := r.get(issuersPath + "?" + bad); a.status != http.StatusInternalServerError || a.code() != codeBadValue {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

func TestListIssuersAsDeclared(t *testing.T) {
	r := newRig(t, Options{Quirks: QuirksDeclared, MaxHits: 2, MaxHitsMode: MaxHitsPage})
	want := `{"error":0,"msg":"done","searchHits":3,"subjects":[` +
		`{"subjectDn":"cn=Demo Root CA,o=Demo,c=SE","subject":[{"cn":"Demo Root CA"},{"o":"Demo"},{"c":"SE"}]}]}` + "\n"
	if a := r.get(issuersPath + "?searchLimit=1"); string(a.body) != want {
		t.Errorf("%s, want %s", a.body, want)
	}
	if a := r.get(issuersPath + "?isExpired=true"); string(a.body) != `{"error":0,"msg":"done","searchHits":0,"subjects":[]}`+"\n" {
		t.Errorf("%s", a.body)
	}
	if a := r.get(issuersPath + "?searchLimit=3"); a.code() != codeBadValue {
		t.Errorf("above the cap: %s", a.body)
	}
}

// A name that has an attribute twice, and one of an own kind.
func TestListIssuersOddName(t *testing.T) {
	for quirks, want := range map[string]string{
		QuirksExamples: `"subject":{"cn":"Odd, CA","oid.2.5.4.13":"x","ou":["Inner","Outer"]}`,
		QuirksDeclared: `"subject":[{"oid.2.5.4.13":"x"},{"cn":"Odd, CA"},{"ou":"Inner"},{"ou":"Outer"}]`,
	} {
		r := newRig(t, Options{Quirks: quirks})
		der := r.openssl(nil, "req", "-x509", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "odd.key",
			"-outform", "DER", "-subj", "/OU=Outer/OU=Inner/CN=Odd, CA/description=x")
		r.add(store.Cert{Serial: "0f", Type: store.CA, DER: der})
		a := string(r.get(issuersPath + "?certificateSerialNumber=f").body)
		if !strings.Contains(a, want) || !strings.Contains(a, `"subjectDn":"oid.2.5.4.13=x,cn=\"Odd, CA\",ou=Inner,ou=Outer"`) {
			t.Errorf("%s: %s, want %s", quirks, a, want)
		}
	}
}

func TestOrder(t *testing.T) {
	r := newRig(t, Options{Certs: 20})
	ids := func(query string) string { return found(r.get("/certificates?" + query)) }
	for _, c := range []struct{ query, want string }{
		{"searchLimit=2&orderBy=certid", "4 5"},
		{"searchLimit=2&orderBy=certid&orderDescending=true", "10020 10019"},
		{"searchLimit=3&searchOffset=2&orderDescending=true", "10018 10017 10016"},
		{"searchLimit=5&searchOffset=22&orderDescending=true", "5 4"},
		{"searchLimit=5&searchOffset=24&orderDescending=true", ""},
		{"searchLimit=2&searchOffset=2&orderDescending=false", "6 7"},
	} {
		if got := ids(c.query); got != c.want {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
	}
	for _, bad := range []string{"orderBy=color", "orderBy=", "orderDescending=maybe"} {
		if a := r.get("/certificates?" + bad); a.code() != codeBadValue {
			t.Errorf("%s: %s", bad, a.body)
		}
	}
}
