package pki

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
)

// DER encodes the name for a request: UTF8String, but PrintableString and
// IA5String where RFC 5280 and RFC 4519 demand them. A value of #hex goes in
// as it is. An attribute whose keyword is not known, and a value that its
// attribute cannot have, are errors.
func (n Name) DER() ([]byte, error) {
	var b cryptobyte.Builder
	var bad error
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, rdn := range n {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				var pairs [][]byte
				for _, a := range rdn {
					der, err := a.encode()
					if err != nil && bad == nil {
						bad = err
					}
					pairs = append(pairs, der)
				}
				slices.SortFunc(pairs, bytes.Compare) // DER of a SET OF
				for _, der := range pairs {
					b.AddBytes(der)
				}
			})
		}
	})
	if bad != nil {
		return nil, bad
	}
	return b.Bytes()
}

func (a Attribute) encode() ([]byte, error) {
	oid, err := attributeOID(a.Type)
	if err != nil {
		return nil, err
	}
	value, err := a.encodeValue()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddBytes(value)
	})
	return b.Bytes()
}

func attributeOID(kind string) (asn1.ObjectIdentifier, error) {
	dotted := kind
	if !isOID(kind) {
		dotted = ""
		for oid, word := range keywords {
			if word == kind {
				dotted = oid
			}
		}
	}
	var oid asn1.ObjectIdentifier
	for _, arc := range strings.Split(dotted, ".") {
		n, err := strconv.Atoi(arc)
		if err != nil {
			return nil, exit.Usagef(nameHint, "a subject cannot have the attribute %q: it is not known here; write its object identifier", clip(kind))
		}
		oid = append(oid, n)
	}
	if len(oid) < 2 || oid[0] > 2 || oid[0] < 2 && oid[1] > 39 {
		return nil, exit.Usagef(nameHint, "%q is no object identifier", clip(kind))
	}
	return oid, nil
}

func (a Attribute) encodeValue() ([]byte, error) {
	if raw, err := hex.DecodeString(strings.TrimPrefix(a.Value, "#")); err == nil && strings.HasPrefix(a.Value, "#") && len(raw) > 0 {
		element := cryptobyte.String(raw)
		if !element.SkipASN1(cbasn1.Tag(raw[0])) || !element.Empty() {
			return nil, exit.Usagef("", "the value %s of %s is no DER", clip(a.Value), a.Type)
		}
		return raw, nil
	}
	tag := cbasn1.UTF8String
	fits := func(rune) bool { return true }
	switch a.Type {
	case "C", "SERIALNUMBER", "DNQUALIFIER":
		tag, fits = cbasn1.PrintableString, isPrintable
	case "DC", "EMAILADDRESS":
		tag, fits = cbasn1.IA5String, func(r rune) bool { return r < 0x80 }
	}
	for _, r := range a.Value {
		if !fits(r) {
			return nil, exit.Usagef("", "the value %q of %s has a character that this attribute cannot have: %q", clip(a.Value), a.Type, r)
		}
	}
	switch {
	case a.Value == "":
		return nil, exit.Usagef(nameHint, "%s has no value", a.Type)
	case a.Type == "C" && len(a.Value) != 2:
		return nil, exit.Usagef("the country is its two letters by ISO 3166, such as SE", "C=%s: expected two letters", clip(a.Value))
	}
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.Value)) })
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("cannot encode %s: %w", a.Type, err)
	}
	return der, nil
}

func isPrintable(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(" '()+,-./:=?", r)
}
