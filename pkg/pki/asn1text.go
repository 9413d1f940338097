package pki

import (
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of an outline: what is deeper or longer is told by its size.
const (
	outlineDepth = 24
	outlineLines = 400
	outlineText  = 64
)

var tagNames = map[cbasn1.Tag]string{
	cbasn1.BOOLEAN: "BOOLEAN", cbasn1.INTEGER: "INTEGER", cbasn1.BIT_STRING: "BIT STRING", cbasn1.OCTET_STRING: "OCTET STRING",
	cbasn1.NULL: "NULL", cbasn1.OBJECT_IDENTIFIER: "OBJECT IDENTIFIER", cbasn1.ENUM: "ENUMERATED", cbasn1.UTF8String: "UTF8String",
	cbasn1.SEQUENCE: "SEQUENCE", cbasn1.SET: "SET", cbasn1.PrintableString: "PrintableString", cbasn1.T61String: "T61String",
	cbasn1.IA5String: "IA5String", cbasn1.UTCTime: "UTCTime", cbasn1.GeneralizedTime: "GeneralizedTime", cbasn1.GeneralString: "GeneralString",
	asn1.TagNumericString: "NumericString", asn1.TagBMPString: "BMPString", 26: "VisibleString", 28: "UniversalString",
}

// Outline shows the ASN.1 structure of data that has no reader here, a line an
// element, indented by depth. What may be a secret is told by its length only:
// octets, bits and numbers longer than eight octets. The number of lines, the
// depth and the length of a line are bounded.
func Outline(data []byte) ([]string, error) {
	der, err := DER(data)
	if err != nil {
		return nil, err
	}
	w := &outliner{}
	w.elements(der, 0)
	if w.more > 0 {
		w.lines = append(w.lines, fmt.Sprintf("... %d elements more", w.more))
	}
	return w.lines, nil
}

type outliner struct {
	lines []string
	more  int
}

func (w *outliner) add(depth int, format string, args ...any) {
	if len(w.lines) == outlineLines {
		w.more++
		return
	}
	w.lines = append(w.lines, strings.Repeat("  ", depth)+fmt.Sprintf(format, args...))
}

func (w *outliner) elements(s cryptobyte.String, depth int) {
	for !s.Empty() {
		var element, body cryptobyte.String
		var tag cbasn1.Tag
		if !s.ReadAnyASN1Element(&element, &tag) {
			w.add(depth, "(%d bytes that are no ASN.1)", len(s))
			return
		}
		whole := element
		element.ReadASN1(&body, tag)
		w.element(whole, body, tag, depth)
	}
}

func (w *outliner) element(whole, body cryptobyte.String, tag cbasn1.Tag, depth int) {
	name, known := tagNames[tag]
	if !known {
		name = classOf(tag)
	}
	switch {
	case tag&constructed != 0 && depth < outlineDepth:
		w.add(depth, "%s", name)
		w.elements(body, depth+1)
	case tag&constructed != 0:
		w.add(depth, "%s (%d bytes, nested too deep)", name, len(body))
	default:
		inner := wrapped(body, tag)
		if value := outlineValue(whole, body, tag); value != "" {
			name += " " + value
		}
		w.add(depth, "%s", name)
		if inner != nil && depth < outlineDepth {
			w.elements(inner, depth+1)
		}
	}
}

// wrapped is the ASN.1 inside of an octet or bit string, nil when what is in
// it is something else. Only a SEQUENCE is believed.
func wrapped(body cryptobyte.String, tag cbasn1.Tag) cryptobyte.String {
	switch tag {
	case cbasn1.BIT_STRING:
		if len(body) == 0 || body[0] != 0 {
			return nil
		}
		body = body[1:]
	case cbasn1.OCTET_STRING:
	default:
		return nil
	}
	s := body
	var inner cryptobyte.String
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !s.Empty() || inner.Empty() || !isDER(body, 0) {
		return nil
	}
	return body
}

func outlineValue(whole, body cryptobyte.String, tag cbasn1.Tag) string {
	size := fmt.Sprintf("(%d bytes)", len(body))
	switch tag {
	case cbasn1.NULL:
		return ""
	case cbasn1.BOOLEAN:
		if len(body) == 1 {
			return fmt.Sprint(body[0] != 0)
		}
	case cbasn1.INTEGER:
		n := new(big.Int)
		if len(body) <= 8 && whole.ReadASN1Integer(n) {
			return n.String()
		}
	case cbasn1.OBJECT_IDENTIFIER:
		var oid asn1.ObjectIdentifier
		if whole.ReadASN1ObjectIdentifier(&oid) {
			if word, ok := keywords[oid.String()]; ok {
				return oid.String() + " " + word
			}
			return oid.String()
		}
	case cbasn1.UTCTime:
		var t time.Time
		if whole.ReadASN1UTCTime(&t) {
			return FormatTime(t)
		}
	case cbasn1.GeneralizedTime:
		var t time.Time
		if whole.ReadASN1GeneralizedTime(&t) {
			return FormatTime(t)
		}
	case cbasn1.OCTET_STRING, cbasn1.BIT_STRING:
		return size
	default:
		if text := textOf(whole, tag); !strings.HasPrefix(text, "#") {
			return clipText(text)
		}
	}
	return size
}

// clipText quotes a text, cut to a bound that counts characters.
func clipText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > outlineText {
		return fmt.Sprintf("%q... (%d characters)", string(r[:outlineText]), len(r))
	}
	return fmt.Sprintf("%q", s)
}

func classOf(tag cbasn1.Tag) string {
	number := tag & 0x1f
	switch tag & 0xc0 {
	case 0x40:
		return fmt.Sprintf("[APPLICATION %d]", number)
	case 0x80:
		return fmt.Sprintf("[%d]", number)
	case 0xc0:
		return fmt.Sprintf("[PRIVATE %d]", number)
	}
	return fmt.Sprintf("[UNIVERSAL %d]", number)
}
