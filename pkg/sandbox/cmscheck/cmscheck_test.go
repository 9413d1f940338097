package cmscheck

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var content = []byte("\x30\x03\x02\x01\x2a what the gateway wants signed")

// keys holds certificates and keys made by OpenSSL in one folder.
type keys struct {
	t   testing.TB
	dir string
}

func newKeys(t testing.TB) keys {
	k := keys{t, t.TempDir()}
	k.write("content", content)
	k.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA", "-days", "30")
	return k
}

func (k keys) write(name string, data []byte) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), data, 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k keys) openssl(args ...string) []byte {
	k.t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = k.dir
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		k.t.Fatalf("openssl %v: %v\n%s", args, err, errOut.String())
	}
	return out.Bytes()
}

// make makes NAME.pem and NAME.key; newkey is what openssl req takes.
func (k keys) make(name string, newkey ...string) {
	k.t.Helper()
	args := append([]string{"req", "-x509", "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=" + name, "-days", "30", "-newkey"}, newkey...)
	k.openssl(args...)
}

// sign makes CMS over the content with what the API's notes name, and more.
func (k keys) sign(name string, extra ...string) []byte {
	k.t.Helper()
	args := []string{"cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-in", "content", "-signer", name + ".pem", "-inkey", name + ".key"}
	return k.openssl(append(args, extra...)...)
}

func (k keys) certificate(name string) *x509.Certificate {
	k.t.Helper()
	data, err := os.ReadFile(filepath.Join(k.dir, name+".pem"))
	if err != nil {
		k.t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

func TestVerifyAccepts(t *testing.T) {
	k := newKeys(t)
	k.make("rsa", "rsa:2048")
	k.make("p256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	k.make("p384", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")
	k.make("p521", "ec", "-pkeyopt", "ec_paramgen_curve:P-521")
	pss := []string{"-keyopt", "rsa_padding_mode:pss"}
	for _, c := range []struct {
		name, signer string
		extra        []string
		digest       crypto.Hash
		attributes   bool
	}{
		{"RSA", "rsa", nil, crypto.SHA256, true},
		{"RSA, no attributes", "rsa", []string{"-noattr"}, crypto.SHA256, false},
		{"RSA, SHA-384", "rsa", []string{"-md", "sha384"}, crypto.SHA384, true},
		{"RSA, SHA-512, no attributes", "rsa", []string{"-md", "sha512", "-noattr"}, crypto.SHA512, false},
		{"RSA, named by key", "rsa", []string{"-keyid"}, crypto.SHA256, true},
		{"RSA, no S/MIME capabilities", "rsa", []string{"-nosmimecap"}, crypto.SHA256, true},
		{"RSA-PSS", "rsa", pss, crypto.SHA256, true},
		{"RSA-PSS, SHA-512", "rsa", append([]string{"-md", "sha512"}, pss...), crypto.SHA512, true},
		{"P-256", "p256", nil, crypto.SHA256, true},
		{"P-256, no attributes", "p256", []string{"-noattr"}, crypto.SHA256, false},
		{"P-256, SHA-512", "p256", []string{"-md", "sha512"}, crypto.SHA512, true},
		{"P-384, SHA-384", "p384", []string{"-md", "sha384"}, crypto.SHA384, true},
		{"P-521, SHA-512, named by key", "p521", []string{"-md", "sha512", "-keyid", "-noattr"}, crypto.SHA512, false},
		{"with a chain", "p256", []string{"-certfile", "ca.pem"}, crypto.SHA256, true},
		{"with a signing-certificate attribute", "p256", []string{"-cades"}, crypto.SHA256, true},
	} {
		got, err := Verify(k.sign(c.signer, c.extra...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := k.certificate(c.signer)
		if !bytes.Equal(got.Content, content) || !got.Signer.Equal(want) || !bytes.Equal(got.Certificate, want.Raw) ||
			got.Digest != c.digest || got.Attributes != c.attributes || got.SigningTime.IsZero() == c.attributes {
			t.Errorf("%s: content %q, signer %v, digest %v, attributes %v, signing time %v",
				c.name, got.Content, got.Signer.Subject, got.Digest, got.Attributes, got.SigningTime)
		}
	}
}

// replace puts one stretch of octets in place of another of the same length.
func replace(t testing.TB, der, old, new []byte) []byte {
	t.Helper()
	if len(old) != len(new) || bytes.Count(der, old) != 1 {
		t.Fatalf("%x is not there exactly once, or %x is of another length", old, new)
	}
	return bytes.Replace(der, old, new, 1)
}

func TestVerifyRefuses(t *testing.T) {
	k := newKeys(t)
	k.make("rsa", "rsa:2048")
	k.make("weak", "rsa:1024")
	k.make("p256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	other := bytes.ToUpper(content)
	swapped := func() []byte {
		der := k.sign("p256", "-certfile", "ca.pem")
		a, b := k.certificate("p256").Raw, k.certificate("ca").Raw
		if !bytes.Contains(der, append(bytes.Clone(a), b...)) {
			a, b = b, a
		}
		return replace(t, der, append(bytes.Clone(a), b...), append(bytes.Clone(b), a...))
	}
	for _, c := range []struct {
		name, message string
		der           []byte
	}{
		{"nothing", "not DER", nil},
		{"text", "not DER", []byte("hello")},
		{"indefinite length", "indefinite length", k.sign("p256", "-stream")},
		{"detached", "detached", k.openssl("cms", "-sign", "-binary", "-outform", "DER", "-in", "content", "-signer", "p256.pem", "-inkey", "p256.key")},
		{"content changed, with attributes", "messageDigest", replace(t, k.sign("p256"), content, other)},
		{"content changed, without", "does not fit", replace(t, k.sign("p256", "-noattr"), content, other)},
		{"SHA-1", "SHA-1", k.sign("p256", "-md", "sha1")},
		{"MD5", "MD5", k.sign("rsa", "-md", "md5")},
		{"SHA-224", "2.16.840.1.101.3.4.2.4", k.sign("rsa", "-md", "sha224")},
		{"1024 bits", "1024 bits", k.sign("weak")},
		{"no certificate", "no certificates", k.sign("p256", "-nocerts")},
		{"only another certificate", "not in the SignedData", k.sign("p256", "-nocerts", "-certfile", "ca.pem")},
		{"two signers", "more than one signer", k.sign("p256", "-signer", "rsa.pem", "-inkey", "rsa.key")},
		{"another content type", "not id-data", k.sign("p256", "-econtent_type", "1.2.3.4")},
		{"certificates not sorted", "certificate set is not sorted", swapped()},
		{"an octet at the end", "follow", append(k.sign("p256"), 0)},
		{"last octet missing", "not DER", k.sign("p256")[:300]},
		{"not SignedData", "not SignedData", k.openssl("cms", "-encrypt", "-binary", "-outform", "DER", "-in", "content", "rsa.pem")},
		{"version of the other form", "version", replace(t, k.sign("p256"), []byte{0x02, 0x01, 0x01, 0x31, 0x0d}, []byte{0x02, 0x01, 0x03, 0x31, 0x0d})},
		{"PSS with its SHA-1 defaults", "SHA-1", k.sign("rsa", "-md", "sha1", "-keyopt", "rsa_padding_mode:pss")},
		{"PSS with a mask of another digest", "mask", k.sign("rsa", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_mgf1_md:sha512")},
	} {
		_, err := Verify(c.der)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.message)
		}
	}
}

// resigned changes signed attributes in place and signs them anew, which no
// option of OpenSSL does.
func (k keys) resigned(name string, old, new []byte) []byte {
	k.t.Helper()
	der := k.sign(name)
	sd, err := openContentInfo(der)
	if err != nil {
		k.t.Fatal(err)
	}
	for range 4 { // version, digests, content, certificates
		var skip cryptobyte.String
		var tag cbasn1.Tag
		if !sd.ReadAnyASN1(&skip, &tag) {
			k.t.Fatal("the CMS is too short")
		}
	}
	si, err := readSignerInfos(&sd)
	if err != nil {
		k.t.Fatal(err)
	}
	attrs := replace(k.t, si.attrs, old, new)
	k.write("attrs", asSet(attrs))
	signature := k.openssl("dgst", "-sha256", "-sign", name+".key", "attrs")
	return replace(k.t, replace(k.t, der, si.attrs, attrs), si.signature, signature)
}

func TestVerifyRefusesWrongAttributes(t *testing.T) {
	k := newKeys(t)
	k.make("rsa", "rsa:2048") // its signatures all have one length
	digest := sum(crypto.SHA256, content)
	contentType := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03}
	messageDigest := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04}
	unknown := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x63}
	data := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}
	signedData := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}
	if _, err := Verify(k.resigned("rsa", digest, digest)); err != nil {
		t.Fatalf("signed anew, unchanged: %v", err)
	}
	for _, c := range []struct {
		name, message string
		old, new      []byte
	}{
		{"content type is another", "not id-data", data, signedData},
		{"no content type", "lack contentType", contentType, unknown},
		{"no message digest", "lack messageDigest", messageDigest, unknown},
		{"digest of something else", "not the digest", digest, sum(crypto.SHA256, []byte("x"))},
		{"content type twice", "twice", messageDigest, contentType},
	} {
		_, err := Verify(k.resigned("rsa", c.old, c.new))
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.message)
		}
	}
}

// Every single octet of the structure counts, except where X.509 leaves room
// inside certificates, whose own signature is not looked at here.
func TestVerifyRefusesAnyChangedOctet(t *testing.T) {
	k := newKeys(t)
	k.make("p256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	for _, extra := range [][]string{nil, {"-noattr"}} {
		der := k.sign("p256", extra...)
		cert := k.certificate("p256")
		from := bytes.Index(der, cert.Raw)
		key := bytes.Index(der, cert.RawSubjectPublicKeyInfo)
		for i := range der {
			if i >= from && i < from+len(cert.Raw) && (i < key || i >= key+len(cert.RawSubjectPublicKeyInfo)) {
				continue
			}
			bad := bytes.Clone(der)
			bad[i] ^= 1
			if got, err := Verify(bad); err == nil && bytes.Equal(got.Certificate, cert.Raw) {
				t.Errorf("%v: octet %d changed from %02x to %02x went unnoticed", extra, i, der[i], bad[i])
			}
		}
	}
}

func TestCheckDER(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		ok        bool
	}{
		{"integer", "020101", true},
		{"integer with a needless octet", "02020001", false},
		{"negative integer with a needless octet", "0202ff80", false},
		{"empty integer", "0200", false},
		{"long length where short would do", "02810101", false},
		{"length with a leading zero", "0282000101", false},
		{"indefinite length", "30800201010000", false},
		{"indefinite length inside", "300630800201010000", false},
		{"true", "0101ff", true},
		{"true as 01", "010101", false},
		{"null", "0500", true},
		{"null with content", "050100", false},
		{"octet string in pieces", "2405040301020300", false},
		{"octet string in pieces, well nested", "24040402aabb", false},
		{"bit string", "030204f0", true},
		{"bit string with unused bits set", "030204ff", false},
		{"bit string, nine unused", "030209f0", false},
		{"set, sorted", "3106020101020102", true},
		{"set, not sorted", "3106020102020101", false},
		{"set, a prefix first", "3105040004010a", true},
		{"UTC time", "170d3236303133313132303030305a", true},
		{"UTC time without seconds", "170b323630313331313230305a", false},
		{"generalized time with offset", "181332303236303133313132303030302b30313030", false},
		{"object identifier", "06032a0304", true},
		{"object identifier with padding", "06042a800304", false},
		{"UTF-8", "0c02c3a5", true},
		{"UTF-8 that is none", "0c01ff", false},
		{"high tag number", "1f8101", false},
		{"empty sequence", "3000", true},
		{"two values", "05000500", false},
	} {
		in, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := checkDER(in); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCheckDERDepth(t *testing.T) {
	deep := []byte{5, 0}
	for range 60 {
		deep = append([]byte{0x30, byte(len(deep))}, deep...)
	}
	if err := checkDER(deep); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("sixty levels: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	k := newKeys(f)
	k.make("p256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	f.Add(k.sign("p256"))
	f.Add(k.sign("p256", "-noattr", "-keyid"))
	cert := k.certificate("p256").Raw
	f.Fuzz(func(t *testing.T, der []byte) {
		got, err := Verify(der)
		if err == nil && bytes.Equal(got.Certificate, cert) && !bytes.Equal(got.Content, content) {
			t.Errorf("a signature over %q was made of one over %q", got.Content, content)
		}
	})
}
