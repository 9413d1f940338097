package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/pki"
)

func tagged(n int) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() } //nolint:gosec // small

// node is one element to encode: its content is nodes or octets.
type node struct {
	tag cbasn1.Tag
	in  any
}

func encode(nodes ...any) []byte {
	var b cryptobyte.Builder
	var add func(b *cryptobyte.Builder, n any)
	add = func(b *cryptobyte.Builder, n any) {
		switch n := n.(type) {
		case []byte:
			b.AddBytes(n)
		case string:
			b.AddBytes([]byte(n))
		case int:
			b.AddASN1Int64(int64(n))
		case time.Time:
			b.AddASN1GeneralizedTime(n)
		case asn1.ObjectIdentifier:
			b.AddASN1ObjectIdentifier(n)
		case []any:
			for _, x := range n {
				add(b, x)
			}
		case node:
			b.AddASN1(n.tag, func(b *cryptobyte.Builder) { add(b, n.in) })
		}
	}
	for _, n := range nodes {
		add(&b, n)
	}
	return b.BytesOrPanic()
}

func sequence(in ...any) node { return node{cbasn1.SEQUENCE, in} }
func setOf(in ...any) node    { return node{cbasn1.SET, in} }

// holderCA is a CA and a certificate of its making.
func holderCA(t testing.TB) (key *ecdsa.PrivateKey, ca, leaf *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	make := func(cn string, serial int64, parent *x509.Certificate) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn, Country: []string{"SE"}},
			NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), IsCA: parent == nil, BasicConstraintsValid: true, SubjectKeyId: []byte{1, 2, 3}}
		if parent == nil {
			parent = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		out, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	ca = make("Attribute CA", 1, nil)
	return key, ca, make("Holder", 0x0abc, ca)
}

var (
	acFrom = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	acTo   = time.Date(2027, 3, 2, 0, 0, 0, 0, time.UTC)
)

// attrCert encodes and signs an attribute certificate by RFC 5755.
func attrCert(t testing.TB, key *ecdsa.PrivateKey, holder, issuer any) []byte {
	t.Helper()
	algorithm := sequence(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
	info := encode(sequence(
		1, holder, issuer, algorithm, 0x1234, sequence(acFrom, acTo),
		sequence(
			sequence(asn1.ObjectIdentifier{2, 5, 4, 72}, setOf(sequence(node{tagged(1), node{cbasn1.Tag(6).ContextSpecific(), "urn:role:registrar"}}))),
			sequence(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 10, 4}, setOf(sequence(sequence(node{cbasn1.UTF8String, "admins"}, node{cbasn1.UTF8String, "users"})))),
			sequence(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 10, 1}, setOf(sequence(node{cbasn1.Tag(2).ContextSpecific(), "svc"}, node{cbasn1.Tag(2).ContextSpecific(), "id"}, node{cbasn1.OCTET_STRING, "s3cr3t"}))),
			sequence(asn1.ObjectIdentifier{2, 5, 4, 11}, setOf(node{cbasn1.UTF8String, "Sales"})),
			sequence(asn1.ObjectIdentifier{1, 2, 3}, setOf(node{cbasn1.OCTET_STRING, "s3cr3t"})),
		),
		sequence(
			sequence(asn1.ObjectIdentifier{2, 5, 29, 35}, node{cbasn1.OCTET_STRING, sequence(node{cbasn1.Tag(0).ContextSpecific(), []byte{1, 2, 3}})}),
			sequence(asn1.ObjectIdentifier{2, 5, 29, 56}, node{cbasn1.OCTET_STRING, node{cbasn1.NULL, nil}}),
		),
	))
	sum := sha256.Sum256(info)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return encode(sequence(info, algorithm, node{cbasn1.BIT_STRING, append([]byte{0}, signature...)}))
}

func directory(raw []byte) node { return sequence(node{tagged(4), raw}) }

func TestAttrCert(t *testing.T) {
	key, ca, leaf := holderCA(t)
	issuer := node{tagged(0), directory(ca.RawSubject)}
	base := sequence(node{tagged(0), []any{directory(ca.RawSubject), 0x0abc}})
	der := attrCert(t, key, base, issuer)
	if kind := pki.Identify(der); kind != pki.AttributeCertificate {
		t.Fatalf("it is %s", kind)
	}
	c, err := pki.ParseAttrCert(der)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		c.Holder.Issuer, c.Holder.Serial, c.Issuer, c.Serial, c.NotBefore, c.NotAfter, c.Algorithm, c.AKI, c.NoRevocation, c.Attributes, c.Holder.Is(leaf), c.Holder.Is(ca),
		c.CheckSignature(ca),
	}
	want := []any{
		"CN=Attribute CA,C=SE", pki.Serial("0abc"), "CN=Attribute CA,C=SE", pki.Serial("1234"), acFrom, acTo, "ECDSA-SHA256", []byte{1, 2, 3}, true,
		[]pki.ACAttribute{{"role", []string{"urn:role:registrar"}}, {"group", []string{"admins, users"}}, {"authenticationInfo", []string{"(19 bytes)"}}, {"OU", []string{"Sales"}}, {"1.2.3", []string{"(8 bytes)"}}},
		true, false, error(nil),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	other, _, _ := holderCA(t)
	if again, _ := pki.ParseAttrCert(attrCert(t, other, base, issuer)); again.CheckSignature(ca) == nil {
		t.Error("another key's signature is taken")
	}
	// By name, and with the issuer in its version 1 form.
	byName, err := pki.ParseAttrCert(attrCert(t, key, sequence(node{tagged(1), node{tagged(4), leaf.RawSubject}}), directory(ca.RawSubject)))
	if err != nil || byName.Holder.Name != "CN=Holder,C=SE" || byName.Issuer != "CN=Attribute CA,C=SE" || !byName.Holder.Is(leaf) || byName.Holder.Is(ca) {
		t.Errorf("by name: %+v, %v", byName, err)
	}
	for i := range der {
		if broken, err := pki.ParseAttrCert(der[:i]); err == nil {
			t.Fatalf("cut after %d bytes: %+v", i, broken)
		}
	}
}

// An attribute certificate among the certificates of PKCS#7 is found, and the
// certificates beside it are read as before.
func TestAttrCertInPKCS7(t *testing.T) {
	key, ca, _ := holderCA(t)
	ac := attrCert(t, key, sequence(node{tagged(0), []any{directory(ca.RawSubject), 0x0abc}}), node{tagged(0), directory(ca.RawSubject)})
	implicit := append([]byte{0xa2}, ac[1:]...)
	signedData := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	p7 := encode(sequence(signedData, node{tagged(0), sequence(1, setOf(), sequence(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}), node{tagged(0), []any{ca.Raw, implicit}}, setOf())}))
	found, err := pki.ReadAttrCerts(p7)
	if err != nil || len(found) != 1 || string(found[0].Raw) != string(ac) {
		t.Fatalf("%d found, %v", len(found), err)
	}
	certs, err := pki.ReadCertificates("f", p7)
	if err != nil || len(certs) != 1 {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
	if found, err := pki.ReadAttrCerts(ca.Raw); err != nil || len(found) != 0 {
		t.Errorf("%d found in a certificate, %v", len(found), err)
	}
}

func TestKeyPairs(t *testing.T) {
	b := artefacts(t)
	public, private := b.read("pub.der"), b.read("enc.der")
	container := sequence(public, private)
	want := []pki.KeyPair{{Public: public, Private: private}, {Public: public, Private: private}}
	for name, content := range map[string][]byte{"whole": encode(sequence(container, container)), "bare": encode(container, container)} {
		if got, err := pki.ParseKeyPairs(content); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := pki.ParseKeyPairs(encode(container)); err != nil || len(got) != 1 {
		t.Errorf("one, bare: %v, %v", got, err)
	}
	for name, content := range map[string][]byte{
		"nothing": nil, "none": encode(sequence()), "a plain key": encode(sequence(sequence(public, b.read("pkcs8.der")))), "no key": encode(sequence(sequence(private, private))),
		"text": []byte("hello"), "three": encode(sequence(sequence(public, private, private))), "cut": encode(sequence(container))[:50],
	} {
		if got, err := pki.ParseKeyPairs(content); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestDataToSign(t *testing.T) {
	utf8 := func(s string) node { return node{cbasn1.UTF8String, s} }
	der := encode(sequence(1, utf8("revokeCertificate"), sequence(sequence(utf8("reason"), utf8("4")), sequence(utf8("pkcs10"), node{cbasn1.OCTET_STRING, []byte{0xab, 1}})), acFrom,
		node{cbasn1.OCTET_STRING, []byte{1, 2}}, node{cbasn1.OCTET_STRING, []byte{3}}))
	if kind := pki.Identify(der); kind != pki.ToSign {
		t.Fatalf("it is %s", kind)
	}
	got, err := pki.ParseDataToSign(der)
	want := &pki.DataToSign{Operation: "revokeCertificate", Time: acFrom, Nonce: "0102", Fields: []pki.SignedField{{Name: "reason", Value: "4"}, {Name: "pkcs10", SHA256: "ab01"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range der {
		if got, err := pki.ParseDataToSign(der[:i]); err == nil {
			t.Fatalf("cut after %d bytes: %+v", i, got)
		}
	}
}

func TestOutline(t *testing.T) {
	long := new(big.Int).Lsh(big.NewInt(1), 100).Bytes()
	der := encode(sequence(
		7, node{cbasn1.INTEGER, long}, node{cbasn1.BOOLEAN, []byte{0xff}}, node{cbasn1.NULL, nil}, asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{1, 2, 3},
		acFrom, node{cbasn1.OCTET_STRING, "s3cr3t"}, node{cbasn1.OCTET_STRING, sequence(1)}, node{cbasn1.BIT_STRING, append([]byte{0}, encode(sequence(2))...)},
		node{cbasn1.UTF8String, "a\x1b[31m\u202eb"}, node{cbasn1.PrintableString, strings.Repeat("x", 100)}, node{tagged(3), 5}, node{cbasn1.Tag(4).ContextSpecific(), "s3cr3t"}, setOf(),
	))
	want := []string{
		"SEQUENCE", "  INTEGER 7", "  INTEGER (13 bytes)", "  BOOLEAN true", "  NULL", "  OBJECT IDENTIFIER 2.5.4.3 CN", "  OBJECT IDENTIFIER 1.2.3",
		"  GeneralizedTime 2026-03-02T00:00:00Z", "  OCTET STRING (6 bytes)", "  OCTET STRING (5 bytes)", "    SEQUENCE", "      INTEGER 1",
		"  BIT STRING (6 bytes)", "    SEQUENCE", "      INTEGER 2", `  UTF8String "a?[31m?b"`,
		`  PrintableString "` + strings.Repeat("x", 64) + `"... (100 characters)`, "  [3]", "    INTEGER 5", "  [4] (6 bytes)", "  SET",
	}
	got, err := pki.Outline(der)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s\n%v", strings.Join(got, "\n"), strings.Join(want, "\n"), err)
	}
	deep := encode(sequence(1))
	for range 40 {
		deep = encode(sequence(deep))
	}
	if got, err = pki.Outline(deep); err != nil || len(got) != 25 || !strings.HasSuffix(got[24], "nested too deep)") {
		t.Errorf("%d lines, %v: %q", len(got), err, got)
	}
	wide := encode(sequence(strings.Repeat("\x05\x00", 5000)))
	if got, err = pki.Outline(wide); err != nil || len(got) != 401 || got[400] != "... 4601 elements more" {
		t.Errorf("%d lines, %v: %q", len(got), err, got[len(got)-1])
	}
	if got, err = pki.Outline([]byte("hello")); err == nil {
		t.Errorf("text: %q", got)
	}
}

// FuzzArtefacts: no reader panics, an outline keeps its bounds and holds no
// control character.
func FuzzArtefacts(f *testing.F) {
	key, ca, _ := holderCA(f)
	f.Add(attrCert(f, key, sequence(node{tagged(0), []any{directory(ca.RawSubject), 0x0abc}}), node{tagged(0), directory(ca.RawSubject)}))
	f.Add(encode(sequence(1, node{cbasn1.UTF8String, "x"}, sequence(), acFrom, node{cbasn1.OCTET_STRING, []byte{1}}, node{cbasn1.OCTET_STRING, []byte{3}})))
	f.Add(ca.Raw)
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := pki.ParseAttrCert(data); err == nil {
			_ = c.CheckSignature(ca)
			c.Holder.Is(ca)
		}
		_, _ = pki.ReadAttrCerts(data)
		_, _ = pki.ParseKeyPairs(data)
		_, _ = pki.ParseDataToSign(data)
		_, _ = pki.ReadRequestUnsigned("f", data)
		lines, err := pki.Outline(data)
		if err != nil {
			return
		}
		if len(lines) == 0 && len(data) > 0 || len(lines) > 401 {
			t.Fatalf("%d lines", len(lines))
		}
		for _, l := range lines {
			if len(l) > 800 || strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Fatalf("line %q", l)
			}
		}
	})
}
