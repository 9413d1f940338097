package bulk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ranges is a set of indexes, written as "0-99,101,103-200".
type ranges []span

type span struct{ from, to int } // both included

// add puts an index in. Indexes come in ascending order.
func (r *ranges) add(i int) {
	if n := len(*r); n > 0 && (*r)[n-1].to+1 == i {
		(*r)[n-1].to = i
		return
	}
	*r = append(*r, span{i, i})
}

func rangesOf(items []Item) ranges {
	at := make([]int, len(items))
	for k, it := range items {
		at[k] = it.Index
	}
	slices.Sort(at)
	var r ranges
	for _, i := range at {
		r.add(i)
	}
	return r
}

// each calls f with every index.
func (r ranges) each(f func(int)) {
	for _, s := range r {
		for i := s.from; i <= s.to; i++ {
			f(i)
		}
	}
}

func (r ranges) within(n int) bool {
	for _, s := range r {
		if s.from < 0 || s.from > s.to || s.to >= n {
			return false
		}
	}
	return true
}

// MarshalText writes the short form.
func (r ranges) MarshalText() ([]byte, error) {
	var b []byte
	for i, s := range r {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(s.from), 10)
		if s.to > s.from {
			b = strconv.AppendInt(append(b, '-'), int64(s.to), 10)
		}
	}
	return b, nil
}

// UnmarshalText reads it.
func (r *ranges) UnmarshalText(text []byte) error {
	*r = nil
	if len(text) == 0 {
		return nil
	}
	for _, part := range strings.Split(string(text), ",") {
		from, to, isSpan := strings.Cut(part, "-")
		if !isSpan {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < 0 || b < a {
			return fmt.Errorf("%q is no range of indexes", part)
		}
		*r = append(*r, span{a, b})
	}
	return nil
}
