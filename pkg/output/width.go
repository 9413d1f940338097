package output

import (
	"unicode"

	"golang.org/x/text/width"
)

// textWidth is the number of cells that escaped text takes on a terminal: two
// for wide East Asian characters and emoji, none for marks that combine with
// the character before them.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300: // up to the first combining mark
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me), r >= 0x1160 && r <= 0x11ff: // and Hangul written in parts
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
