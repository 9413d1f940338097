package sandbox

import (
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

func attrPath(base string) string { return "/certificates/" + base + "/pkcs10-to-attr-cert" }

// verifyAttribute has OpenSSL, which does not know attribute certificates,
// take one apart and verify its signature with the issuer's key.
func (r *rig) verifyAttribute(der []byte, issuerID string) string {
	r.t.Helper()
	outline := string(r.openssl(der, "asn1parse", "-inform", "DER"))
	lines := regexp.MustCompile(`(?m)^ *(\d+):d=1 .*?hl= *(\d+) l= *(\d+)`).FindAllStringSubmatch(outline, -1)
	if len(lines) != 3 {
		r.t.Fatalf("not a signed structure:\n%s", outline)
	}
	r.openssl(der, "asn1parse", "-inform", "DER", "-strparse", lines[0][1], "-noout", "-out", "info.der")
	r.openssl(der, "asn1parse", "-inform", "DER", "-strparse", lines[2][1], "-noout", "-out", "signature.der")
	issuer := r.openssl(r.get("/certificates/"+issuerID+"/download").body, "x509", "-inform", "DER", "-noout", "-pubkey")
	if err := os.WriteFile(r.path("issuer.pub"), issuer, 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.openssl(nil, "dgst", "-sha256", "-verify", "issuer.pub", "-signature", "signature.der", "info.der")
	return outline
}

func TestIssueAttribute(t *testing.T) {
	for _, m := range modes {
		r := newRig(t, m.opts)
		request := r.newRequest("/C=SE/O=Demo/OU=Outer/OU=Inner/CN=Signer of Orders")
		base, _ := r.get("/certificates/5/details").field("certificate").(map[string]any)
		serial, _ := base["certificateserialnumber"].(string)
		for name, pkcs10 := range map[string][]byte{"signed": request, "unsigned": r.unsigned(request)} {
			a := r.do(attrPath("5"), "pkcs10", base64.StdEncoding.EncodeToString(pkcs10), "procname", "Attribute Certificate Procedure",
				"validfrom", "2026-01-02T03:04:05Z", "validto", "2031-02-03T04:05:06Z")
			id := a.header.Get("certId")
			if rec := r.last(); a.status != http.StatusOK || a.header.Get("Content-Type") != kindPKCS7 || strings.Join(rec.Changed, " ") != id || strings.Join(rec.IDs, " ") != "5" {
				t.Errorf("%s, %s: %d %s, logged as %+v", m.name, name, a.status, a.body, rec)
				continue
			}
			der := r.get("/certificates/" + id + "/download").body
			outline := r.verifyAttribute(der, "2")
			for _, want := range []string{"INTEGER           :" + strings.ToUpper(serial), "GENERALIZEDTIME   :20260102030405Z", "GENERALIZEDTIME   :20310203040506Z",
				":Signer of Orders", ":Inner", ":Outer", "X509v3 CRL Distribution Points", "X509v3 Authority Key Identifier"} {
				if !strings.Contains(outline, want) {
					t.Errorf("%s, %s: no %q in\n%s", m.name, name, want, outline)
				}
			}
			if strings.Index(outline, ":Inner") > strings.Index(outline, ":Outer") {
				t.Errorf("%s, %s: a set is not sorted:\n%s", m.name, name, outline)
			}
			// OpenSSL knows them in a CMS, beside the two of the chain.
			text := string(r.openssl(a.body, "cms", "-cmsout", "-print", "-noout", "-inform", "DER"))
			if strings.Count(text, "d.v2AttrCert") != 1 || strings.Count(text, "d.certificate") != 2 || !strings.Contains(text, "version: 4") {
				t.Errorf("%s, %s: %s", m.name, name, text)
			}
			if again := r.openssl(a.body, "cms", "-cmsout", "-inform", "DER", "-outform", "DER"); string(again) != string(a.body) {
				t.Errorf("%s, %s: OpenSSL encodes it otherwise", m.name, name)
			}
			blocks := pemTypes(r.get("/certificates/"+id+"/download", kindPEM).body)
			if blocks != "ATTRIBUTE CERTIFICATE, CERTIFICATE, CERTIFICATE" {
				t.Errorf("%s, %s: PEM of %s", m.name, name, blocks)
			}
			shown, _ := r.get("/certificates/" + id + "/details").field("certificate").(map[string]any)
			if shown["subject"] != "Signer of Orders, Inner, Outer, Demo, SE" || shown["issuer"] != "cn=Demo Issuing CA,o=Demo,c=SE" || shown["subjectType"] != "EE" {
				t.Errorf("%s, %s: shown as %v", m.name, name, shown)
			}
			if !strings.Contains(found(r.search("subjectCommonName", "signer of orders")), id) {
				t.Errorf("%s, %s: not found", m.name, name)
			}
			if a := r.do(revoke, "certid", id, "reason", "1"); a.code() != codeOK {
				t.Errorf("%s, %s: %s", m.name, name, a.body)
			}
			number, _ := shown["certificateserialnumber"].(string)
			if crl := string(r.openssl(r.crl("issuing-1"), "crl", "-inform", "DER", "-noout", "-text")); !strings.Contains(crl, strings.ToUpper(number)) {
				t.Errorf("%s, %s: not in the CRL", m.name, name)
			}
		}
	}
}

func (r *rig) crl(issuer string) []byte {
	r.t.Helper()
	req, err := http.NewRequest("GET", strings.TrimSuffix(r.URL, "/api")+"/dp/"+issuer+".crl", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.must("", req).body
}

func pemTypes(data []byte) string {
	var out []string
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return strings.Join(out, ", ")
		}
		out, data = append(out, block.Type), rest
	}
}

func TestIssueAttributeForms(t *testing.T) {
	r := newRig(t, Options{Signing: SigningVRO})
	csr := base64.StdEncoding.EncodeToString(r.newRequest("/CN=Role"))
	for accept, want := range map[string]string{kindDER: kindDER, kindPEM: kindPEM, kindPKCS7: kindPKCS7, "*/*": kindPKCS7} {
		req := r.request("POST", attrPath("6"), urlencoded, encode("pkcs10", csr))
		req.Header.Set("Accept", accept)
		a := r.must("officer", req)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != want {
			t.Errorf("%s: %d %v", accept, a.status, a.header)
		}
		if want == kindDER {
			r.verifyAttribute(a.body, "2")
		}
		if want == kindPEM && pemTypes(a.body) != "ATTRIBUTE CERTIFICATE, CERTIFICATE, CERTIFICATE" {
			t.Errorf("%s", a.body)
		}
	}
	// Without validto it ends with its base.
	base := r.issue2(t, csr, "validto", time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339))
	ends := func(id string) any {
		c, _ := r.get("/certificates/" + id + "/details").field("certificate").(map[string]any)
		return c["validto"]
	}
	if id := r.post(attrPath(base), "pkcs10", csr).header.Get("certId"); ends(id) != ends(base) || ends(id) == nil {
		t.Errorf("it ends %v, its base %v", ends(id), ends(base))
	}
	// Own attributes of a request are taken, a challenge password is not.
	conf := "[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\n[dn]\nCN=Role\n[at]\nunstructuredName=Own Attribute\nchallengePassword=hidden words\n"
	if err := os.WriteFile(r.path("req.cnf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	der := r.openssl(nil, "req", "-new", "-config", "req.cnf", "-key", "dev.key", "-outform", "DER")
	a := r.post(attrPath("6"), "pkcs10", base64.StdEncoding.EncodeToString(der))
	cert := string(r.get("/certificates/" + a.header.Get("certId") + "/download").body)
	if !strings.Contains(cert, "Own Attribute") || strings.Contains(cert, "hidden words") {
		t.Errorf("%d %q %q", a.status, a.body, cert)
	}
}

func TestIssueAttributeRefused(t *testing.T) {
	r := newRig(t, Options{Signing: SigningVRO})
	csr := base64.StdEncoding.EncodeToString(r.newRequest("/CN=Role"))
	nothing := base64.StdEncoding.EncodeToString(r.newRequest("/"))
	own := r.post(attrPath("5"), "pkcs10", csr).header.Get("certId")
	held := r.issue2(t, csr)
	if a := r.post(revoke, "certid", held, "reason", "6"); a.code() != codeOK {
		t.Fatalf("%s", a.body)
	}
	old, err := r.home.ca.Issuing[0].NewLeaf(ca.Leaf{CN: "Old", NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	expired := r.add(r.home.ca.Row(old.Cert))
	hidden := r.add(store.Cert{Serial: "02", Domain: "other"})
	for _, c := range []struct {
		name, base string
		pairs      []string
		code       int
	}{
		{"no such base", "77777", []string{"pkcs10", csr}, codeBadValue},
		{"base not a number", "x", []string{"pkcs10", csr}, codeBadValue},
		{"base of another domain", hidden, []string{"pkcs10", csr}, codeBadValue},
		{"base on hold", held, []string{"pkcs10", csr}, codeBadValue},
		{"base expired", expired, []string{"pkcs10", csr, "validto", "2031-01-01T00:00:00Z"}, codeBadValue},
		{"base an attribute certificate", own, []string{"pkcs10", csr}, codeBadValue},
		{"no request", "5", nil, codeMissing},
		{"nothing in the request", "5", []string{"pkcs10", nothing}, codeBadValue},
		{"validity past the CA's", "5", []string{"pkcs10", csr, "validto", "2099-01-01T00:00:00Z"}, codeBadValue},
		{"another procedure", "5", []string{"pkcs10", csr, "procname", "PKCS#12 Procedure"}, codeBadValue},
	} {
		if a := r.post(attrPath(c.base), c.pairs...); a.status != http.StatusInternalServerError || a.code() != c.code || len(r.last().Changed) != 0 {
			t.Errorf("%s: %d %s, want %d", c.name, a.status, a.body, c.code)
		}
	}
	// A signature for one base is not for another.
	r = newRig(t, Options{})
	csr = base64.StdEncoding.EncodeToString(r.newRequest("/CN=Role"))
	sig := r.cms("officer", r.toSign(attrPath("5"), "pkcs10", csr))
	if a := r.post(attrPath("6"), "pkcs10", csr, "signature", sig); a.code() != codeBadSignature {
		t.Errorf("%s", a.body)
	}
}
