package sandbox

import (
	"encoding/base64"
	"net/http"
	"os"
	"strings"
	"testing"
)

const toP12 = "/certificates/pkcs10-to-pkcs12"

// unsigned is the CertificationRequestInfo of a request: what OpenSSL finds
// at the offset where the outer SEQUENCE ends.
func (r *rig) unsigned(der []byte) []byte {
	r.t.Helper()
	offset := "4"
	if der[1] == 0x81 {
		offset = "3"
	}
	return r.openssl(der, "asn1parse", "-inform", "DER", "-strparse", offset, "-noout", "-out", "/dev/stdout")
}

// modes are all ways in which answers and writes differ.
var modes = []struct {
	name string
	opts Options
}{
	{"caller signs, as the examples", Options{}},
	{"caller signs, as declared", Options{Quirks: QuirksDeclared}},
	{"gateway signs, as the examples", Options{Signing: SigningVRO}},
	{"gateway signs, as declared", Options{Signing: SigningVRO, Quirks: QuirksDeclared}},
}

// do is a write in whichever mode the sandbox is.
func (r *rig) do(path string, pairs ...string) reply {
	r.t.Helper()
	if r.gateway.opts.Signing == SigningVRO {
		return r.post(path, pairs...)
	}
	return r.write(path, pairs...)
}

func TestIssueP12(t *testing.T) {
	for _, m := range modes {
		r := newRig(t, m.opts)
		signed := r.newRequest("/C=SE/O=Demo/CN=Card Holder", "-addext", "subjectAltName=email:holder@example.com")
		small := r.unsigned(r.newRequest("/CN=x"))
		noKey := []byte("\x30\x17\x02\x01\x00\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\x79\x30\x02\x05\x00\xa0\x00")
		for _, c := range []struct {
			name, pkcs10, subject string
			pairs                 []string
		}{
			{"signed", base64.StdEncoding.EncodeToString(signed), "CN = Card Holder", []string{"password", "påss wörd", "procname", "PKCS#12 Procedure"}},
			{"unsigned", base64.StdEncoding.EncodeToString(r.unsigned(signed)), "CN = Card Holder", []string{"password", "1", "validto", "2099-01-01T00:00:00Z"}[:2]},
			{"unsigned, short, as octets", string(small), "CN = x", []string{"password", "1"}},
			{"unsigned, without a key", string(noKey), "CN = y", []string{"password", "1"}},
		} {
			a := r.do(toP12, append([]string{"pkcs10", c.pkcs10}, c.pairs...)...)
			id := a.header.Get("certId")
			if a.status != http.StatusOK || a.header.Get("Content-Type") != kindPKCS12 || id == "" || strings.Join(r.last().Changed, " ") != id {
				t.Errorf("%s, %s: %d %v %q", m.name, c.name, a.status, a.header, a.body)
				continue
			}
			if err := os.WriteFile(r.path("new.p12"), a.body, 0o600); err != nil {
				t.Fatal(err)
			}
			pass := "pass:" + c.pairs[1]
			key := r.openssl(nil, "pkcs12", "-in", "new.p12", "-passin", pass, "-nodes", "-nocerts")
			leaf := r.openssl(nil, "pkcs12", "-in", "new.p12", "-passin", pass, "-nokeys", "-clcerts")
			chain := r.openssl(nil, "pkcs12", "-in", "new.p12", "-passin", pass, "-nokeys", "-cacerts")
			public := string(r.openssl(leaf, "x509", "-noout", "-pubkey"))
			if string(r.openssl(key, "pkey", "-pubout")) != public || public == string(r.openssl(signed, "req", "-inform", "DER", "-noout", "-pubkey")) {
				t.Errorf("%s, %s: the key is not a new one of the certificate", m.name, c.name)
			}
			text := string(r.openssl(leaf, "x509", "-noout", "-text"))
			if !strings.Contains(text, c.subject) || strings.Count(string(chain), "BEGIN CERTIFICATE") != 2 {
				t.Errorf("%s, %s: %s\n%s", m.name, c.name, text, chain)
			}
			if strings.Contains(c.subject, "Holder") && !strings.Contains(text, "email:holder@example.com") {
				t.Errorf("%s, %s: the alternative name is lost", m.name, c.name)
			}
			if kept := r.get("/certificates/" + id + "/download"); string(r.openssl(kept.body, "x509", "-inform", "DER", "-noout", "-pubkey")) != public {
				t.Errorf("%s, %s: another certificate is in the store", m.name, c.name)
			}
		}
		a := r.do(toP12, "pkcs10", base64.StdEncoding.EncodeToString(signed))
		if a.status != http.StatusOK || a.header.Get("Content-Type") != kindPKCS12 {
			t.Errorf("%s, no password: %d %s", m.name, a.status, a.body)
		}
	}
}

func TestIssueP12Refused(t *testing.T) {
	r := newRig(t, Options{})
	der := r.newRequest("/CN=x")
	csr := base64.StdEncoding.EncodeToString(der)
	broken := append([]byte{}, der...)
	broken[len(broken)-1] ^= 1
	unsigned := r.unsigned(der)
	version1 := append([]byte{}, unsigned...)
	version1[4] = 1
	for _, c := range []struct {
		name, accept string
		pairs        []string
		code         int
	}{
		{"no request", "", []string{"password", "1"}, codeMissing},
		{"a wrong signature", "", []string{"pkcs10", base64.StdEncoding.EncodeToString(broken)}, codeBadValue},
		{"unsigned and something", "", []string{"pkcs10", base64.StdEncoding.EncodeToString(append(append([]byte{}, unsigned...), 5, 0))}, codeBadValue},
		{"unsigned, another version", "", []string{"pkcs10", base64.StdEncoding.EncodeToString(version1)}, codeBadValue},
		{"unsigned, cut", "", []string{"pkcs10", base64.StdEncoding.EncodeToString(unsigned[:len(unsigned)-2])}, codeBadValue},
		{"an empty password", "", []string{"pkcs10", csr, "password", ""}, codeBadValue},
		{"a password past PKCS#12", "", []string{"pkcs10", csr, "password", "\U0001F511"}, codeBadValue},
		{"two passwords", "", []string{"pkcs10", csr, "password", "1", "password", "2"}, codeBadValue},
		{"a procedure of another kind", "", []string{"pkcs10", csr, "procname", "PKCS#10 Procedure"}, codeBadValue},
		{"a procedure's id", "", []string{"pkcs10", csr, "procname", "p-pkcs12"}, codeBadValue},
		{"another form", kindPEM, []string{"pkcs10", csr}, codeBadValue},
	} {
		req := r.request("POST", toP12, urlencoded, encode(c.pairs...))
		if c.accept != "" {
			req.Header.Set("Accept", c.accept)
		}
		if a := r.must("officer", req); a.status != http.StatusInternalServerError || a.code() != c.code {
			t.Errorf("%s: %d %s, want %d", c.name, a.status, a.body, c.code)
		}
	}
	// What was signed for one password is not for another, or for none.
	sig := r.cms("officer", r.toSign(toP12, "pkcs10", csr, "password", "one"))
	for _, pairs := range [][]string{{"pkcs10", csr, "password", "two"}, {"pkcs10", csr}} {
		if a := r.post(toP12, append(pairs, "signature", sig)...); a.code() != codeBadSignature {
			t.Errorf("%v: %s", pairs[2:], a.body)
		}
	}
	if data := string(r.toSign(toP12, "pkcs10", csr, "password", "one two three")); strings.Contains(data, "one two three") {
		t.Error("the password stands in what is to be signed")
	}
}
