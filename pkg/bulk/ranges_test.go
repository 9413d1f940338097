package bulk

import (
	"slices"
	"testing"
)

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		in   []int
		want string
	}{
		{nil, ""}, {[]int{0}, "0"}, {[]int{0, 1, 2}, "0-2"}, {[]int{3, 5, 6, 9}, "3,5-6,9"}, {[]int{7, 9, 11}, "7,9,11"},
	} {
		var items []Item
		for _, i := range c.in {
			items = append(items, Item{Index: i})
		}
		slices.Reverse(items) // their order is of no account
		text, err := rangesOf(items).MarshalText()
		if err != nil || string(text) != c.want {
			t.Errorf("%v: %q, %v; want %q", c.in, text, err, c.want)
		}
		var back ranges
		if err := back.UnmarshalText(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		var got []int
		back.each(func(i int) { got = append(got, i) })
		if !slices.Equal(got, c.in) {
			t.Errorf("%q: %v; want %v", text, got, c.in)
		}
		if n := len(c.in); n > 0 && (!back.within(c.in[n-1]+1) || back.within(c.in[n-1])) {
			t.Errorf("%q: within is wrong", text)
		}
	}
	for _, bad := range []string{",", "1,", "-1", "1-", "2-1", "1-2-3", "a", "1, 2", "99999999999999999999"} {
		if err := new(ranges).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzRanges(f *testing.F) {
	for _, s := range []string{"", "0", "0-99,101,103-200", "5-4", "1-2-3", ",", "-1", "00-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var r ranges
		if r.UnmarshalText([]byte(s)) != nil {
			return
		}
		text, err := r.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again ranges
		if err := again.UnmarshalText(text); err != nil || !slices.Equal(r, again) {
			t.Fatalf("%q became %q, which reads as %v, %v; want %v", s, text, again, err, r)
		}
		if r.within(0) != (len(r) == 0) {
			t.Fatalf("%q fits into nothing", s)
		}
	})
}
