// Package dn reads and writes distinguished names as the API gives them: text
// by RFC 1779 (cn=Demo CA,o=Demo,c=SE), most specific part first, that is in
// the reverse of the encoded order.
package dn

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
)

// names lists attribute types: the keyword written out first, then the others
// that are understood, all in lower case.
var names = []struct {
	oid  string
	keys []string
}{
	{"2.5.4.3", []string{"cn", "commonname"}},
	{"2.5.4.4", []string{"sn", "surname"}},
	{"2.5.4.5", []string{"serialnumber"}},
	{"2.5.4.6", []string{"c", "countryname", "country"}},
	{"2.5.4.7", []string{"l", "localityname", "locality"}},
	{"2.5.4.8", []string{"st", "stateorprovincename", "s", "sp"}},
	{"2.5.4.9", []string{"street", "streetaddress"}},
	{"2.5.4.10", []string{"o", "organizationname", "organisationname"}},
	{"2.5.4.11", []string{"ou", "organizationalunitname", "organisationalunitname"}},
	{"2.5.4.12", []string{"title", "t"}},
	{"2.5.4.17", []string{"postalcode"}},
	{"2.5.4.42", []string{"gn", "givenname", "g"}},
	{"2.5.4.43", []string{"initials"}},
	{"2.5.4.44", []string{"generationqualifier"}},
	{"2.5.4.46", []string{"dnq", "dnqualifier"}},
	{"2.5.4.65", []string{"pseudonym"}},
	{"2.5.4.97", []string{"organizationidentifier", "organisationidentifier"}},
	{"0.9.2342.19200300.100.1.1", []string{"uid", "userid"}},
	{"0.9.2342.19200300.100.1.25", []string{"dc", "domaincomponent"}},
	{"1.2.840.113549.1.9.1", []string{"e", "emailaddress", "email"}},
}

// Attribute is one type and value of a name.
type Attribute struct{ OID, Value string }

// Parse decodes a name into its parts, most specific first; a part with more
// than one attribute is rare, but legal.
func Parse(raw []byte) ([][]Attribute, error) {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &rdns); err != nil {
		return nil, fmt.Errorf("the name cannot be decoded: %w", err)
	} else if len(rest) > 0 {
		return nil, fmt.Errorf("%d octets follow the name", len(rest))
	}
	parts := make([][]Attribute, 0, len(rdns))
	for k := len(rdns) - 1; k >= 0; k-- {
		part := make([]Attribute, len(rdns[k]))
		for j, a := range rdns[k] {
			part[j] = Attribute{a.Type.String(), fmt.Sprint(a.Value)}
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// Values lists the bare values of a decoded name.
func Values(parts [][]Attribute) []string {
	var values []string
	for _, part := range parts {
		for _, a := range part {
			values = append(values, a.Value)
		}
	}
	return values
}

// First is the most specific value of an attribute type, "" when it has none.
func First(parts [][]Attribute, oid string) string {
	for _, part := range parts {
		for _, a := range part {
			if a.OID == oid {
				return a.Value
			}
		}
	}
	return ""
}

// Text writes a decoded name by RFC 1779.
func Text(parts [][]Attribute) string {
	var b strings.Builder
	for k, part := range parts {
		if k > 0 {
			b.WriteByte(',')
		}
		for j, a := range part {
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(Keyword(a.OID) + "=" + quote(a.Value))
		}
	}
	return b.String()
}

// Keyword is the name of an attribute type, in lower case.
func Keyword(oid string) string {
	for _, n := range names {
		if n.oid == oid {
			return n.keys[0]
		}
	}
	return "oid." + oid
}

// quote puts quotation marks around a value that could not be read back
// without them.
func quote(v string) string {
	plain := v != "" && strings.TrimSpace(v) == v && !strings.ContainsAny(v, ",=+<>#;\\\"\r\n")
	if plain {
		return v
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
}
