package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// equalRows compares whole rows, their times as instants.
func equalRows(a, b store.Cert) bool {
	for _, c := range []*store.Cert{&a, &b} {
		c.NotBefore, c.NotAfter = c.NotBefore.UTC(), c.NotAfter.UTC()
	}
	return reflect.DeepEqual(a, b)
}

func equalKeys(a, b crypto.PublicKey) bool {
	pub, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(b)
}

func TestSaveAndLoad(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	if _, err := Load(dir, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	h, err := New(now, "https://a.example/pgwy")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second overwrites
		if err := h.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := Load(dir, "https://b.example/pgwy")
	if err != nil {
		t.Fatal(err)
	}
	for k, i := range got.Issuers() {
		want := h.Issuers()[k]
		if i.ID != want.ID || !i.Cert.Equal(want.Cert) || !i.key.Equal(want.key) || i.base != "https://b.example/pgwy" {
			t.Errorf("%s is not what was saved", want.ID)
		}
	}
	path := filepath.Join(dir, hierarchyFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Each issuer has two blocks, certificate and key.
	pairs := strings.SplitAfter(string(whole), "END PRIVATE KEY-----\n")
	cert := strings.Split(pairs[0], "-----BEGIN PRIVATE")[0]
	for name, text := range map[string]string{
		"empty": "", "cut": string(whole[:len(whole)-10]), "an issuer less": pairs[0] + pairs[1],
		"another's key": cert + "-----BEGIN PRIVATE" + strings.Split(pairs[1], "-----BEGIN PRIVATE")[1] + pairs[1] + pairs[2],
		"garbage":       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + string(whole),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir, ""); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := h.Save(filepath.Join(dir, "missing")); err == nil {
		t.Error("saved into no folder")
	}
}

func TestHierarchy(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	h, err := New(now, "https://a.example/pgwy")
	if err != nil {
		t.Fatal(err)
	}
	chains := map[string][]*x509.Certificate{
		RootID: {h.Root.Cert}, Issuing1ID: {h.Issuing[0].Cert, h.Root.Cert}, Issuing2ID: {h.Issuing[1].Cert, h.Root.Cert}, "other": nil,
	}
	for id, want := range chains {
		if got := h.Chain(id); !reflect.DeepEqual(got, want) {
			t.Errorf("chain of %s: %d certificates", id, len(got))
		}
	}
	if h.Issuer("other") != nil || h.Issuer(Issuing2ID) != h.Issuing[1] {
		t.Error("an issuer is not found by its id")
	}
	names := []string{"cn=Demo Root CA,o=Demo,c=SE", "cn=Demo Issuing CA,o=Demo,c=SE", "cn=Demo Issuing CA 2,o=Demo,c=SE"}
	for k, i := range h.Issuers() {
		got := h.Row(i.Cert)
		want := store.Cert{
			Serial: i.Cert.SerialNumber.Text(16), IssuerID: RootID, IssuerDN: names[0], Subject: strings.NewReplacer("cn=", "", ",o=", ", ", ",c=", ", ").Replace(names[k]),
			CN: strings.TrimPrefix(strings.Split(names[k], ",")[0], "cn="), Org: "Demo", Country: "SE", Type: store.CA,
			NotBefore: now.AddDate(-10, 0, 0), NotAfter: now.AddDate(20, 0, 0), SKI: got.SKI, AKI: h.Row(h.Root.Cert).SKI,
			KeyUsage: []string{"keyCertSign", "cRLSign"}, DER: i.Cert.Raw,
		}
		if k == 0 {
			want.AKI = ""
		}
		if i.Cert.MaxPathLenZero != (k > 0) {
			t.Errorf("%s: CAs below it: %v", i.ID, !i.Cert.MaxPathLenZero)
		}
		if len(got.SKI) != 40 || len(got.Serial) != 40 || !equalRows(got, want) || i.DN() != names[k] {
			t.Errorf("%s:\n got %+v\nwant %+v", i.ID, got, want)
		}
	}
	foreign, err := NewForeign(now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := foreign.NewLeaf(Leaf{CN: "Anna", GivenName: "A", Surname: "B", OU: "U", Org: "O", Country: "NO", NotBefore: now, NotAfter: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if !equalKeys(leaf.Key.Public(), leaf.Cert.PublicKey) {
		t.Error("the key is not the certificate's")
	}
	got := h.Row(leaf.Cert)
	want := store.Cert{Serial: got.Serial, IssuerDN: "cn=Foreign CA,o=Elsewhere,c=SE", Subject: "Anna, A, B, U, O, NO", CN: "Anna", GivenName: "A", Surname: "B", OU: "U", Org: "O", Country: "NO",
		Type: store.EE, NotBefore: now, NotAfter: now.Add(time.Hour), AKI: h.Row(foreign.Cert).SKI, SKI: got.SKI,
		KeyUsage: []string{"digitalSignature", "nonRepudiation", "clientAuth", "emailProtection"}, DER: leaf.Cert.Raw}
	if !equalRows(got, want) {
		t.Errorf("foreign:\n got %+v\nwant %+v", got, want)
	}
	if len(leaf.Cert.CRLDistributionPoints) != 0 || len(leaf.Cert.IssuingCertificateURL) != 0 {
		t.Error("a foreign certificate names this sandbox")
	}
}

// An issuer that only has the name and not the key did not issue it.
func TestRowKnowsIssuersByTheirKey(t *testing.T) {
	now := time.Now()
	mine, err1 := New(now, "")
	other, err2 := New(now, "")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	leaf, err := other.Issuing[0].NewLeaf(Leaf{CN: "x", NotBefore: now, NotAfter: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if got := mine.Row(leaf.Cert); got.IssuerID != "" || got.IssuerDN != mine.Issuing[0].DN() {
		t.Errorf("issuer %q, %q", got.IssuerID, got.IssuerDN)
	}
	if got := other.Row(leaf.Cert); got.IssuerID != Issuing1ID {
		t.Errorf("issuer %q", got.IssuerID)
	}
}

// keyID is compared with the way RFC 5280 describes it, done by hand.
func TestKeyIdentifierIsMethodOne(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	sum := crypto.SHA1.New()
	sum.Write(point)
	got, err := keyID(key.Public())
	if err != nil || string(got) != string(sum.Sum(nil)) {
		t.Errorf("%x, %v", got, err)
	}
	if _, err := keyID("no key"); err == nil {
		t.Error("an identifier of no key")
	}
}

func TestSeedKeysLookReal(t *testing.T) {
	seen := map[string]bool{}
	for seed := range int64(100) {
		key := seedKey(seed)
		if key.N.BitLen() != 2048 || key.N.Bit(0) != 1 || seen[seedKeyID(seed)] {
			t.Errorf("seed %d: %d bits, or even, or there before", seed, key.N.BitLen())
		}
		seen[seedKeyID(seed)] = true
	}
}

func testRequest(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestParseRequest(t *testing.T) {
	der := testRequest(t)
	block := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	plain := base64.StdEncoding.EncodeToString(der)
	broken := append([]byte(nil), der...)
	broken[len(broken)-1] ^= 1
	inside := bytes.Replace(der, []byte("\x13\x01x"), []byte("\x13\x01y"), 1) // the common name
	for _, c := range []struct {
		name string
		raw  string
		fail string
	}{
		{"DER", string(der), ""},
		{"PEM", block, ""},
		{"PEM of old", strings.ReplaceAll(block, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"), ""},
		{"PEM with CRLF", strings.ReplaceAll(block, "\n", "\r\n"), ""},
		{"PEM with blanks around", " \n" + block + "\n\n", ""},
		{"Base64", plain, ""},
		{"Base64 with line breaks", plain[:64] + "\n" + plain[64:128] + "\r\n" + plain[128:] + "\n", ""},

		{"nothing", "", "empty"},
		{"blanks", " \n", "empty"},
		{"one octet", "0", "neither DER"},
		{"DER and an octet", string(der) + "x", "decoded"},
		{"DER and a line break", string(der) + "\n", "decoded"},
		{"DER, cut", string(der[:len(der)-1]), "decoded"},
		{"PEM and text", block + "x", "follows"},
		{"text and PEM", "x" + block, "neither DER"},
		{"PEM twice", block + block, "follows"},
		{"PEM of something else", strings.ReplaceAll(block, "CERTIFICATE REQUEST", "CERTIFICATE"), `"CERTIFICATE"`},
		{"PEM without its end", block[:len(block)-20], "PEM"},
		{"PEM, DER and an octet", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: append(append([]byte(nil), der...), 0)})), "decoded"},
		{"Base64 and text", plain + "!", "neither DER"},
		{"Base64, DER and an octet", base64.StdEncoding.EncodeToString(append(append([]byte(nil), der...), 0)), "decoded"},
		{"signature broken", string(broken), "signature"},
		{"content changed", string(inside), "signature"},
		{"a certificate request of nobody", "MAA=", "decoded"},
	} {
		got, err := ParseRequest([]byte(c.raw))
		switch {
		case c.fail == "" && (err != nil || string(got.Raw) != string(der)):
			t.Errorf("%s: %v", c.name, err)
		case c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)):
			t.Errorf("%s: %v, want %q", c.name, err, c.fail)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	der := testRequest(f)
	f.Add(der)
	f.Add([]byte(base64.StdEncoding.EncodeToString(der)))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	f.Add([]byte{0x30})
	f.Fuzz(func(t *testing.T, raw []byte) {
		csr, err := ParseRequest(raw)
		if err == nil && csr.CheckSignature() != nil {
			t.Error("a wrong signature is taken")
		}
	})
}

func TestBrokenExtensionsAreRefused(t *testing.T) {
	h, err := New(time.Now(), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]pkix.Extension{
		"key usage":         {Id: extKeyUsage, Value: []byte{0x30}},
		"alternative name":  {Id: extSubjectAltName, Value: []byte{1, 2, 3}},
		"ext. key usage":    {Id: extExtKeyUsage, Value: []byte("garbage")},
		"basic constraints": {Id: extBasicConstraints, Value: []byte("garbage")},
	} {
		csr, err := x509.ParseCertificateRequest(testRequest(t))
		if err != nil {
			t.Fatal(err)
		}
		csr.Extensions = []pkix.Extension{e}
		if _, err := h.Issuing[0].Issue(IssueRequest{csr, time.Now(), time.Now().Add(time.Hour)}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A serial of a seeded certificate that is none, and a name that is none.
	if _, err := h.Materialise(store.Cert{Seed: 1, IssuerID: RootID, Serial: "no"}); err == nil {
		t.Error("a serial that is no number is taken")
	}
	if _, err := encodeName([]attribute{{asn1.ObjectIdentifier{9}, "x"}}); err == nil {
		t.Error("a name of an impossible type is encoded")
	}
}

func BenchmarkIssue(b *testing.B) {
	h, err := New(time.Now(), "https://a.example/pgwy")
	if err != nil {
		b.Fatal(err)
	}
	csr, err := ParseRequest(testRequest(b))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := h.Issuing[0].Issue(IssueRequest{csr, time.Now(), time.Now().Add(time.Hour)}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCRL(b *testing.B) {
	h, err := New(time.Now(), "https://a.example/pgwy")
	if err != nil {
		b.Fatal(err)
	}
	entries := make([]store.RevokedEntry, 75_000)
	for k := range entries {
		entries[k] = store.RevokedEntry{Serial: "4000000000000000000000000000000000000000", Reason: 1, At: time.Now()}
	}
	for b.Loop() {
		if _, err := h.Issuing[0].CRL(1, time.Now(), time.Now(), entries); err != nil {
			b.Fatal(err)
		}
	}
}
