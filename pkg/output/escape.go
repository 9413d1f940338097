package output

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes text from outside safe for a terminal and for forms of one
// record a line. What is not plainly visible is written as in Go: \t \n \r,
// \x1b for other control characters of ASCII, \x85 for a byte that is not
// UTF-8, \u202e for the rest (C1 controls, direction marks and overrides,
// zero-width characters, line and paragraph separators, private use), with
// \U000e0001 past the 16-bit range.
//
// A backslash stays as it is, because distinguished names are full of them,
// except where it would look like the start of such an escape: there it is
// doubled. So the original can always be had back, and two different texts
// never look the same.
func Escape(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		rest := s[i+size:]
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteByte('\\')
			if startsEscape(rest) {
				b.WriteByte('\\')
			}
		case !hidden(r):
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// hidden says whether a character does something other than show a glyph of
// its own: controls, format characters, unassigned and private ones, and
// letters that are invisible by definition.
func hidden(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return !unicode.IsGraphic(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// isPlain is the short way out for nearly all text.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// startsEscape says whether what follows a backslash would turn it into an
// escape: one of our letters, another backslash, or something escaped itself.
func startsEscape(rest string) bool {
	if rest == "" {
		return false
	}
	if strings.IndexByte(`tnrxuU\`, rest[0]) >= 0 {
		return true
	}
	r, size := utf8.DecodeRuneInString(rest)
	return hidden(r) || r == utf8.RuneError && size == 1
}
