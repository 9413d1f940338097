package bulk

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Keys are compared as they are written: 007 and 7 are two.
func TestSeen(t *testing.T) {
	j, err := Draft("", "", "cert revoke", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"0", "1", "63", "64", "65", "007", "7", "00", "+7", "", "a", strconv.FormatUint(math.MaxUint64, 10), "18446744073709551616"}
	for round, want := range []bool{true, false} {
		for _, k := range keys {
			if added, err := j.Plan().Add(Item{Key: k}, Facts{}); err != nil || added != want {
				t.Errorf("round %d: %q: added %t, %v", round+1, k, added, err)
			}
		}
	}
	if j.Plan().Len() != len(keys) {
		t.Errorf("%d items; want %d", j.Plan().Len(), len(keys))
	}
}

// TestRequests: the signatures that are told before the first are those that are
// made.
func TestRequests(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups string // of each item; "-": none
		first  int
		batch  int
		want   int
	}{
		{"one", "aaaaa", 0, 5, 1},
		{"some", "aaaaa", 0, 2, 3},
		{"without a group", "-----", 0, 2, 3},
		{"mixed", "abababab", 0, 100, 2},
		{"mixed, small", "aaabbbbb", 0, 3, 3},
		{"a pilot", "aaaaa", 1, 5, 2},
		{"a pilot without a group", "-----", 3, 2, 3},
		{"a pilot of two groups", "abaab", 2, 100, 4},
		{"a pilot of one of them", "aab", 2, 100, 2},
		{"a pilot of all", "aab", 9, 100, 2},
	} {
		w := newWorld(1)
		j, err := Draft(t.TempDir(), "", "cert revoke", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		j.Plan().First(c.first)
		for i, g := range c.groups {
			if _, err := j.Plan().Add(Item{Key: strconv.Itoa(10001 + i), Group: strings.Trim(string(g), "-")}, Facts{}); err != nil {
				t.Fatal(err)
			}
		}
		got := j.Plan().Requests(c.batch)
		j.Header.Batch = c.batch
		if err := j.Freeze(); err != nil {
			t.Fatal(err)
		}
		if c.first > 0 && c.first < len(c.groups) {
			if err := j.Run(t.Context(), &write{w: w}, Options{First: c.first}, func(Result) {}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Run(t.Context(), &write{w: w}, Options{}, func(Result) {}); err != nil {
			t.Fatal(err)
		}
		timeline, err := j.Timeline()
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want || timeline.Sent != c.want {
			t.Errorf("%s: %d told, %d sent, want %d", c.name, got, timeline.Sent, c.want)
		}
		_ = j.Close()
	}
}
