//go:build referees

package cms_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/cms"
)

// bouncyCastle is where Debian puts the jars.
var bouncyCastle = []string{"/usr/share/java/bcprov.jar", "/usr/share/java/bcpkix.jar", "/usr/share/java/bcutil.jar"}

const (
	refereeSHA256 = "2.16.840.1.101.3.4.2.1"
	refereeSHA384 = "2.16.840.1.101.3.4.2.2"
	refereeSHA512 = "2.16.840.1.101.3.4.2.3"
)

// TestRefereeBouncyCastle has BouncyCastle judge what Signer makes for every
// kind of key: the DER, the content, the signature, the chain. Two messages are
// tampered with, so that a referee who accepts anything is found out.
func TestRefereeBouncyCastle(t *testing.T) {
	for _, jar := range bouncyCastle {
		if _, err := os.Stat(jar); err != nil {
			refereeMissing(t, err)
		}
	}
	if _, err := exec.LookPath("java"); err != nil {
		refereeMissing(t, err)
	}
	root := newRefereeCA(t, "Root", nil)
	issuing := newRefereeCA(t, "Issuing", root)
	key := func(k crypto.Signer, err error) crypto.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	rsa2048 := key(rsa.GenerateKey(rand.Reader, 2048))
	p256 := key(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	longName := slices.Repeat([]string{"a.name.that.makes.the.leaf.longer.than.its.issuer.example.com"}, 10)

	cases := []struct {
		name    string
		key     crypto.Signer
		dns     []string
		content []byte
		chain   []*x509.Certificate
		digest  crypto.Hash
		tamper  string // its 4711 becomes 4712 after signing
		want    string
	}{
		{name: "rsa-2048", key: rsa2048, chain: []*x509.Certificate{issuing.cert}, want: "ok certificates=2 digest=" + refereeSHA256},
		{name: "rsa-3072-sha512", key: key(rsa.GenerateKey(rand.Reader, 3072)), chain: []*x509.Certificate{issuing.cert}, digest: crypto.SHA512, want: "ok certificates=2 digest=" + refereeSHA512},
		{name: "p256", key: p256, chain: []*x509.Certificate{issuing.cert}, want: "ok certificates=2 digest=" + refereeSHA256},
		{name: "p256-with-root", key: p256, chain: []*x509.Certificate{issuing.cert, root.cert}, want: "ok certificates=3 digest=" + refereeSHA256},
		{name: "p256-long-leaf", key: p256, dns: longName, chain: []*x509.Certificate{issuing.cert}, want: "ok certificates=2 digest=" + refereeSHA256},
		{name: "p384-sha384", key: key(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), chain: []*x509.Certificate{issuing.cert}, digest: crypto.SHA384, want: "ok certificates=2 digest=" + refereeSHA384},
		{name: "p521-sha512", key: key(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)), chain: []*x509.Certificate{issuing.cert}, digest: crypto.SHA512, want: "ok certificates=2 digest=" + refereeSHA512},
		{name: "long-content", key: p256, content: bytes.Repeat([]byte{0, 0xff, '\r', '\n'}, 25_000), chain: []*x509.Certificate{issuing.cert}, want: "ok certificates=2 digest=" + refereeSHA256},
		{name: "content-altered", key: p256, chain: []*x509.Certificate{issuing.cert}, tamper: "revoke 4711", want: "refused"},
		{name: "chain-missing", key: p256, want: "refused"},
	}
	args := []string{"-cp", strings.Join(bouncyCastle, ":"), "../../testdata/referees/bouncycastle/Verify.java"}
	for i, c := range cases {
		leaf := newRefereeLeaf(t, issuing, int64(100+i), c.key, c.dns)
		signer, err := cms.NewSigner(c.key, leaf, c.chain, c.digest)
		if err != nil {
			t.Fatal(err)
		}
		content := c.content
		if content == nil {
			content = []byte("revoke 4711 for keyCompromise")
		}
		signed, err := signer.SignCMS(context.Background(), content)
		if err != nil {
			t.Fatal(err)
		}
		if c.tamper != "" {
			altered := bytes.Replace([]byte(c.tamper), []byte("4711"), []byte("4712"), 1)
			signed = bytes.Replace(signed, []byte(c.tamper), altered, 1)
			content = bytes.Replace(content, []byte(c.tamper), altered, 1)
		}
		dir := filepath.Join(t.TempDir(), c.name)
		writeRefereeFiles(t, dir, map[string][]byte{"signed.der": signed, "content.bin": content, "root.der": root.cert.Raw})
		args = append(args, dir)
	}

	cmd := exec.Command("java", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("java: %v", err)
	}
	verdicts := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, verdict, _ := strings.Cut(strings.TrimSpace(line), " ")
		verdicts[name] = verdict
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := verdicts[c.name]
			if c.want == "refused" && strings.HasPrefix(got, "refused ") {
				return
			}
			if got != c.want {
				t.Errorf("BouncyCastle says %q, want %q", got, c.want)
			}
		})
	}
}

// refereeMissing skips, save where nothing may be skipped.
func refereeMissing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skipf("make referees installs it: %v", err)
}

type refereeCA struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newRefereeCA(t *testing.T, cn string, parent *refereeCA) *refereeCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(cn))), Subject: pkix.Name{CommonName: cn},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if parent == nil {
		parent = &refereeCA{template, key}
	}
	return &refereeCA{refereeCertificate(t, template, parent, key), key}
}

func newRefereeLeaf(t *testing.T, issuer *refereeCA, serial int64, key crypto.Signer, dns []string) *x509.Certificate {
	t.Helper()
	return refereeCertificate(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprintf("Officer %d", serial)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, DNSNames: dns,
	}, issuer, key)
}

func refereeCertificate(t *testing.T, template *x509.Certificate, issuer *refereeCA, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func writeRefereeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
