package pki_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

func join(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

func crlf(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")) }

func base64Lines(data []byte) []byte {
	var b bytes.Buffer
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(data)), 64) {
		b.Write(append(line, '\r', '\n'))
	}
	return b.Bytes()
}

func TestIdentify(t *testing.T) {
	b := artefacts(t)
	tests := map[string]pki.Kind{
		"leaf.pem": pki.Certificate, "leaf.der": pki.Certificate, "ca.pem": pki.Certificate, "trusted.pem": pki.Certificate,
		"leaf.csr": pki.CSR, "csr.der": pki.CSR, "text.csr": pki.CSR,
		"bundle.p7b": pki.PKCS7, "bundle.p7c": pki.PKCS7,
		"signed.cms": pki.CMS, "ber.cms": pki.CMS, "bare.cms": pki.CMS, "enveloped.cms": pki.CMS,
		"leaf.p12": pki.PKCS12,
		"leaf.key": pki.PrivateKey, "sec1.key": pki.PrivateKey, "sec1.der": pki.PrivateKey, "pkcs8.der": pki.PrivateKey, "rsa.key": pki.PrivateKey, "rsa.der": pki.PrivateKey,
		"enc.key": pki.EncryptedPrivateKey, "enc.der": pki.EncryptedPrivateKey, "proctype.key": pki.EncryptedPrivateKey,
		"pub.pem": pki.PublicKey, "pub.der": pki.PublicKey, "rsapub.der": pki.PublicKey,
		"crl.pem": pki.CRL, "crl.der": pki.CRL,
	}
	for name, want := range tests {
		if got := pki.Identify(b.read(name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	more := map[string]struct {
		data []byte
		want pki.Kind
	}{
		"two certificates":        {join(b.read("leaf.pem"), b.read("ca.pem")), pki.Certificates},
		"key, then certificate":   {join(b.read("leaf.key"), b.read("leaf.pem")), pki.Certificate},
		"Base64 of a certificate": {base64Lines(b.read("leaf.der")), pki.Certificate},
		"blank":                   {[]byte(" \r\n"), pki.Empty},
		"text":                    {[]byte("hello, world"), pki.Unknown},
		"OpenSSH":                 {[]byte("ssh-ed25519 AAAA x\n"), pki.OpenSSHKey},
		"OpenSSH private":         {[]byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"), pki.OpenSSHKey},
		"JKS":                     {[]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), pki.JavaKeyStore},
		"version 1 certificate":   {v1, pki.Certificate},
		"attribute certificate":   {attributeCertificate, pki.AttributeCertificate},
	}
	for name, tt := range more {
		if got := pki.Identify(tt.data); got != tt.want {
			t.Errorf("%s is %s, want %s", name, got, tt.want)
		}
	}
}

// The outlines of two structures that openssl does not make.
var (
	alg = []byte{0x30, 0x05, 0x06, 0x03, 0x2a, 0x03, 0x04}
	v1  = seq(seq([]byte{2, 1, 7}, alg, seq(), seq(), seq(), seq()), alg, []byte{3, 1, 0})

	attributeCertificate = seq(seq([]byte{2, 1, 1}, seq([]byte{0xa0, 0}), []byte{0xa0, 0}, alg), alg, []byte{3, 1, 0})
)

func seq(parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func TestReadCertificates(t *testing.T) {
	b := artefacts(t)
	const hint = "a certificate is wanted: PEM, DER or PKCS#7"
	damaged := b.read("leaf.pem")
	damaged = bytes.Replace(damaged, []byte("-----END"), []byte("!----END"), 1)
	tests := []struct {
		name string
		data []byte
		want string // common names
		err  string
	}{
		{name: "PEM", data: b.read("leaf.pem"), want: "leaf"},
		{name: "PEM with CRLF", data: crlf(b.read("leaf.pem")), want: "leaf"},
		{name: "PEM with byte order mark", data: join("\xef\xbb\xbf", b.read("leaf.pem")), want: "leaf"},
		{name: "PEM bundle with text", data: join("subject=leaf\n", b.read("leaf.pem"), "\nthe CA:\n", b.read("ca.pem"), "end\n"), want: "leaf Demo CA"},
		{name: "PEM with a key", data: join(b.read("leaf.key"), b.read("leaf.pem")), want: "leaf"},
		{name: "trusted PEM", data: b.read("trusted.pem"), want: "leaf"},
		{name: "DER", data: b.read("leaf.der"), want: "leaf"},
		{name: "Base64", data: base64Lines(b.read("leaf.der")), want: "leaf"},
		{name: "PKCS#7, PEM", data: b.read("bundle.p7b"), want: "leaf Demo CA"},
		{name: "PKCS#7, DER", data: b.read("bundle.p7c"), want: "leaf Demo CA"},
		{name: "CMS", data: b.read("signed.cms"), want: "leaf Demo CA"},
		{name: "CMS in BER", data: b.read("ber.cms"), want: "leaf Demo CA"},

		{name: "DER and more", data: join(b.read("leaf.der"), "x"), err: "f: trailing bytes after the ASN.1 data"},
		{name: "DER cut off", data: b.read("leaf.der")[:200], err: "f is not a certificate, nor anything else that is known here"},
		{name: "PEM cut off", data: b.read("leaf.pem")[:200], err: "f: a PEM block in it is damaged or cut off"},
		{name: "half a block before a whole one", data: join(b.read("leaf.pem")[:200], "\n", b.read("ca.pem")), err: "f: a PEM block in it is damaged or cut off"},
		{name: "damaged last block", data: join(b.read("ca.pem"), damaged), err: "f: a PEM block in it is damaged or cut off"},
		{name: "UTF-16", data: []byte("\xff\xfe-\x00-\x00"), err: "f: it is UTF-16 text; save it as UTF-8 or ASCII"},
		{name: "empty", data: nil, err: "f is empty"},
		{name: "text", data: []byte("hello, world"), err: "f is not a certificate, nor anything else that is known here"},
		{name: "CSR", data: b.read("leaf.csr"), err: "f is a certificate request (CSR), not a certificate"},
		{name: "key", data: b.read("leaf.key"), err: "f is a private key, not a certificate"},
		{name: "encrypted key", data: b.read("enc.key"), err: "f is an encrypted private key, not a certificate"},
		{name: "public key", data: b.read("pub.der"), err: "f is a public key, not a certificate"},
		{name: "PKCS#12", data: b.read("leaf.p12"), err: "f is a PKCS#12 file, not a certificate"},
		{name: "CRL", data: b.read("crl.pem"), err: "f is a certificate revocation list (CRL), not a certificate"},
		{name: "CMS without certificates", data: b.read("bare.cms"), err: "f is a CMS (PKCS#7) message, not a certificate"},
		{name: "OpenSSH", data: []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"), err: "f is an OpenSSH key, not a certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			certs, err := pki.ReadCertificates("f", tt.data)
			var names []string
			for _, c := range certs {
				names = append(names, c.Subject.CommonName)
			}
			check(t, "ReadCertificates", strings.Join(names, " "), tt.want, err, tt.err)
			if err != nil && exit.HintOf(err) != hint {
				t.Errorf("hint %q, want %q", exit.HintOf(err), hint)
			}
		})
	}
}

func TestReadCertificatesDamaged(t *testing.T) {
	b := artefacts(t)
	der := bytes.Clone(b.read("leaf.der"))
	i := bytes.Index(der, []byte{0x02, 0x01, 0x0a}) // the serial number
	der[i] = 0x04
	_, err := pki.ReadCertificates("f", join(b.read("ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if err == nil || !strings.HasPrefix(err.Error(), "f: certificate 2 cannot be read: x509: ") || exit.Of(err) != exit.Usage {
		t.Errorf("a damaged second certificate: %v", err)
	}
}

func TestReadRequest(t *testing.T) {
	b := artefacts(t)
	der := b.read("csr.der")
	broken := bytes.Clone(der)
	broken[len(broken)-1] ^= 1
	tests := []struct {
		name string
		data []byte
		err  string // what it starts with
	}{
		{name: "PEM", data: b.read("leaf.csr")},
		{name: "PEM with CRLF", data: crlf(b.read("leaf.csr"))},
		{name: "PEM with text before", data: b.read("text.csr")},
		{name: "PEM, the old label", data: bytes.ReplaceAll(b.read("leaf.csr"), []byte("CERTIFICATE REQ"), []byte("NEW CERTIFICATE REQ"))},
		{name: "DER", data: der},
		{name: "Base64", data: []byte(base64.StdEncoding.EncodeToString(der))},
		{name: "Base64 with breaks", data: base64Lines(der)},

		{name: "broken signature", data: broken, err: "f: the certificate request's signature is not right: "},
		{name: "PEM and more", data: join(b.read("leaf.csr"), "garbage\n"), err: "f: there is more after the end of the certificate request"},
		{name: "DER and more", data: join(der, "\n"), err: "f: trailing bytes after the ASN.1 data"},
		{name: "Base64 and more", data: []byte(base64.StdEncoding.EncodeToString(join(der, "x"))), err: "f: trailing bytes after the ASN.1 data"},
		{name: "two", data: join(b.read("leaf.csr"), b.read("leaf.csr")), err: "f holds 2 certificate requests"},
		{name: "10 MB", data: make([]byte, 10<<20), err: "f has more than 1048576 bytes, too large for a certificate request"},
		{name: "empty", data: nil, err: "f is empty"},
		{name: "certificate", data: b.read("leaf.pem"), err: "f is a certificate, not a certificate request"},
		{name: "key", data: b.read("leaf.key"), err: "f is a private key, not a certificate request"},
		{name: "PKCS#12", data: b.read("leaf.p12"), err: "f is a PKCS#12 file, not a certificate request"},
		{name: "text", data: []byte("hello"), err: "f is not a certificate request, nor anything else that is known here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := pki.ReadRequest("f", tt.data)
			if tt.err != "" {
				if !strings.HasPrefix(text(err), tt.err) || exit.Of(err) != exit.Usage {
					t.Fatalf("error %q, exit code %d, want %q and 2", text(err), exit.Of(err), tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(req.DER, der) || req.CSR.Subject.CommonName != "leaf" {
				t.Errorf("read %x of %s, want %x of leaf", req.DER, req.CSR.Subject, der)
			}
		})
	}
}

func TestDER(t *testing.T) {
	b := artefacts(t)
	ber := b.read("ber.cms")
	der, err := pki.DER(ber)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(ber, der) {
		t.Fatal("openssl cms -stream did not write BER")
	}
	b.write("der.cms", der)
	// Whoever reads definite lengths only must be able to read it, with the
	// signature still right.
	if got := b.openssl("cms -verify -in der.cms -inform DER -binary -CAfile ca.pem -purpose any"); !bytes.Equal(got, b.read("leaf.csr")) {
		t.Errorf("the content became %q", got)
	}
	for name, in := range map[string]string{"nothing": "", "tag alone": "30", "no end": "3080020101", "long length": "3085ffffffffff", "beyond the end": "300502",
		"primitive without length": "0480", "high tag cut off": "1f81", "nested octets of another type": "24800201010000"} {
		data, _ := hex.DecodeString(in)
		if got, err := pki.DER(data); err == nil {
			t.Errorf("%s: %x", name, got)
		}
	}
	if got, err := pki.DER(bytes.Repeat([]byte{0x30, 0x80}, 100000)); err == nil {
		t.Errorf("deep nesting: %x", got)
	}
}

func TestSKIs(t *testing.T) {
	b := artefacts(t)
	ca, err := pki.ReadCertificates("ca.pem", b.read("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := pki.SKIs(ca[0].RawSubjectPublicKeyInfo)
	if err != nil {
		t.Fatal(err)
	}
	// openssl writes the first form; an EC point is the last 65 octets.
	point := ca[0].RawSubjectPublicKeyInfo[len(ca[0].RawSubjectPublicKeyInfo)-65:]
	one, two := sha1.Sum(point), sha256.Sum256(point)
	want := []string{hex.EncodeToString(ca[0].SubjectKeyId), hex.EncodeToString(two[:20])}
	if !slices.Equal(got, want) || want[0] != hex.EncodeToString(one[:]) {
		t.Errorf("SKIs %v, want %v", got, want)
	}
	if _, err := pki.SKIs([]byte("x")); err == nil {
		t.Error("no error for what is no key")
	}
	fingerprint := strings.TrimSpace(strings.SplitN(string(b.openssl("x509 -in ca.pem -noout -fingerprint -sha256")), "=", 2)[1])
	if want := strings.ToLower(strings.ReplaceAll(fingerprint, ":", "")); pki.Fingerprint(ca[0].Raw) != want {
		t.Errorf("fingerprint %s, want %s", pki.Fingerprint(ca[0].Raw), want)
	}
}

var seeds = []string{
	"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
	"-----BEGIN PKCS7-----\nMAsGCSqGSIb3DQEHAg==\n-----END PKCS7-----\n",
	"0\x80\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x02\xa0\x800\x80\x02\x01\x01\x00\x00\x00\x00\x00\x00",
	"MAsGCSqGSIb3DQEHAg==", "",
}

func FuzzReadCertificates(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add(v1)
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = pki.Identify(data).String()
		certs, err := pki.ReadCertificates("f", data)
		if (err == nil) != (len(certs) > 0) || slices.Contains(certs, (*x509.Certificate)(nil)) {
			t.Fatalf("%d certificates and error %v", len(certs), err)
		}
	})
}

func FuzzReadRequest(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := pki.ReadRequest("f", data)
		if (err == nil) != (req != nil) {
			t.Fatalf("request %v and error %v", req, err)
		}
	})
}

func FuzzDER(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		der, err := pki.DER(data)
		if err != nil {
			return
		}
		again, err := pki.DER(der)
		if err != nil || !bytes.Equal(again, der) {
			t.Fatalf("%x became %x, and that %x, %v", data, der, again, errors.Unwrap(err))
		}
	})
}
