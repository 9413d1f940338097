package pki_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// rawName encodes a name of one attribute a step, country first.
func rawName(t *testing.T, rdns ...pkix.RelativeDistinguishedNameSET) []byte {
	t.Helper()
	der, err := asn1.Marshal(pkix.RDNSequence(rdns))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func rdn(pairs ...any) pkix.RelativeDistinguishedNameSET {
	var set pkix.RelativeDistinguishedNameSET
	for pair := range slices.Chunk(pairs, 2) {
		set = append(set, pkix.AttributeTypeAndValue{Type: pair[0].(asn1.ObjectIdentifier), Value: pair[1]})
	}
	return set
}

var (
	oidCN = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidC  = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidO  = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidSN = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidX  = asn1.ObjectIdentifier{1, 2, 3, 4}
)

func TestRawName(t *testing.T) {
	bmp := asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte{0, 'A', 0x01, 0x05}}
	latin := asn1.RawValue{Tag: asn1.TagT61String, Bytes: []byte{'B', 0xe4}}
	tests := []struct {
		name    string
		raw     []byte
		rfc4514 string
		rfc1779 string
	}{
		{"plain", rawName(t, rdn(oidC, "SE"), rdn(oidO, "Demo"), rdn(oidCN, "Demo Issuing CA")),
			"CN=Demo Issuing CA,O=Demo,C=SE", "cn=Demo Issuing CA,o=Demo,c=SE"},
		{"several in a step", rawName(t, rdn(oidO, "Demo"), rdn(oidCN, "Ann", oidSN, "17")),
			"SERIALNUMBER=17+CN=Ann,O=Demo", "serialnumber=17+cn=Ann,o=Demo"},
		{"special characters", rawName(t, rdn(oidO, ` a, "b" <c> `), rdn(oidCN, "#1;2=3\\")),
			`CN=\#1\;2\=3\\,O=\ a\, \"b\" \<c\>\ `, `cn="#1;2=3\\",o=" a, \"b\" <c> "`},
		{"control characters", rawName(t, rdn(oidCN, "a\x1b[31m\nb")),
			`CN=a\1b[31m\0ab`, "cn=\"a\x1b[31m\nb\""},
		{"unknown type", rawName(t, rdn(oidX, "v")), "1.2.3.4=v", "oid.1.2.3.4=v"},
		{"BMPString", rawName(t, rdn(oidCN, bmp)), "CN=A\u0105", "cn=A\u0105"},
		{"T61String", rawName(t, rdn(oidCN, latin)), "CN=B\u00e4", "cn=B\u00e4"},
		{"no text", rawName(t, rdn(oidCN, 5)), "CN=#020105", `cn="#020105"`},
		{"empty", rawName(t), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := pki.ParseRawName(tt.raw); err != nil {
				t.Fatal(err)
			}
			if got := pki.DN(tt.raw); got != tt.rfc4514 {
				t.Errorf("RFC 4514: %q, want %q", got, tt.rfc4514)
			}
			for _, text := range []string{tt.rfc4514, tt.rfc1779} {
				if back, err := pki.ParseName(text); err != nil || back.String() != tt.rfc4514 {
					t.Errorf("%q read back as %q, %v", text, back, err)
				}
			}
		})
	}
	if got := pki.DN([]byte{5, 0}); got != "#0500" {
		t.Errorf("what is no name is shown as %q", got)
	}
}

func TestSameName(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"cn=Demo CA,o=Demo,c=SE", "CN=Demo CA, O=Demo, C=SE", true},
		{"cn=Demo CA,o=Demo,c=SE", "C=SE,O=Demo,CN=Demo CA", true},
		{"cn=Demo CA,o=Demo", "cn=demo  ca;o=DEMO", true},
		{`cn="Demo, Inc"`, `cn=Demo\, Inc`, true},
		{"S=Skane,E=a@b", "ST=Skane,emailAddress=a@b", true},
		{"oid.2.5.4.3=a", "cn=a", true},
		{"cn=a+o=b", "o=b+cn=a", true},
		{"Demo User, Demo, SE", "demo user,  Demo, SE", true},
		{"cn=Demo CA,o=Demo", "cn=Demo CA,o=Demo,c=SE", false},
		{"cn=a,o=b", "cn=b,o=a", false},
		{"Demo User, Demo, SE", "Demo, Demo User, SE", false},
	}
	for _, tt := range tests {
		if got := pki.SameName(tt.a, tt.b); got != tt.want {
			t.Errorf("SameName(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

func TestParseNameErrors(t *testing.T) {
	for in, want := range map[string]string{
		"Demo":      `"Demo" is not a distinguished name: attribute=value is missing`,
		"cn=a,":     `"cn=a," is not a distinguished name: attribute=value is missing`,
		`cn="a`:     `"cn=\"a" is not a distinguished name: a quote is not closed`,
		`cn="a" b`:  `"cn=\"a\" b" is not a distinguished name: a comma is missing before "b"`,
		`cn=a"b`:    `"cn=a\"b" is not a distinguished name: a quote stands in the middle of a value`,
		`cn=a\`:     `"cn=a\\" is not a distinguished name: it ends in a backslash`,
		`cn=\ff\fe`: `"cn=\\ff\\fe" is not a distinguished name: a value is not UTF-8`,
		"a b=c,o=d": `"a b=c,o=d" is not a distinguished name: attribute=value is missing`,
	} {
		_, err := pki.ParseName(in)
		if text(err) != want {
			t.Errorf("ParseName(%q): %q, want %q", in, text(err), want)
		}
		if exit.Of(err) != exit.Usage || exit.HintOf(err) == "" {
			t.Errorf("ParseName(%q): exit code %d, hint %q", in, exit.Of(err), exit.HintOf(err))
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"cn=Demo CA,o=Demo,c=SE", `cn="a, b"+sn=\31`, "oid.1.2.3=#0500", ";"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := pki.ParseName(s)
		if err != nil {
			return
		}
		back, err := pki.ParseName(n.String())
		if err != nil || !back.Equal(n) {
			t.Fatalf("%q became %q, and that %q, %v", s, n, back, err)
		}
	})
}

func FuzzParseRawName(f *testing.F) {
	f.Add([]byte{0x30, 0x00})
	f.Add([]byte{0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x06, 0x13, 0x02, 'S', 'E'})
	f.Fuzz(func(_ *testing.T, der []byte) { _ = pki.DN(der) })
}
