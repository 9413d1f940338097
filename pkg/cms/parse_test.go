package cms_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Messages of other makers: all that openssl cms -sign can be told to write.
func TestParseOpenSSL(t *testing.T) {
	dir := t.TempDir()
	run := func(line string) { openssl(t, dir, strings.Fields(line)...) }
	run("req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -subj /O=Demo/CN=rsa -days 10 -set_serial 0x0a1b")
	run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout ec.key -out ec.pem -subj /CN=ec -days 10 -set_serial 2")
	write(t, dir, "content", []byte("content\n"))

	type told struct{ issuer, serial, digest, algorithm string }
	rsaBy := func(digest, algorithm string) told { return told{"CN=rsa,O=Demo", "0a1b", digest, algorithm} }
	tests := []struct {
		name, args string
		want       told
		detached   bool
		ber        bool
		err        string // of Verify
	}{
		{name: "plain", args: "-signer rsa.pem -inkey rsa.key", want: rsaBy("sha256", "RSA")},
		{name: "SHA-1", args: "-signer rsa.pem -inkey rsa.key -md sha1", want: rsaBy("sha1", "RSA")},
		{name: "without attributes", args: "-signer rsa.pem -inkey rsa.key -noattr", want: rsaBy("sha256", "RSA")},
		{name: "PSS", args: "-signer rsa.pem -inkey rsa.key -keyopt rsa_padding_mode:pss", want: rsaBy("sha256", "RSA-PSS")},
		{name: "PSS with SHA-512", args: "-signer rsa.pem -inkey rsa.key -md sha512 -keyopt rsa_padding_mode:pss", want: rsaBy("sha512", "RSA-PSS")},
		{name: "key identifier", args: "-signer rsa.pem -inkey rsa.key -keyid", want: told{"", "", "sha256", "RSA"}},
		{name: "ECDSA", args: "-signer ec.pem -inkey ec.key -md sha384", want: told{"CN=ec", "02", "sha384", "ECDSA"}},
		{name: "BER", args: "-signer rsa.pem -inkey rsa.key -stream", want: rsaBy("sha256", "RSA"), ber: true},
		{name: "no certificates", args: "-signer rsa.pem -inkey rsa.key -nocerts", want: rsaBy("sha256", "RSA"), err: "the signer's certificate is not in the message"},
		{name: "detached", args: "-signer rsa.pem -inkey rsa.key -detached", want: rsaBy("sha256", "RSA"), detached: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			attach := "-nodetach "
			if tt.detached {
				attach = ""
			}
			der := openssl(t, dir, strings.Fields("cms -sign -binary -outform DER -in content "+attach+strings.Replace(tt.args, "-detached", "", 1))...)
			sd, err := cms.Parse(der)
			if err != nil {
				t.Fatal(err)
			}
			if sd.DER == tt.ber || sd.Detached != tt.detached || len(sd.Signers) != 1 || !tt.detached && string(sd.Content) != "content\n" {
				t.Fatalf("parsed %+v", sd)
			}
			s := sd.Signers[0]
			if got := (told{s.Issuer, s.Serial.String(), s.Digest, s.Algorithm}); got != tt.want {
				t.Errorf("signer %+v, want %+v", got, tt.want)
			}
			if tt.want.issuer == "" && (s.Certificate == nil || s.KeyID != fmt.Sprintf("%x", s.Certificate.SubjectKeyId)) {
				t.Errorf("key identifier %q", s.KeyID)
			}
			if s.SigningTime.IsZero() != (tt.name == "without attributes") {
				t.Errorf("signing time %v", s.SigningTime)
			}
			if err := s.Verify([]byte("content\n")); fmt.Sprint(err) != want(tt.err) {
				t.Errorf("Verify: %v, want %s", err, want(tt.err))
			}
			if err := s.Verify([]byte("content!")); err == nil {
				t.Error("Verify accepts another content")
			}
		})
	}
}

func want(err string) string {
	if err == "" {
		return "<nil>"
	}
	return err
}

func TestParseBundle(t *testing.T) {
	dir := t.TempDir()
	o := newOfficer(t, "P-256", nil)
	write(t, dir, "certs.pem", pemOf(o.leaf, o.ca))
	der := openssl(t, dir, "crl2pkcs7", "-nocrl", "-certfile", "certs.pem", "-outform", "DER")
	sd, err := cms.Parse(der)
	if err != nil || len(sd.Certificates) != 2 || len(sd.Signers) != 0 || !sd.Detached {
		t.Errorf("a bundle of certificates: %+v, %v", sd, err)
	}
	if kind := pki.Identify(der); kind != pki.PKCS7 {
		t.Errorf("it is %s", kind)
	}
}

// A message with one octet changed must be refused, or else verify to nothing.
func TestVerifyChanged(t *testing.T) {
	o := newOfficer(t, "P-256", nil)
	s, err := cms.NewSigner(o.key, o.leaf, []*x509.Certificate{o.ca}, 0)
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("the content that is signed")
	der, err := s.SignCMS(context.Background(), content)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := cms.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	digest := bytes.Index(der, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04})
	tests := map[string]struct {
		at  int
		err string
	}{
		"content":      {bytes.Index(der, content), "the content is not what was signed: its digest differs"},
		"digest":       {digest + 15, "the content is not what was signed: its digest differs"},
		"content type": {bytes.Index(der, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03}) + 21, "the signed content type is missing or another than that of the message"},
		"signing time": {bytes.Index(der, []byte(sd.Signers[0].SigningTime.Format("060102150405"))) + 11, "the signature is wrong"},
		"signature":    {len(der) - 1, "the signature is wrong"},
	}
	for name, tt := range tests {
		changed := bytes.Clone(der)
		changed[tt.at] ^= 1
		sd, err := cms.Parse(changed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := sd.Signers[0].Verify(sd.Content); err == nil || err.Error() != tt.err {
			t.Errorf("%s: Verify says %v, want %s", name, err, tt.err)
		}
	}
	for _, text := range []string{"", "text", "0\x03\x02\x01\x01"} {
		if _, err := cms.Parse([]byte(text)); err == nil {
			t.Errorf("Parse(%q) is no error", text)
		}
	}
	if _, err := cms.Parse(der[:len(der)-1]); err == nil {
		t.Error("a message cut off is no error")
	}
}

func FuzzParse(f *testing.F) {
	o := newOfficer(f, "P-256", nil)
	s, err := cms.NewSigner(o.key, o.leaf, nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	der, err := s.SignCMS(context.Background(), []byte("content"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add([]byte("0\x80\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x02\xa0\x800\x80\x02\x01\x01\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		sd, err := cms.Parse(data)
		if err != nil {
			return
		}
		for _, s := range sd.Signers {
			_ = s.Verify(sd.Content)
		}
	})
}
