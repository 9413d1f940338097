package dn

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"reflect"
	"testing"
)

func TestCanonicalKnowsEqualNames(t *testing.T) {
	const name = "cn=Demo Issuing CA,o=Demo,c=SE"
	for _, c := range []struct {
		name, text string
		same       bool
	}{
		{"itself", name, true},
		{"case of types and values", "CN=DEMO ISSUING ca,O=demo,C=se", true},
		{"blanks", "  CN = Demo Issuing CA ,\n O=Demo ; C=SE ", true},
		{"several blanks in a value", "cn=Demo   Issuing CA,o=Demo,c=SE", true},
		{"quoted", `cn="Demo Issuing CA",o="Demo",c=SE`, true},
		{"escaped", `cn=Demo\ Issuing\20CA,o=Demo,c=SE`, true},
		{"long type names", "commonName=Demo Issuing CA,organizationName=Demo,countryName=SE", true},
		{"numbers", "OID.2.5.4.3=Demo Issuing CA,2.5.4.10=Demo,oid.2.5.4.6=SE", true},
		{"encoded value", "cn=#0c0f44656d6f2049737375696e67204341,o=Demo,c=SE", true},
		{"other order", "c=SE,o=Demo,cn=Demo Issuing CA", false},
		{"a part less", "cn=Demo Issuing CA,o=Demo", false},
		{"a part more", "cn=Demo Issuing CA,ou=x,o=Demo,c=SE", false},
		{"other value", "cn=Demo Issuing CA 2,o=Demo,c=SE", false},
		{"other type", "ou=Demo Issuing CA,o=Demo,c=SE", false},
		{"parts as one", `cn="Demo Issuing CA,o=Demo",c=SE`, false},
		{"one part with two values", "cn=Demo Issuing CA+o=Demo,c=SE", false},
	} {
		want, err := Canonical(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Canonical(c.text)
		if err != nil || (got == want) != c.same {
			t.Errorf("%s: %s and %s (%v), same %t", c.name, got, want, err, c.same)
		}
	}
}

func TestCanonicalOrdersOnePart(t *testing.T) {
	a, err1 := Canonical("cn=x+uid=y,c=SE")
	b, err2 := Canonical("UID=Y + CN=X, C=SE")
	if err1 != nil || err2 != nil || a != b {
		t.Errorf("%q %v, %q %v", a, err1, b, err2)
	}
}

func TestCanonicalRefusesWhatIsNoName(t *testing.T) {
	for _, text := range []string{"", "Demo Issuing CA", "cn=x,", "cn=x,,c=SE", "=x", "c n=x", `cn="x`, `cn="x"y`, `cn=x"y`, `cn=x\`, "cn=#0g", "cn=#0c05", "cn=#"} {
		if got, err := Canonical(text); err == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"ASCII", "Demo USER", "demo user", true},
		{"letters with marks", "ÅSA ÖBERG", "åsa öberg", true},
		{"composed and not", "e\u0301", "É", true},
		{"Greek", "ΣΑΣ", "σας", true},
		{"sharp s", "STRASSE", "straße", true},
		{"another mark", "Oberg", "Öberg", false},
		{"a blank more", "a b", "a  b", false},
	} {
		if a, b := Fold(c.a), Fold(c.b); (a == b) != c.same {
			t.Errorf("%s: %q and %q, same %t", c.name, a, b, c.same)
		}
	}
}

func TestTextAndValues(t *testing.T) {
	one := func(oid []int, v any) pkix.RelativeDistinguishedNameSET {
		return pkix.RelativeDistinguishedNameSET{{Type: oid, Value: v}}
	}
	for _, c := range []struct {
		name   string
		rdns   pkix.RDNSequence
		text   string
		values []string
	}{
		{"most specific first", pkix.RDNSequence{one([]int{2, 5, 4, 6}, "SE"), one([]int{2, 5, 4, 10}, "Demo"), one([]int{2, 5, 4, 3}, "Demo User")},
			"cn=Demo User,o=Demo,c=SE", []string{"Demo User", "Demo", "SE"}},
		{"quotes", pkix.RDNSequence{one([]int{2, 5, 4, 3}, `a, "b" \`)}, `cn="a, \"b\" \\"`, []string{`a, "b" \`}},
		{"blanks", pkix.RDNSequence{one([]int{2, 5, 4, 3}, " a")}, `cn=" a"`, []string{" a"}},
		{"unknown type", pkix.RDNSequence{one([]int{1, 2, 3}, "x")}, "oid.1.2.3=x", []string{"x"}},
		{"two in a part", pkix.RDNSequence{{{Type: []int{2, 5, 4, 3}, Value: "x"}, {Type: []int{2, 5, 4, 5}, Value: "1"}}}, "cn=x+serialnumber=1", []string{"x", "1"}},
		{"empty", pkix.RDNSequence{}, "", nil},
	} {
		raw, err := asn1.Marshal(c.rdns)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := Text(parts); got != c.text {
			t.Errorf("%s: %s", c.name, got)
		}
		if got := Values(parts); !reflect.DeepEqual(got, c.values) {
			t.Errorf("%s: %q", c.name, got)
		}
		if _, err := Parse(append(raw, 0)); err == nil {
			t.Errorf("%s: something follows, and it is read", c.name)
		}
	}
	parts := [][]Attribute{{{"2.5.4.11", "a"}}, {{"2.5.4.11", "b"}}}
	if got := First(parts, "2.5.4.11"); got != "a" {
		t.Errorf("first unit is %q", got)
	}
	if got := First(parts, "2.5.4.3"); got != "" {
		t.Errorf("common name is %q", got)
	}
}

// What Text writes must be read back as the same name.
func FuzzTextIsReadBack(f *testing.F) {
	for _, v := range []string{"Demo", " a ", `"`, `\`, "a,b;c+d=e", "#41", "\x1b\n\t", "ÅÄÖ", ""} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		text := Text([][]Attribute{{{"2.5.4.3", v}}, {{"2.5.4.6", "SE"}}})
		got, err := Canonical(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want, err := Canonical(`cn="` + escapeAll(v) + `",c=SE`)
		if err != nil || got != want {
			t.Errorf("%q is read as %q, not %q (%v)", text, got, want, err)
		}
	})
}

// escapeAll writes every octet in hex.
func escapeAll(v string) string {
	out := make([]byte, 0, 3*len(v))
	for _, b := range []byte(v) {
		out = append(out, '\\', "0123456789abcdef"[b>>4], "0123456789abcdef"[b&15])
	}
	return string(out)
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"cn=x,c=SE", `cn="a\"b"`, "oid.1.2=#0c0141+uid=\\41", ";,+="} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) { _, _ = Canonical(s) })
}
