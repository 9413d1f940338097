package cmdutil

import (
	"testing"
	"time"
)

// What can be told of the length of a run before it has begun.
func TestExpected(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		write Write
		token bool
		want  string
	}{
		{"only the gateway decides", Write{Count: 100_000, Signatures: 1000}, false, ""},
		{"a card", Write{Count: 100_000, Signatures: 1000}, true, "; takes about 8m20s, to 2026-03-02T12:08:20Z"},
		{"a rate", Write{Count: 3600, Signatures: 36, Rate: 10}, false, "; takes about 6m0s, to 2026-03-02T12:06:00Z"},
		{"the slower of both", Write{Count: 3600, Signatures: 3600, Rate: 10}, true, "; takes about 30m0s, to 2026-03-02T12:30:00Z"},
		{"no time at all", Write{Count: 3, Signatures: 1}, true, ""},
	} {
		if got := c.write.expected(now, c.token); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
