package pki

import (
	"bytes"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ACAttribute is one attribute of the holder. A value that is neither text nor
// name is told by its length: it may hold a secret (RFC 5755, 4.4.1).
type ACAttribute struct {
	Type   string // role, group, ..., a keyword of names, or the object identifier
	Values []string
}

var acAttributes = map[string]string{
	"1.3.6.1.5.5.7.10.1": "authenticationInfo", "1.3.6.1.5.5.7.10.2": "accessIdentity", "1.3.6.1.5.5.7.10.3": "chargingIdentity",
	"1.3.6.1.5.5.7.10.4": "group", "1.3.6.1.5.5.7.10.6": "encAttrs", "2.5.4.72": "role", "2.5.4.55": "clearance",
}

// directoryName is the first directory name among GeneralNames, in DER; nil
// when there is none.
func directoryName(names cryptobyte.String) ([]byte, error) {
	for !names.Empty() {
		var name, dn cryptobyte.String
		var tag cbasn1.Tag
		if !names.ReadAnyASN1(&name, &tag) {
			return nil, errAttrCert
		}
		if tag != cbasn1.Tag(4).ContextSpecific().Constructed() {
			continue
		}
		if !name.ReadASN1Element(&dn, cbasn1.SEQUENCE) || !name.Empty() {
			return nil, errAttrCert
		}
		return dn, nil
	}
	return nil, nil
}

func readACAttribute(s *cryptobyte.String) (ACAttribute, error) {
	var a ACAttribute
	var pair, values cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) || !pair.ReadASN1(&values, cbasn1.SET) || !pair.Empty() {
		return a, errAttrCert
	}
	a.Type = oid.String()
	if word, ok := acAttributes[a.Type]; ok {
		a.Type = word
	} else if word, ok := keywords[a.Type]; ok {
		a.Type = word
	}
	for !values.Empty() {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !values.ReadAnyASN1Element(&element, &tag) {
			return a, errAttrCert
		}
		a.Values = append(a.Values, a.value(element, tag))
	}
	return a, nil
}

func (a ACAttribute) value(element cryptobyte.String, tag cbasn1.Tag) string {
	hidden := fmt.Sprintf("(%d bytes)", len(element))
	if text := textOf(element, tag); text != "" && text[0] != '#' {
		return text
	}
	var body cryptobyte.String
	if !element.ReadASN1(&body, cbasn1.SEQUENCE) {
		return hidden
	}
	switch a.Type {
	case "role": // RoleSyntax: the authority may stand before the name
		var name cryptobyte.String
		if body.SkipOptionalASN1(explicit0) && body.ReadASN1(&name, explicit1) {
			return generalName(name, hidden)
		}
	case "group", "chargingIdentity": // IetfAttrSyntax
		var values cryptobyte.String
		if body.SkipOptionalASN1(explicit0) && body.ReadASN1(&values, cbasn1.SEQUENCE) {
			return texts(values, hidden)
		}
	}
	return hidden
}

// generalName is the text of an explicitly tagged GeneralName.
func generalName(name cryptobyte.String, otherwise string) string {
	var value, dn cryptobyte.String
	var tag cbasn1.Tag
	if !name.ReadAnyASN1(&value, &tag) {
		return otherwise
	}
	switch tag {
	case cbasn1.Tag(1).ContextSpecific(), cbasn1.Tag(2).ContextSpecific(), cbasn1.Tag(6).ContextSpecific(): // mail, DNS, URI
		return string(bytes.ToValidUTF8(value, []byte("?")))
	case cbasn1.Tag(4).ContextSpecific().Constructed():
		if value.ReadASN1Element(&dn, cbasn1.SEQUENCE) {
			return DN(dn)
		}
	}
	return otherwise
}

func texts(values cryptobyte.String, otherwise string) string {
	out := ""
	for !values.Empty() {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !values.ReadAnyASN1Element(&element, &tag) {
			return otherwise
		}
		text := textOf(element, tag)
		if tag == cbasn1.OCTET_STRING {
			text = fmt.Sprintf("(%d bytes)", len(element))
		}
		if out != "" {
			out += ", "
		}
		out += text
	}
	return out
}
