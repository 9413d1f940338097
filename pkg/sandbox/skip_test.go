package sandbox

import (
	"encoding/asn1"
	"encoding/base64"
	"net/http"
	"os"
	"strings"
	"testing"
)

const skipPath = "/certificates/skip"

func TestSKIP(t *testing.T) {
	for _, m := range modes {
		r := newRig(t, m.opts)
		csr := r.newRequest("/C=SE/O=Demo/CN=Device 1")
		for name, pkcs10 := range map[string][]byte{"signed": csr, "unsigned": r.unsigned(csr)} {
			a := r.do(skipPath, "pkcs10", base64.StdEncoding.EncodeToString(pkcs10), "procname", "SKIP Procedure", "validto", "2031-02-03T04:05:06Z")
			id := a.header.Get("certId")
			if a.status != http.StatusOK || a.header.Get("Content-Type") != kindPKCS7 || strings.Join(r.last().Changed, " ") != id {
				t.Errorf("%s, %s: %d %s, logged as %+v", m.name, name, a.status, a.body, r.last())
				continue
			}
			// The CA's key signs: its certificate is for no purpose that OpenSSL
			// takes for granted.
			content := r.openssl(a.body, "cms", "-verify", "-inform", "DER", "-purpose", "any", "-CAfile", "ca.pem", "-binary")
			if again := r.openssl(a.body, "cms", "-cmsout", "-inform", "DER", "-outform", "DER"); string(again) != string(a.body) {
				t.Errorf("%s, %s: OpenSSL encodes it otherwise", m.name, name)
			}
			if n := countCertificates(r, kindPKCS7, a.body); n != 3 {
				t.Errorf("%s, %s: %d certificates", m.name, name, n)
			}
			var pairs []struct{ Public, Private asn1.RawValue }
			if rest, err := asn1.Unmarshal(content, &pairs); err != nil || len(rest) > 0 || len(pairs) != 2 {
				t.Errorf("%s, %s: %v, %d pairs", m.name, name, err, len(pairs))
				continue
			}
			cert := r.get("/certificates/" + id + "/download").body
			certified := string(r.openssl(cert, "x509", "-inform", "DER", "-noout", "-pubkey"))
			for k, p := range pairs {
				public := string(r.openssl(p.Public.FullBytes, "pkey", "-pubin", "-inform", "DER", "-pubout"))
				private := r.openssl(p.Private.FullBytes, "pkcs8", "-inform", "DER", "-passin", "pass:"+SKIPPassword)
				if string(r.openssl(private, "pkey", "-pubout")) != public {
					t.Errorf("%s, %s: pair %d is none", m.name, name, k)
				}
				if (public == certified) != (k == 0) {
					t.Errorf("%s, %s: the certificate is for pair %d", m.name, name, k)
				}
				if outline := string(r.openssl(p.Private.FullBytes, "asn1parse", "-inform", "DER")); !strings.Contains(outline, ":PBES2") || !strings.Contains(outline, ":aes-256-cbc") {
					t.Errorf("%s, %s: encrypted by %s", m.name, name, outline)
				}
			}
			if err := os.WriteFile(r.path("device.der"), cert, 0o600); err != nil {
				t.Fatal(err)
			}
			if text := string(r.openssl(nil, "x509", "-inform", "DER", "-in", "device.der", "-noout", "-subject", "-enddate")); text != "subject=C = SE, O = Demo, CN = Device 1\nnotAfter=Feb  3 04:05:06 2031 GMT\n" {
				t.Errorf("%s, %s: %s", m.name, name, text)
			}
		}
	}
}

func TestSKIPRefused(t *testing.T) {
	r := newRig(t, Options{Signing: SigningVRO})
	csr := base64.StdEncoding.EncodeToString(r.newRequest("/CN=x"))
	for _, c := range []struct {
		name, accept string
		pairs        []string
		code         int
	}{
		{"no request", "", nil, codeMissing},
		{"another form", kindDER, []string{"pkcs10", csr}, codeBadValue},
		{"another procedure", "", []string{"pkcs10", csr, "procname", "PKCS#12 Procedure"}, codeBadValue},
		{"no subject", "", []string{"pkcs10", base64.StdEncoding.EncodeToString(r.newRequest("/"))}, codeBadValue},
	} {
		req := r.request("POST", skipPath, urlencoded, encode(c.pairs...))
		if c.accept != "" {
			req.Header.Set("Accept", c.accept)
		}
		if a := r.must("officer", req); a.status != http.StatusInternalServerError || a.code() != c.code || len(r.last().Changed) != 0 {
			t.Errorf("%s: %d %s, want %d", c.name, a.status, a.body, c.code)
		}
	}
}
