package dn

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold brings text into the one form in which texts that differ only in case,
// or in how an accented letter is composed, are the same.
func Fold(s string) string {
	for k := 0; k < len(s); k++ {
		if s[k] >= 0x80 {
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}

// Canonical brings RFC 1779 text into the one form in which equal names are
// equal strings: attribute types as numbers, values without quoting, folded,
// runs of blanks as one. The order of the parts is kept: another order is
// another name.
func Canonical(text string) (string, error) {
	p := parser{rest: text}
	var parts []string
	for {
		var part []string
		for {
			key, value, err := p.pair()
			if err != nil {
				return "", err
			}
			part = append(part, key+"="+strconv.Quote(Fold(strings.Join(strings.Fields(value), " "))))
			if !p.take("+") {
				break
			}
		}
		slices.Sort(part)
		parts = append(parts, strings.Join(part, "+"))
		if !p.take(",;") {
			break
		}
	}
	if p.rest != "" {
		return "", fmt.Errorf("%q follows the name", p.rest)
	}
	return strings.Join(parts, ","), nil
}

type parser struct{ rest string }

const blanks = " \t\r\n"

func (p *parser) skip() { p.rest = strings.TrimLeft(p.rest, blanks) }

// take reads one of the characters, and blanks around it.
func (p *parser) take(chars string) bool {
	p.skip()
	if p.rest == "" || !strings.ContainsRune(chars, rune(p.rest[0])) {
		return false
	}
	p.rest = p.rest[1:]
	p.skip()
	return true
}

func (p *parser) pair() (key, value string, err error) {
	p.skip()
	name, rest, ok := strings.Cut(p.rest, "=")
	if !ok {
		return "", "", errors.New("not a distinguished name: no = after an attribute name")
	}
	if key, err = oidOf(strings.Trim(name, blanks)); err != nil {
		return "", "", err
	}
	p.rest = rest
	p.skip()
	switch {
	case strings.HasPrefix(p.rest, `"`):
		value, err = p.quoted()
	case strings.HasPrefix(p.rest, "#"):
		value, err = p.encoded()
	default:
		value, err = p.plain()
	}
	return key, value, err
}

func oidOf(name string) (string, error) {
	key := strings.ToLower(name)
	key = strings.TrimPrefix(key, "oid.")
	for _, n := range names {
		if n.oid == key || slices.Contains(n.keys, key) {
			return n.oid, nil
		}
	}
	if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return "", fmt.Errorf("%q is not an attribute name", name)
	}
	return key, nil
}

func (p *parser) quoted() (string, error) {
	var b strings.Builder
	for k := 1; k < len(p.rest); k++ {
		switch c := p.rest[k]; c {
		case '"':
			p.rest = p.rest[k+1:]
			return b.String(), nil
		case '\\':
			n, err := unescape(&b, p.rest[k+1:])
			if err != nil {
				return "", err
			}
			k += n
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a quotation mark is not closed")
}

// plain reads to the next separator. Blanks at the end are not part of the
// value, unless escaped.
func (p *parser) plain() (string, error) {
	var b strings.Builder
	kept := 0
	k := 0
	for ; k < len(p.rest) && !strings.ContainsRune(",;+", rune(p.rest[k])); k++ {
		c := p.rest[k]
		switch c {
		case '\\':
			n, err := unescape(&b, p.rest[k+1:])
			if err != nil {
				return "", err
			}
			k += n
			kept = b.Len()
			continue
		case '"':
			return "", errors.New("a quotation mark within a value")
		}
		b.WriteByte(c)
		if !strings.ContainsRune(blanks, rune(c)) {
			kept = b.Len()
		}
	}
	p.rest = p.rest[k:]
	return b.String()[:kept], nil
}

// unescape reads what follows a backslash: a character, or an octet as two hex
// digits, which RFC 4514 brought and many tools write.
func unescape(b *strings.Builder, s string) (int, error) {
	if len(s) >= 2 {
		if octet, err := hex.DecodeString(s[:2]); err == nil {
			b.Write(octet)
			return 2, nil
		}
	}
	if s == "" {
		return 0, errors.New("a backslash at the end")
	}
	b.WriteByte(s[0])
	return 1, nil
}

// encoded reads # and the value's BER encoding in hex.
func (p *parser) encoded() (string, error) {
	digits := p.rest[1:]
	if end := strings.IndexAny(digits, ",;+"); end >= 0 {
		digits = digits[:end]
	}
	der, err := hex.DecodeString(strings.Trim(digits, blanks))
	if err != nil {
		return "", errors.New("# is not followed by hex digits")
	}
	p.rest = p.rest[1+len(digits):]
	var v any
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return "", errors.New("# is not followed by an encoded value")
	}
	return fmt.Sprint(v), nil
}
