package pki

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Name is a distinguished name, first what stands first in the certificate
// (usually the country).
type Name []RDN

// RDN is one step of a name; it nearly always has one attribute.
type RDN []Attribute

// Attribute is one type and value. Type is the short upper-case keyword, or
// the dotted object identifier where there is none. A value that is no text
// is #hex of its DER.
type Attribute struct {
	Type, Value string
}

// Keywords of RFC 4514, then what OpenSSL and CM use besides.
var keywords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
	"2.5.4.10": "O", "2.5.4.11": "OU", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
	"2.5.4.4": "SN", "2.5.4.42": "GIVENNAME", "2.5.4.5": "SERIALNUMBER", "2.5.4.12": "T",
	"2.5.4.43": "INITIALS", "2.5.4.44": "GENERATIONQUALIFIER", "2.5.4.46": "DNQUALIFIER", "2.5.4.65": "PSEUDONYM",
	"2.5.4.97": "ORGANIZATIONIDENTIFIER", "1.2.840.113549.1.9.1": "EMAILADDRESS",
}

// Other spellings that are read; only the first form is written.
var keywordAliases = map[string]string{
	"S": "ST", "SP": "ST", "E": "EMAILADDRESS", "EMAIL": "EMAILADDRESS", "G": "GIVENNAME", "GN": "GIVENNAME",
	"SURNAME": "SN", "TITLE": "T", "COMMONNAME": "CN", "COUNTRYNAME": "C", "ORGANIZATIONNAME": "O", "ORGANIZATIONALUNITNAME": "OU",
	"LOCALITYNAME": "L", "STATEORPROVINCENAME": "ST", "STREETADDRESS": "STREET", "DOMAINCOMPONENT": "DC", "USERID": "UID",
	"DEVICESERIALNUMBER": "SERIALNUMBER",
}

// IsKeyword tells whether a word is the type of an attribute in names, in any
// spelling that is read.
func IsKeyword(word string) bool {
	word = strings.ToUpper(word)
	if _, ok := keywordAliases[word]; ok {
		return true
	}
	for _, k := range keywords {
		if k == word {
			return true
		}
	}
	return false
}

// ParseRawName reads a name from its DER, such as RawIssuer of a certificate.
func ParseRawName(der []byte) (Name, error) {
	var rdns cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&rdns, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, fmt.Errorf("the distinguished name is not DER")
	}
	name := Name{}
	for !rdns.Empty() {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, cbasn1.SET) {
			return nil, fmt.Errorf("the distinguished name is damaged")
		}
		var rdn RDN
		for !set.Empty() {
			var pair, value cryptobyte.String
			var oid asn1.ObjectIdentifier
			var tag cbasn1.Tag
			if !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) ||
				!pair.ReadAnyASN1Element(&value, &tag) || !pair.Empty() {
				return nil, fmt.Errorf("the distinguished name is damaged")
			}
			kind := oid.String()
			if word, ok := keywords[kind]; ok {
				kind = word
			}
			rdn = append(rdn, Attribute{kind, textOf(value, tag)})
		}
		name = append(name, rdn)
	}
	return name, nil
}

// DN is the RFC 4514 text of a name in DER; of one that cannot be read, #hex.
func DN(der []byte) string {
	name, err := ParseRawName(der)
	if err != nil {
		return "#" + hex.EncodeToString(der)
	}
	return name.String()
}

// String is the name by RFC 4514: CN=Demo Issuing CA,O=Demo,C=SE.
func (n Name) String() string {
	var b strings.Builder
	for i := len(n) - 1; i >= 0; i-- {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		for j, a := range n[i] {
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(strings.ToUpper(a.Type) + "=" + escape4514(a.Value))
		}
	}
	return b.String()
}

func isOID(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

func escape4514(v string) string {
	if strings.HasPrefix(v, "#") {
		if _, err := hex.DecodeString(v[1:]); err == nil && len(v) > 1 {
			return v
		}
	}
	var b strings.Builder
	for i, r := range v {
		last := i+utf8.RuneLen(r) == len(v)
		switch {
		case strings.ContainsRune(`,+"\<>;=`, r), r == '#' && i == 0, r == ' ' && (i == 0 || last):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// textOf decodes the string types of X.520.
func textOf(element cryptobyte.String, tag cbasn1.Tag) string {
	raw := "#" + hex.EncodeToString(element)
	var value cryptobyte.String
	if !element.ReadASN1(&value, tag) {
		return raw
	}
	switch tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, 26: // 26: VisibleString
		if utf8.Valid(value) {
			return string(value)
		}
	case asn1.TagT61String: // in practice Latin-1
		runes := make([]rune, len(value))
		for i, b := range value {
			runes[i] = rune(b)
		}
		return string(runes)
	case asn1.TagBMPString:
		if len(value)%2 == 0 {
			units := make([]uint16, 0, len(value)/2)
			for pair := range slices.Chunk(value, 2) {
				units = append(units, uint16(pair[0])<<8|uint16(pair[1]))
			}
			return string(utf16.Decode(units))
		}
	case 28: // UniversalString
		if len(value)%4 == 0 {
			var b bytes.Buffer
			for quad := range slices.Chunk(value, 4) {
				b.WriteRune(rune(quad[0])<<24 | rune(quad[1])<<16 | rune(quad[2])<<8 | rune(quad[3]))
			}
			return b.String()
		}
	}
	return raw
}
