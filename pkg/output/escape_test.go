package output

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "CN=Demo User, O=Demo, C=SE", "CN=Demo User, O=Demo, C=SE"},
		{"letters of other scripts", "Åsa Öberg 日本語 हिन्दी e\u0301", "Åsa Öberg 日本語 हिन्दी e\u0301"},
		{"tab and newlines", "a\tb\nc\r", `a\tb\nc\r`},
		{"terminal escape", "\x1b[31mred\x1b]0;title\a", `\x1b[31mred\x1b]0;title\x07`},
		{"DEL and NUL", "\x7f\x00", `\x7f\x00`},
		{"C1 controls", "\u009b31m\u0085", `\u009b31m\u0085`},
		{"bytes that are no UTF-8", "\x9b\xff", `\x9b\xff`},
		{"an encoded U+FFFD is a character", "\ufffd", "\ufffd"},
		{"bidi marks", "\u200e\u200f\u061c", `\u200e\u200f\u061c`},
		{"bidi overrides", "\u202a\u202e\u2066\u2069", `\u202a\u202e\u2066\u2069`},
		{"zero width", "\u200b\u200c\u200d\u2060\ufeff", `\u200b\u200c\u200d\u2060\ufeff`},
		{"line and paragraph separators", "\u2028\u2029", `\u2028\u2029`},
		{"tag characters", "\U000e0041", `\U000e0041`},
		{"invisible letters", "\u3164\u115f\u034f", `\u3164\u115f\u034f`},
		{"private use", "\ue000", `\ue000`},
		{"backslash of a name stays", `O=Demo\, Inc\+x`, `O=Demo\, Inc\+x`},
		{"backslash that looks like an escape", `C:\temp\x1b`, `C:\\temp\\x1b`},
		{"backslash before a control", "\\\x1b", `\\\x1b`},
		{"backslash before a bad byte", "\\\xff", `\\\xff`},
		{"two backslashes", `\\`, `\\\`},
		{"backslash at the end", `a\`, `a\`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Escape(tt.in)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if back := unescape(t, got); back != tt.in {
				t.Errorf("comes back as %q, was %q", back, tt.in)
			}
		})
	}
}

// unescape is the reader of Escape's notation, written from its description.
func unescape(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		digits := 0
		switch s[i+1] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case '\\':
			b.WriteByte('\\')
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			b.WriteByte('\\')
			continue
		}
		i++
		if digits == 0 {
			continue
		}
		n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if digits == 2 {
			b.WriteByte(byte(n))
		} else {
			b.WriteRune(rune(n))
		}
		i += digits
	}
	return b.String()
}

// hostile is text with one of everything that must not get out.
const hostile = "a\x1b[2J\tb\nc\r\x00\x7f\u009b\u202e\u200b\u2028\xff\U000e0041"

func rawIn(s string) (rune, bool) {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return r, true
		}
		if r != '\n' && r != '\t' && hidden(r) {
			return r, true
		}
	}
	return 0, false
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain", hostile, `\\x`, "\\\u202e", "日本\xe6"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		if r, bad := rawIn(got); bad || strings.ContainsAny(got, "\n\t") {
			t.Fatalf("%q lets %U out: %q", s, r, got)
		}
		if back := unescape(t, got); back != s {
			t.Fatalf("%q comes back as %q", s, back)
		}

		encoded, err := json.Marshal(map[string]string{"v": s})
		if err != nil {
			t.Fatal(err)
		}
		var want, value map[string]string
		safe := EscapeJSON(encoded)
		if r, bad := rawIn(string(safe)); bad {
			t.Fatalf("JSON of %q lets %U out: %q", s, r, safe)
		}
		if err := json.Unmarshal(encoded, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(safe, &value); err != nil {
			t.Fatalf("%s: %v", safe, err)
		}
		if value["v"] != want["v"] {
			t.Fatalf("JSON value %q became %q", want["v"], value["v"])
		}
	})
}
