package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/pki"
)

func mustName(t *testing.T, text string) pki.Name {
	t.Helper()
	n, err := pki.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustAltNames(t *testing.T, texts ...string) (n pki.AltNames) {
	t.Helper()
	for _, s := range texts {
		if err := n.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

const (
	odd      = `CN=a\,b \"Ö\" web+SERIALNUMBER=12,OU=x,OU=y,O=Demo & Sons,DC=demo,EMAILADDRESS=a@demo.example,1.3.6.1.4.1.99999.1=z,C=SE`
	oddNames = "dns:*.demo.example dns:_x.demo.example ip:192.0.2.1 ip:2001:db8::1 email:a@demo.example uri:https://demo.example/x?y"
)

// OpenSSL reads a request made here, its names in order, and its signature.
func TestNewRequestByOpenSSL(t *testing.T) {
	b := newBench(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	req, err := pki.NewRequest(mustName(t, odd), mustAltNames(t, strings.Fields(oddNames)...), key)
	if err != nil {
		t.Fatal(err)
	}
	b.write("new.der", req.DER)
	text := string(b.openssl("req -inform DER -in new.der -verify -noout -subject -nameopt RFC2253,-esc_msb,utf8 -text"))
	for _, want := range []string{
		`subject=CN=a\,b \"Ö\" web+serialNumber=12,OU=x,OU=y,O=Demo & Sons,DC=demo,emailAddress=a@demo.example,1.3.6.1.4.1.99999.1=#0C017A,C=SE`,
		"DNS:*.demo.example, DNS:_x.demo.example, email:a@demo.example, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:https://demo.example/x?y",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("OpenSSL shows\n%s\nwithout\n%s", text, want)
		}
	}
	types := string(b.openssl("asn1parse -inform DER -in new.der"))
	for _, want := range []string{"PRINTABLESTRING   :SE", "PRINTABLESTRING   :12", "IA5STRING         :demo", "IA5STRING         :a@demo.example", "UTF8STRING        :Demo & Sons"} {
		if !strings.Contains(types, want) {
			t.Errorf("OpenSSL shows\n%s\nwithout\n%s", types, want)
		}
	}
	if got := pki.DN(req.CSR.RawSubject); !pki.SameName(got, odd) {
		t.Errorf("read back as %s", got)
	}
}

// An unsigned request is what a signed one signs, and OpenSSL sees it so.
func TestUnsignedRequest(t *testing.T) {
	b := artefacts(t)
	made, err := pki.NewUnsignedRequest(mustName(t, "CN=Demo User,O=Demo,C=SE"), mustAltNames(t, "dns:demo.example"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := pki.ReadRequest("leaf.csr", b.read("leaf.csr"))
	if err != nil {
		t.Fatal(err)
	}
	cut := signed.CSR.RawTBSCertificateRequest
	for _, c := range []struct {
		name    string
		data    []byte
		subject string
	}{
		{"made", made.DER, "CN=Demo User,O=Demo,C=SE"},
		{"cut out", cut, "CN=leaf,C=SE"},
		{"Base64", []byte(base64.StdEncoding.EncodeToString(cut)), "CN=leaf,C=SE"},
		{"Base64 in lines", base64Lines(cut), "CN=leaf,C=SE"},
		{"PEM", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: cut}), "CN=leaf,C=SE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if kind := pki.Identify(c.data); kind != pki.UnsignedCSR {
				t.Fatalf("it is %s", kind)
			}
			req, err := pki.ReadRequestUnsigned("f", c.data)
			if err != nil {
				t.Fatal(err)
			}
			if got := pki.DN(req.CSR.RawSubject); got != c.subject || !req.Unsigned {
				t.Errorf("subject %s, unsigned %t", got, req.Unsigned)
			}
			if !bytes.Equal(req.CSR.RawTBSCertificateRequest, req.DER) {
				t.Error("the DER is not that of the request")
			}
			if _, err := pki.ReadRequest("f", c.data); err == nil || err.Error() != "f is an unsigned certificate request, not a certificate request" {
				t.Errorf("taken for a signed one: %v", err)
			}
		})
	}
	if got := made.CSR.DNSNames; len(got) != 1 || got[0] != "demo.example" {
		t.Errorf("names %q", got)
	}
	b.write("tbs.der", made.DER)
	if text := string(b.openssl("asn1parse -inform DER -in tbs.der")); !strings.Contains(text, "Demo User") {
		t.Errorf("OpenSSL shows\n%s", text)
	}
	// A signed one is taken as well, when its signature is right.
	if req, err := pki.ReadRequestUnsigned("leaf.csr", b.read("leaf.csr")); err != nil || req.Unsigned {
		t.Errorf("%+v, %v", req, err)
	}
	broken := bytes.Clone(b.read("csr.der"))
	broken[len(broken)-1] ^= 1
	if _, err := pki.ReadRequestUnsigned("f", broken); err == nil || !strings.Contains(err.Error(), "signature is not right") {
		t.Errorf("a wrong signature: %v", err)
	}
	if _, err := pki.ReadRequestUnsigned("leaf.pem", b.read("leaf.pem")); err == nil {
		t.Error("a certificate is no request")
	}
}

func TestWrongSubjects(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "a certificate request needs a subject or a name",
		"XY=a":                 `a subject cannot have the attribute "XY": it is not known here; write its object identifier`,
		"3.1=a":                `"3.1" is no object identifier`,
		"C=Sweden":             "C=Sweden: expected two letters",
		"C=S_":                 `the value "S_" of C has a character that this attribute cannot have: '_'`,
		"EMAILADDRESS=ö@demo":  `the value "ö@demo" of EMAILADDRESS has a character that this attribute cannot have: 'ö'`,
		"CN=":                  "CN has no value",
		"CN=#0c05":             "the value #0c05 of CN is no DER",
		"SERIALNUMBER=a@b,C=S": "C=S: expected two letters",
	} {
		_, err := pki.NewUnsignedRequest(mustName(t, text), pki.AltNames{})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestAltNames(t *testing.T) {
	for text, want := range map[string]string{
		"demo.example":          `"demo.example" is no alternative name: its kind is missing`,
		"dns:":                  `"dns:" is no alternative name: its kind is missing`,
		"upn:a@b":               `"upn" is no kind of alternative name`,
		"dns:a b":               `"a b" has a character that an alternative name cannot have: ' '`,
		"dns:bücher.example":    `"bücher.example" has a character that an alternative name cannot have: 'ü'`,
		"dns:-a.example":        `"-a.example" is no domain name`,
		"dns:a..example":        `"a..example" is no domain name`,
		"dns:a.*.example":       `"a.*.example" is no domain name`,
		"dns:*":                 `"*" is no domain name`,
		"dns:192.0.2.1/24":      `"192.0.2.1/24" is no domain name`,
		"ip:192.0.2":            `"192.0.2" is no IP address`,
		"ip:192.0.2.0/24":       `"192.0.2.0/24" is no IP address`,
		"email:Somebody<a@b.c>": `"Somebody<a@b.c>" is no mail address`,
		"uri:/x":                `"/x" is no absolute URI`,
	} {
		var n pki.AltNames
		if err := n.Add(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
