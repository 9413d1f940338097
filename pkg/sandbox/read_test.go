package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// found lists the ids of a search, in order.
func found(a reply) string {
	list, _ := a.field("certificates").([]any)
	var out []string
	for _, c := range list {
		m, _ := c.(map[string]any)
		id, _ := m["certid"].(string)
		out = append(out, id)
	}
	return strings.Join(out, " ")
}

// Each parameter of the API reaches its filter; what the filters do is tested
// where they are.
func TestSearchParameters(t *testing.T) {
	r := newRig(t, Options{})
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	full := r.add(store.Cert{
		Serial: "0a1b2c", IssuerDN: "cn=Filter CA,o=Filter,c=SE", CN: "Filter Cn", GivenName: "Given", Surname: "Sur", Org: "Org", OU: "Unit",
		SubjectSerial: "S-1", Country: "XX", CardSerial: "Card-1", Type: store.CA, AKI: "aa01", SKI: "bb02",
		NotBefore: at("2031-01-01T00:00:00Z"), NotAfter: at("2032-01-01T00:00:00Z"),
		Revoked: true, Reason: 4, RevokedAt: at("2030-01-01T00:00:00Z"),
		PublicationAllowed: true, PublishedAt: at("2029-01-01T00:00:00Z"), OCSPActivatedAt: at("2028-01-01T00:00:00Z"),
		Fields: [6]string{"f1", "f2", "f3", "f4", "f5", "f6"},
	})
	plain := r.add(store.Cert{Serial: "0f", IssuerDN: "cn=Other CA", Type: store.CA, CN: "Plain", NotBefore: at("2020-01-01T00:00:00Z"), NotAfter: at("2021-01-01T00:00:00Z")})
	for _, c := range []struct {
		name, value string
		want        string // full or plain; both when empty
	}{
		{"cardSerialNumber", "card-1", full},
		{"certificateSerialNumber", "0A1B2C", full},
		{"revocationTimeFrom", "2029-12-31T23:59:59Z", full},
		{"revocationTimeTo", "2030-01-01T01:00:01+01:00", full},
		{"revocationReason", "4", full},
		{"revocationReason", "1,4", full},
		{"isNotRevoked", "true", plain},
		{"subjectCommonName", "filter CN", full},
		{"subjectGivenName", "given", full},
		{"subjectSurName", "SUR", full},
		{"subjectOrganisationName", "org", full},
		{"subjectOrganisationUnit", "unit", full},
		{"subjectSerialNumber", "s-1", full},
		{"subjectCountry", "xx", full},
		{"publicationAllowed", "true", full},
		{"publicationTimeFrom", "2028-12-31T23:59:59Z", full},
		{"publicationTimeTo", "2029-01-01T00:00:01Z", full},
		{"ocspActivationTimeFrom", "2027-12-31T23:59:59Z", full},
		{"ocspActivationTimeTo", "2028-01-01T00:00:01Z", full},
		{"validFromTimeFrom", "2030-12-31T23:59:59Z", full},
		{"validFromTimeTo", "2020-01-01T00:00:01Z", plain},
		{"isNotYetValid", "true", full},
		{"validToTimeFrom", "2031-12-31T23:59:59Z", full},
		{"validToTimeTo", "2021-01-01T00:00:01Z", plain},
		{"isExpired", "true", plain},
		{"field1", "F1", full}, {"field2", "f2", full}, {"field3", "f3", full},
		{"field4", "f4", full}, {"field5", "f5", full}, {"field6", "f6", full},
		{"authorityKeyIdentifier", "AA01", full},
		{"subjectKeyIdentifier", "BB02", full},
		{"issuer", "CN=filter ca, O=Filter, C=SE", full},
		{"isNotRevoked", "false", ""},
		{"isExpired", "false", ""},
		{"somethingNew", "x", ""},
	} {
		a := r.search("subjectType", "CA", c.name, c.value)
		got, want := found(a), c.want
		if want == "" {
			want = "1 2 3 " + full + " " + plain
		} else {
			// The sandbox's own CAs are neither revoked nor expired.
			got = strings.TrimPrefix(got, "1 2 3 ")
		}
		if got != want {
			t.Errorf("%s=%s: %q, want %q: %s", c.name, c.value, got, want, a.body)
		}
	}
	for _, c := range []struct{ query, want string }{
		{"subjectType=CA&revocationReason=1&revocationReason=4", full},
		{"subjectType=EE&subjectType=CA&subjectCountry=XX", full},
		{"subjectType=EE,CA&subjectCountry=XX", full},
		{"subjectType=ca&subjectCountry=XX", full},
		{"subjectCountry=XX", ""}, // end entities only
		{"subjectType=EE&subjectCountry=XX", ""},
	} {
		if got := found(r.get("/certificates?" + c.query)); got != c.want {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
	}
}

func TestSearchRefusesBadValues(t *testing.T) {
	r := newRig(t, Options{})
	for _, q := range []string{
		"searchLimit=-1", "searchLimit=x", "searchOffset=-1", "searchOffset=1.5",
		"isExpired=yes", "revocationReason=7", "revocationReason=11", "revocationReason=1,,2", "revocationReason=keyCompromise",
		"subjectType=XX", "subjectType=", "validToTimeFrom=tomorrow", "validToTimeFrom=1800000000000", "validToTimeFrom=2026-01-01",
		"subjectCommonName=", "subjectCommonName=a&subjectCommonName=b", "subjectCommonName=%ff",
		"issuer=nonsense", "certificateSerialNumber=xyz", "subjectKeyIdentifier=xyz",
	} {
		if a := r.get("/certificates?" + q); a.status != http.StatusInternalServerError || a.code() != codeBadValue {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
	}
	if a := r.get("/certificates?subjectCommonName=%zz"); a.code() != codeEncoding {
		t.Errorf("broken percent encoding: %s", a.body)
	}
}

func TestHitCap(t *testing.T) {
	// Five end entities besides the four that are always there.
	fill := func(r *rig) {
		for i := range 5 {
			r.add(store.Cert{Serial: fmt.Sprintf("%02x", i), Country: "ZZ"})
		}
	}
	for _, c := range []struct {
		mode, query string
		code, page  int
		hits        float64
	}{
		{MaxHitsClamp, "", codeOK, 3, 5},
		{MaxHitsClamp, "&searchLimit=2", codeOK, 2, 5},
		{MaxHitsClamp, "&searchLimit=100", codeOK, 3, 5},
		{MaxHitsClamp, "&searchLimit=0", codeOK, 0, 5},
		{MaxHitsClamp, "&searchLimit=3&searchOffset=3", codeOK, 2, 5},
		{MaxHitsClamp, "&searchOffset=9", codeOK, 0, 5},
		{MaxHitsPage, "", codeOK, 3, 5},
		{MaxHitsPage, "&searchLimit=3", codeOK, 3, 5},
		{MaxHitsPage, "&searchLimit=4", codeBadValue, 0, 0},
		{MaxHitsTotal, "", codeBadValue, 0, 0},
		{MaxHitsTotal, "&searchLimit=1", codeBadValue, 0, 0},
		{MaxHitsTotal, "&certificateSerialNumber=01", codeOK, 1, 1},
	} {
		r := newRig(t, Options{MaxHits: 3, MaxHitsMode: c.mode})
		fill(r)
		a := r.get("/certificates?subjectCountry=ZZ" + c.query)
		hits, _ := a.field("searchHits").(float64)
		if a.code() != c.code || len(strings.Fields(found(a))) != c.page || hits != c.hits {
			t.Errorf("%s %s: %s", c.mode, c.query, a.body)
		}
	}
}

func TestBounds(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		bounds string
		want   bool
	}{{BoundsExclusive, false}, {BoundsInclusive, true}} {
		r := newRig(t, Options{Bounds: c.bounds})
		id := r.add(store.Cert{Serial: "01", NotBefore: at, NotAfter: at.Add(time.Hour)})
		for _, name := range []string{"validFromTimeFrom", "validFromTimeTo"} {
			got := slices.Contains(strings.Fields(found(r.search(name, "2030-01-01T00:00:00Z"))), id)
			if got != c.want {
				t.Errorf("%s, %s: found %v", c.bounds, name, got)
			}
		}
	}
}

func TestAnswersLookAsTheExamplesOrAsDeclared(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	cert := store.Cert{Serial: "0a1b", Subject: "Demo User, Demo, SE", IssuerDN: "cn=X,c=SE", NotBefore: at, NotAfter: at.Add(time.Hour),
		Revoked: true, Reason: 6, RevokedAt: at.Add(time.Minute), KeyUsage: []string{"digitalSignature"}, Fields: [6]string{2: "three"}, AKI: "aa", SKI: "bb"}
	for _, c := range []struct{ quirks, want string }{
		{QuirksExamples, `{"error":0,"msg":"done","certificate":{"certid":"10001","status":"revoked","reason":"6","revocationtime":1893553505000,` +
			`"validfrom":1893553445000,"validto":1893557045000,"certificateserialnumber":"0a1b","subject":"Demo User, Demo, SE","issuer":"cn=X,c=SE",` +
			`"keyusage":["digitalSignature"],"subjectType":"EE","extendedcertsearch":{"field3":"three"},"authorityKeyIdentifier":"aa","subjectKeyIdentifier":"bb"}}`},
		{QuirksDeclared, `{"error":0,"msg":"done","certificate":{"certid":"10001","status":"revoked","reason":"Certificate Hold","revocationtime":"2030-01-02T03:05:05Z",` +
			`"validfrom":"2030-01-02T03:04:05Z","validto":"2030-01-02T04:04:05Z","certificateserialnumber":"0a1b","subject":"Demo User, Demo, SE","issuer":"cn=X,c=SE",` +
			`"keyusage":["digitalSignature"],"subjectType":"EE","extendedcertsearch":{"field3":"three"},"authorityKeyIdentifier":"aa","subjectKeyIdentifier":"bb"}}`},
	} {
		r := newRig(t, Options{Quirks: c.quirks})
		id := r.add(cert)
		if got := strings.TrimSpace(string(r.get("/certificates/" + id + "/details").body)); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.quirks, got, c.want)
		}
	}
}

func TestUnknownCertificate(t *testing.T) {
	r := newRig(t, Options{})
	hidden := r.add(store.Cert{Serial: "01", Domain: "other"})
	for _, id := range []string{"99999", "x", "0", "-1", "005", "99999999999999999999", hidden, "5%20"} {
		for _, verb := range []string{"details", "download"} {
			if a := r.get("/certificates/" + id + "/" + verb); a.status != http.StatusInternalServerError || a.code() != codeBadValue {
				t.Errorf("%s of %s: %d %s", verb, id, a.status, a.body)
			}
		}
	}
	if got := r.search("certificateSerialNumber", "01"); strings.Contains(found(got), hidden) {
		t.Errorf("of another domain, and found: %s", got.body)
	}
}

func TestDownloadForms(t *testing.T) {
	r := newRig(t, Options{})
	for _, c := range []struct {
		accept       []string
		kind         string
		certificates int
	}{
		{nil, kindDER, 1},
		{[]string{"*/*"}, kindDER, 1},
		{[]string{kindDER}, kindDER, 1},
		{[]string{kindPKCS7}, kindPKCS7, 3},
		{[]string{kindPEM}, kindPEM, 3},
		{[]string{kindPEM + ";depth=0"}, kindPEM, 3},
		{[]string{kindPEM + ";depth=1"}, kindPEM, 1},
		{[]string{kindPEM + "; depth=2"}, kindPEM, 2},
		{[]string{kindPEM + ";depth=\"2\""}, kindPEM, 2},
		{[]string{kindPEM + ";depth=9"}, kindPEM, 3},
		{[]string{"APPLICATION/PKCS7-MIME"}, kindPKCS7, 3},
		{[]string{kindDER + ";q=0.5, " + kindPKCS7}, kindPKCS7, 3},
		{[]string{kindDER + ";q=0.5", kindPEM + ";depth=1;q=0.9"}, kindPEM, 1},
		{[]string{"text/html, " + kindPKCS7 + ";q=0.1"}, kindPKCS7, 3},
		{[]string{"application/json", "*/*;q=0.1"}, kindDER, 1},
		{[]string{"application/*;q=0.3"}, kindDER, 1},
	} {
		a := r.get("/certificates/5/download", c.accept...)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != c.kind {
			t.Errorf("%v: %d %v %s", c.accept, a.status, a.header, a.body)
			continue
		}
		if n := countCertificates(r, c.kind, a.body); n != c.certificates {
			t.Errorf("%v: %d certificates, want %d", c.accept, n, c.certificates)
		}
		if c.kind == kindPKCS7 {
			if again := r.openssl(a.body, "pkcs7", "-inform", "DER", "-outform", "DER"); !bytes.Equal(again, a.body) {
				t.Errorf("%v: not the DER that OpenSSL writes", c.accept)
			}
		}
	}
	for _, accept := range []string{"text/html", "application/json", kindDER + ";q=0", kindPEM + ";depth=x", kindPEM + ";depth=-1"} {
		if a := r.get("/certificates/5/download", accept); a.status != http.StatusInternalServerError || a.code() != codeBadValue {
			t.Errorf("%s: %d %s", accept, a.status, a.body)
		}
	}
	// The named one comes first, the root last.
	pem := r.get("/certificates/5/download", kindPEM).body
	own, err := os.ReadFile(r.path("officer.pem"))
	root, err2 := os.ReadFile(r.path("ca.pem"))
	if err != nil || err2 != nil || !bytes.Equal(pem, append(own, root...)) {
		t.Error("the chain is in another order", err, err2)
	}
	for id, n := range map[string]int{"1": 1, "2": 2, "3": 2} {
		if got := countCertificates(r, kindPEM, r.get("/certificates/"+id+"/download", kindPEM).body); got != n {
			t.Errorf("chain of CA %s: %d", id, got)
		}
	}
}

// The bytes of a seeded certificate are made when asked for and stay.
func TestDownloadSeeded(t *testing.T) {
	r := newRig(t, Options{Certs: 20})
	first := r.get("/certificates/10003/download").body
	if again := r.get("/certificates/10003/download").body; !bytes.Equal(first, again) {
		t.Error("other bytes the second time")
	}
	cert, _ := r.get("/certificates/10003/details").field("certificate").(map[string]any)
	serial := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(r.openssl(first, "x509", "-inform", "DER", "-noout", "-serial")), "serial=")))
	if serial != cert["certificateserialnumber"] {
		t.Errorf("serial %s, details say %v", serial, cert["certificateserialnumber"])
	}
	chain := r.get("/certificates/10003/download", kindPEM).body
	if err := os.WriteFile(r.path("chain.pem"), chain, 0o600); err != nil {
		t.Fatal(err)
	}
	r.openssl(nil, "verify", "-no_check_time", "-CAfile", "ca.pem", "-untrusted", "chain.pem", "chain.pem")
}

func TestDistributionPoints(t *testing.T) {
	r := newRig(t, Options{})
	base := strings.TrimSuffix(r.URL, "/api") + "/dp/"
	fetch := func(name string) (int, []byte) {
		req, err := http.NewRequest("GET", base+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.client("").Do(req) // without a client certificate
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body
	}
	for _, issuer := range []string{"root", "issuing-1", "issuing-2"} {
		status, cer := fetch("ca/" + issuer + ".cer")
		if status != 200 {
			t.Fatalf("%s.cer: %d", issuer, status)
		}
		if err := os.WriteFile(r.path(issuer+".pem"), r.openssl(cer, "x509", "-inform", "DER"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, crl := fetch(issuer + ".crl")
		r.openssl(crl, "crl", "-inform", "DER", "-noout", "-CAfile", issuer+".pem", "-verify")
	}
	for _, name := range []string{"", "x.crl", "root", "root.cer", "ca/root.crl", "ca/x.cer", "../api/procedures"} {
		if status, _ := fetch(name); status != 404 && status != 403 {
			t.Errorf("%q: %d", name, status)
		}
	}
	text := func() string {
		_, crl := fetch("issuing-1.crl")
		return string(r.openssl(crl, "crl", "-inform", "DER", "-noout", "-text"))
	}
	id := r.issue("CRL")
	serial := strings.ToUpper(strings.TrimPrefix(strings.TrimSpace(string(r.openssl(r.get("/certificates/"+id+"/download").body, "x509", "-inform", "DER", "-noout", "-serial"))), "serial="))
	before := text()
	r.write(revoke, "certid", id, "reason", "6")
	held := text()
	r.write(reinstate, "certid", id)
	lifted := text()
	if strings.Contains(before, serial) || !strings.Contains(held, serial) || !strings.Contains(held, "Certificate Hold") || strings.Contains(lifted, serial) {
		t.Errorf("before:\n%s\non hold:\n%s\nlifted:\n%s", before, held, lifted)
	}
	number := func(s string) string {
		_, after, _ := strings.Cut(s, "X509v3 CRL Number:")
		return strings.Fields(after)[0]
	}
	if a, b, c := number(before), number(held), number(lifted); a == b || b == c {
		t.Errorf("CRL numbers %s, %s, %s", a, b, c)
	}
}

func TestProcedures(t *testing.T) {
	r := newRig(t, Options{})
	list, _ := r.get("/procedures").field("procedures").([]any)
	got := map[string]string{}
	for _, p := range list {
		m, _ := p.(map[string]any)
		id, _ := m["procid"].(string)
		name, _ := m["name"].(string)
		if id == name || id == "" || name == "" {
			t.Errorf("id %q, name %q", id, name)
		}
		got[id] = name
	}
	for _, id := range []string{"p-pkcs10", "p-pkcs12", "p-attr", "p-skip", "p-import", "p-scep", "p-est", "p-cmp", "p-acme"} {
		if got[id] == "" {
			t.Errorf("no %s", id)
		}
	}
	if got["p-pkcs10"] != "PKCS#10 Procedure" {
		t.Errorf("p-pkcs10 is %q", got["p-pkcs10"])
	}
}
