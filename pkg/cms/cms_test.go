package cms_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// token is a key that shows nothing but crypto.Signer, as one on a card does.
type token struct{ key crypto.Signer }

func (k token) Public() crypto.PublicKey { return k.key.Public() }
func (k token) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(r, digest, opts)
}

var keyKinds = map[string]func() (crypto.Signer, error){
	"RSA-2048": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
	"RSA-3072": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 3072) },
	"RSA-4096": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 4096) },
	"P-256":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	"P-384":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
	"P-521":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
}

func newKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	key, err := keyKinds[kind]()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate; ca and caKey are nil for a root.
func issue(t testing.TB, name string, key crypto.PublicKey, ca *x509.Certificate, caKey crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Demo"}},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  !strings.HasPrefix(name, "officer"),
	}
	if !template.IsCA {
		template.KeyUsage = x509.KeyUsageDigitalSignature
	}
	if change != nil {
		change(template)
	}
	parent := ca
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, caKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// officer is a key with its certificate under an issuing CA under a root.
type officer struct {
	key           crypto.Signer
	leaf, ca, top *x509.Certificate
}

func newOfficer(t testing.TB, kind string, change func(*x509.Certificate)) officer {
	t.Helper()
	topKey, caKey, key := newKey(t, "P-256"), newKey(t, "P-256"), newKey(t, kind)
	top := issue(t, "root", topKey.Public(), nil, topKey, nil)
	ca := issue(t, "issuing", caKey.Public(), top, topKey, nil)
	return officer{key, issue(t, "officer", key.Public(), ca, caKey, change), ca, top}
}

// openssl runs the referee.
func openssl(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func pemOf(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// checkOpenSSL lets OpenSSL verify the message and encode it again.
func checkOpenSSL(t *testing.T, der, content []byte, roots ...*x509.Certificate) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "m.cms", der)
	write(t, dir, "roots.pem", pemOf(roots...))
	got := openssl(t, dir, "cms", "-verify", "-binary", "-inform", "DER", "-in", "m.cms", "-CAfile", "roots.pem", "-purpose", "any")
	if !bytes.Equal(got, content) {
		t.Errorf("openssl sees content %q, want %q", got, content)
	}
	if again := openssl(t, dir, "cms", "-cmsout", "-inform", "DER", "-outform", "DER", "-in", "m.cms"); !bytes.Equal(again, der) {
		t.Errorf("openssl encodes the message otherwise:\n%x\n%x", again, der)
	}
}

func TestSign(t *testing.T) {
	content := []byte("dataToSign \x00\r\n\xff")
	for kind := range keyKinds {
		o := newOfficer(t, kind, nil)
		for _, digest := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			for name, key := range map[string]crypto.Signer{"file": o.key, "token": token{o.key}} {
				t.Run(fmt.Sprintf("%s %s %s", kind, digest, name), func(t *testing.T) {
					s, err := cms.NewSigner(key, o.leaf, []*x509.Certificate{o.ca, o.top}, digest)
					if err != nil {
						t.Fatal(err)
					}
					before := time.Now().Truncate(time.Second)
					der, err := s.SignCMS(context.Background(), content)
					if err != nil {
						t.Fatal(err)
					}
					checkOpenSSL(t, der, content, o.top)
					checkParsed(t, der, content, o, digest, before)
				})
			}
		}
	}
}

// checkParsed compares all that Parse tells of a message just made.
func checkParsed(t *testing.T, der, content []byte, o officer, digest crypto.Hash, before time.Time) {
	t.Helper()
	sd, err := cms.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if len(sd.Signers) != 1 || len(sd.Certificates) != 3 {
		t.Fatalf("%d signers and %d certificates, want 1 and 3", len(sd.Signers), len(sd.Certificates))
	}
	s := sd.Signers[0]
	if err := s.Verify(sd.Content); err != nil {
		t.Error(err)
	}
	if s.SigningTime.Before(before) || s.SigningTime.After(time.Now()) {
		t.Errorf("signing time %v, want about %v", s.SigningTime, before)
	}
	algorithm := "ECDSA"
	if _, ok := o.key.Public().(*rsa.PublicKey); ok {
		algorithm = "RSA"
	}
	type told struct {
		content, contentType, issuer, digest, algorithm, keyID string
		serial                                                 pki.Serial
		der, detached, leaf                                    bool
	}
	got := told{string(sd.Content), sd.ContentType.String(), s.Issuer, s.Digest, s.Algorithm, s.KeyID, s.Serial, sd.DER, sd.Detached, o.leaf.Equal(s.Certificate)}
	want := told{string(content), "1.2.840.113549.1.7.1", "CN=issuing,O=Demo", strings.ToLower(strings.ReplaceAll(digest.String(), "-", "")), algorithm, "",
		pki.SerialOf(o.leaf.SerialNumber), true, false, true}
	if got != want {
		t.Errorf("parsed\n%+v, want\n%+v", got, want)
	}
}

// The order of a DER set is that of the encodings, so it is the length that
// decides first whether the leaf stands before its CA.
func TestChains(t *testing.T) {
	longer := func(c *x509.Certificate) { c.DNSNames = []string{strings.Repeat("long.", 40) + "example.com"} }
	short, long := newOfficer(t, "P-256", nil), newOfficer(t, "P-256", longer)
	if len(long.leaf.Raw) <= len(long.ca.Raw) {
		t.Fatal("the leaf is not longer than its CA")
	}
	rootKey := newKey(t, "P-256")
	self := issue(t, "officer", rootKey.Public(), nil, rootKey, func(c *x509.Certificate) { c.IsCA = false })
	tests := []struct {
		name  string
		key   crypto.Signer
		leaf  *x509.Certificate
		chain []*x509.Certificate
		roots []*x509.Certificate
		count int
	}{
		{"leaf alone", short.key, short.leaf, nil, []*x509.Certificate{short.ca, short.top}, 1},
		{"two", short.key, short.leaf, []*x509.Certificate{short.ca}, []*x509.Certificate{short.top}, 2},
		{"two, leaf longer than its CA", long.key, long.leaf, []*x509.Certificate{long.ca}, []*x509.Certificate{long.top}, 2},
		{"three", short.key, short.leaf, []*x509.Certificate{short.ca, short.top}, []*x509.Certificate{short.top}, 3},
		{"three, leaf longer than its CA", long.key, long.leaf, []*x509.Certificate{long.ca, long.top}, []*x509.Certificate{long.top}, 3},
		{"three, root first", long.key, long.leaf, []*x509.Certificate{long.top, long.ca}, []*x509.Certificate{long.top}, 3},
		{"leaf repeated", short.key, short.leaf, []*x509.Certificate{short.ca, short.leaf}, []*x509.Certificate{short.top}, 2},
		{"self-signed", rootKey, self, nil, []*x509.Certificate{self}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := cms.NewSigner(tt.key, tt.leaf, tt.chain, 0)
			if err != nil {
				t.Fatal(err)
			}
			der, err := s.SignCMS(context.Background(), []byte("content"))
			if err != nil {
				t.Fatal(err)
			}
			checkOpenSSL(t, der, []byte("content"), tt.roots...)
			if sd, err := cms.Parse(der); err != nil || len(sd.Certificates) != tt.count {
				t.Errorf("%d certificates, %v, want %d", len(sd.Certificates), err, tt.count)
			}
		})
	}
}

// RFC 4055 wants NULL where OpenSSL takes an absent parameter as well.
func TestRSAParameters(t *testing.T) {
	o := newOfficer(t, "RSA-2048", nil)
	s, err := cms.NewSigner(o.key, o.leaf, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	der, err := s.SignCMS(context.Background(), []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	// sha256WithRSAEncryption, NULL, then the signature's OCTET STRING.
	if !bytes.Contains(der, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00\x04\x82\x01\x00")) {
		t.Errorf("the signature algorithm has no NULL: %x", der)
	}
}

func TestSignMany(t *testing.T) {
	o := newOfficer(t, "P-256", nil)
	s, err := cms.NewSigner(token{o.key}, o.leaf, []*x509.Certificate{o.ca}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			content := fmt.Appendf(nil, "content %d", i)
			der, err := s.SignCMS(context.Background(), content)
			if err != nil {
				t.Error(err)
				return
			}
			sd, err := cms.Parse(der)
			if err != nil || !bytes.Equal(sd.Content, content) || sd.Signers[0].Verify(content) != nil {
				t.Errorf("message %d: content %q, %v", i, sd.Content, err)
			}
		})
	}
	group.Wait()
}

type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the card is gone")
}

func TestSignErrors(t *testing.T) {
	o := newOfficer(t, "P-256", nil)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	caKey := newKey(t, "P-256")
	ca := issue(t, "issuing", caKey.Public(), nil, caKey, nil)
	leafOf := func(key crypto.Signer) *x509.Certificate {
		return issue(t, "officer", key.Public(), ca, caKey, nil)
	}
	tests := []struct {
		name   string
		key    crypto.Signer
		leaf   *x509.Certificate
		digest crypto.Hash
		err    string
		code   exit.Code
		hint   bool
	}{
		{"no key", nil, o.leaf, 0, "there is no key or no certificate to sign with", exit.Key, false},
		{"no certificate", o.key, nil, 0, "there is no key or no certificate to sign with", exit.Key, false},
		{"Ed25519", edKey, leafOf(edKey), 0, "an Ed25519 key cannot sign requests: gateways do not read such CMS signatures", exit.Key, true},
		{"weak RSA", weak, leafOf(weak), 0, "an RSA key of 1024 bits is too small to sign with", exit.Key, true},
		{"P-224", p224, leafOf(p224), 0, "a key on the curve P-224 cannot sign here", exit.Key, true},
		{"another key", newKey(t, "P-256"), o.leaf, 0, "the signing key does not belong to the certificate of CN=officer,O=Demo", exit.Key, false},
		{"SHA-1", o.key, o.leaf, crypto.SHA1, "the digest SHA-1 is not for signing", exit.Usage, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cms.NewSigner(tt.key, tt.leaf, nil, tt.digest)
			checkErr(t, err, tt.err, tt.code, tt.hint)
		})
	}

	s, err := cms.NewSigner(broken{o.key}, o.leaf, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.SignCMS(context.Background(), []byte("content"))
	checkErr(t, err, "the key of CN=officer,O=Demo did not sign: the card is gone", exit.Key, false)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.SignCMS(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

func checkErr(t *testing.T, err error, want string, code exit.Code, hint bool) {
	t.Helper()
	if err == nil || err.Error() != want || exit.Of(err) != code || (exit.HintOf(err) != "") != hint {
		t.Errorf("error %v, exit code %d, hint %q; want %s, %d, hint: %v", err, exit.Of(err), exit.HintOf(err), want, code, hint)
	}
}

func TestParseDigest(t *testing.T) {
	for in, want := range map[string]crypto.Hash{"": crypto.SHA256, "sha256": crypto.SHA256, "SHA-384": crypto.SHA384, "sha512": crypto.SHA512} {
		if got, err := cms.ParseDigest(in); got != want || err != nil {
			t.Errorf("ParseDigest(%q) = %v, %v", in, got, err)
		}
	}
	_, err := cms.ParseDigest("md5")
	checkErr(t, err, `unknown digest "md5"`, exit.Usage, true)
}
