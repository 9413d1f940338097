package output

import (
	"strings"
	"testing"
)

// Lines below a label stand indented in the details form only, and are escaped
// like everything else.
func TestBelow(t *testing.T) {
	noun := Noun[[]string]{Fields: []Field[[]string]{
		{Name: "n", Value: func(v []string) string { return "1" }},
		{Name: "lines", Value: func(v []string) string { return strings.Join(v, "\n") }, Below: func(v []string) []string { return v }},
	}}
	for _, c := range []struct {
		form Format
		want string
	}{
		{Table, "n: 1\nlines:\n  a\n    b\\x1b[31m\n\nn: 1\n"},
		{TSV, "1\ta\\n  b\\x1b[31m\n1\t\n"},
	} {
		var out strings.Builder
		w := NewWriter(noun, Options{Format: c.form, Out: &out, Details: true})
		if err := w.Write([]string{"a", "  b\x1b[31m"}, nil); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil || out.String() != c.want {
			t.Errorf("%s:\n%q, want\n%q, %v", c.form, out.String(), c.want, err)
		}
	}
}
