package pki

import (
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cmctl/cmctl/pkg/exit"
)

const nameHint = "write it as cn=Demo Issuing CA,o=Demo,c=SE"

// ParseName reads a name from text by RFC 1779, 2253 or 4514: most specific
// first, parted by commas or semicolons, values quoted or escaped.
func ParseName(text string) (Name, error) {
	p := nameParser{rest: text}
	name := Name{}
	for p.skipBlanks(); p.rest != "" || len(name) > 0; {
		var rdn RDN
		for {
			a, err := p.attribute()
			if err != nil {
				return nil, exit.Usagef(nameHint, "%q is not a distinguished name: %w", clip(text), err)
			}
			rdn = append(rdn, a)
			if !p.take('+') {
				break
			}
		}
		name = append(name, rdn)
		if p.rest == "" {
			break
		}
		if !p.take(',') && !p.take(';') {
			return nil, exit.Usagef(nameHint, "%q is not a distinguished name: a comma is missing before %q", clip(text), clip(p.rest))
		}
	}
	slices.Reverse(name)
	return name, nil
}

// SameName tells whether two texts name the same: as distinguished names,
// keywords and letter case and runs of blanks aside, in either direction,
// else as plain text.
func SameName(a, b string) bool {
	if strings.EqualFold(blanks(a), blanks(b)) {
		return true
	}
	m, errM := ParseName(a)
	n, errN := ParseName(b)
	return errM == nil && errN == nil && m.Equal(n)
}

// Equal compares names without regard to letter case, runs of blanks and
// direction: some tools write a name from the country down.
func (n Name) Equal(m Name) bool {
	x, y := n.fold(), m.fold()
	if slices.Equal(x, y) {
		return true
	}
	slices.Reverse(y)
	return slices.Equal(x, y)
}

func (n Name) fold() []string {
	steps := make([]string, len(n))
	for i, rdn := range n {
		pairs := make([]string, len(rdn))
		for j, a := range rdn {
			pairs[j] = a.Type + "=" + strings.ToLower(blanks(a.Value))
		}
		slices.Sort(pairs)
		steps[i] = strings.Join(pairs, "\x00")
	}
	return steps
}

func blanks(s string) string { return strings.Join(strings.Fields(s), " ") }

type nameError string

func (e nameError) Error() string { return string(e) }

type nameParser struct{ rest string }

func (p *nameParser) skipBlanks() { p.rest = strings.TrimLeft(p.rest, " \r\n\t") }

func (p *nameParser) take(c byte) bool {
	p.skipBlanks()
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *nameParser) attribute() (Attribute, error) {
	p.skipBlanks()
	kind, rest, ok := strings.Cut(p.rest, "=")
	kind = strings.ToUpper(strings.TrimSpace(kind))
	if !ok || kind == "" || strings.ContainsAny(kind, `,;+"\ `) {
		return Attribute{}, nameError("attribute=value is missing")
	}
	if dotted := strings.TrimPrefix(kind, "OID."); isOID(dotted) {
		kind = dotted
	}
	if word, ok := keywords[kind]; ok {
		kind = word
	} else if word, ok := keywordAliases[kind]; ok {
		kind = word
	}
	p.rest = strings.TrimLeft(rest, " \r\n\t")
	value, err := p.value()
	return Attribute{kind, value}, err
}

func (p *nameParser) value() (string, error) {
	quoted := p.rest != "" && p.rest[0] == '"'
	if quoted {
		p.rest = p.rest[1:]
	}
	var out []byte
	keep := 0 // escaped blanks at the end are part of the value
	for i := 0; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == '\\' && i+1 < len(p.rest):
			if i+2 < len(p.rest) {
				if b, err := hex.DecodeString(p.rest[i+1 : i+3]); err == nil {
					out = append(out, b...)
					i += 2
					keep = len(out)
					continue
				}
			}
			i++
			out = append(out, p.rest[i])
			keep = len(out)
		case c == '\\':
			return "", nameError("it ends in a backslash")
		case quoted && c == '"':
			p.rest = p.rest[i+1:]
			p.skipBlanks()
			return checkText(out)
		case !quoted && strings.IndexByte(",;+", c) >= 0:
			p.rest = p.rest[i:]
			return checkText(trimBlanks(out, keep))
		case !quoted && c == '"':
			return "", nameError("a quote stands in the middle of a value")
		default:
			out = append(out, c)
		}
	}
	if quoted {
		return "", nameError("a quote is not closed")
	}
	p.rest = ""
	return checkText(trimBlanks(out, keep))
}

func trimBlanks(out []byte, keep int) []byte {
	for len(out) > keep && strings.IndexByte(" \r\n\t", out[len(out)-1]) >= 0 {
		out = out[:len(out)-1]
	}
	return out
}

func checkText(b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", nameError("a value is not UTF-8")
	}
	return string(b), nil
}
