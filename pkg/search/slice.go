package search

import (
	"math"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// The ends of a window that is open.
const (
	never   = math.MinInt64
	forever = math.MaxInt64

	year = 365 * 24 * 60 * 60

	// Times that RFC 3339 can write, with a second to spare.
	earliest = -62135596800 + 2 // year 1
	latest   = 253402300799 - 2 // year 9999
)

// window is a range of whole seconds, both ends in it.
type window struct{ lo, hi int64 }

func (w window) holds(t time.Time) bool {
	return w.lo == never && w.hi == forever || !t.IsZero() && w.lo <= t.Unix() && t.Unix() <= w.hi
}

// near also takes what is a second outside, which neighbours share.
func (w window) near(t time.Time) bool {
	if w.lo != never {
		w.lo--
	}
	if w.hi != forever {
		w.hi++
	}
	return w.holds(t)
}

// axis is a time that a search can be cut by: it never changes while a
// certificate exists.
type axis struct {
	of       func(*cmapi.Certificate) time.Time
	from, to func(*cmapi.CertificateFilter) *time.Time
}

var (
	validFrom = axis{
		func(c *cmapi.Certificate) time.Time { return c.ValidFrom },
		func(f *cmapi.CertificateFilter) *time.Time { return &f.ValidFromTimeFrom },
		func(f *cmapi.CertificateFilter) *time.Time { return &f.ValidFromTimeTo },
	}
	validTo = axis{
		func(c *cmapi.Certificate) time.Time { return c.ValidTo },
		func(f *cmapi.CertificateFilter) *time.Time { return &f.ValidToTimeFrom },
		func(f *cmapi.CertificateFilter) *time.Time { return &f.ValidToTimeTo },
	}
)

// axesOf puts first the axis that the search itself bounds.
func axesOf(f *cmapi.CertificateFilter) [2]axis {
	if f.ValidFromTimeFrom.IsZero() && !f.ValidToTimeFrom.IsZero() {
		return [2]axis{validTo, validFrom}
	}
	return [2]axis{validFrom, validTo}
}

// slice is a part of a search.
type slice struct {
	axes    [2]axis
	windows [2]window
	filter  cmapi.CertificateFilter // of the search, perhaps with one type or one issuer
	issuer  bool                    // cut by issuer
	country bool                    // cut by country
	depth   int
	count   bool // perhaps so large that only its count is asked for
	hits    int  // certificates in it, when they were counted; 0: unknown
}

// newRoot is the whole search as a slice. The search's own bounds, whose
// inclusiveness gateways differ in, are taken a second wider and sent as they
// are.
func newRoot(f cmapi.CertificateFilter) slice {
	s := slice{axes: axesOf(&f), filter: f}
	for k, a := range s.axes {
		s.windows[k] = window{never, forever}
		if t := *a.from(&f); !t.IsZero() {
			s.windows[k].lo = t.Unix() - 1
		}
		if t := *a.to(&f); !t.IsZero() {
			s.windows[k].hi = t.Unix() + 1
		}
	}
	return s
}

// query is what is sent for the slice. The API's bounds are exclusive; where a
// gateway includes them, neighbours share the seconds at their border.
func (s *slice) query() cmapi.CertificateFilter {
	f := s.filter
	for k, a := range s.axes {
		if from := a.from(&f); s.windows[k].lo != never {
			if t := time.Unix(s.windows[k].lo-1, 0); from.Before(t) {
				*from = t
			}
		}
		if to := a.to(&f); s.windows[k].hi != forever {
			if t := time.Unix(s.windows[k].hi+1, 0); to.IsZero() || to.After(t) {
				*to = t
			}
		}
	}
	return f
}

// bounded says whether the first window has two ends that are apart.
func (s *slice) bounded() bool {
	w := s.windows[0]
	return w.lo != never && w.hi != forever && w.lo < w.hi
}

// timed is the query for everything that has a time on the first axis.
func (s slice) timed() cmapi.CertificateFilter {
	s.windows[0].lo = max(s.windows[0].lo, time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	return s.query()
}

// owns tells the slice's certificates from those it shares with a neighbour,
// whose they are.
func (s *slice) owns(c *cmapi.Certificate) bool {
	return s.windows[0].holds(s.axes[0].of(c)) && s.windows[1].holds(s.axes[1].of(c))
}

// explains says whether a gateway that reads the time filters could give the
// certificate for this slice.
func (s *slice) explains(c *cmapi.Certificate) bool {
	return s.windows[0].near(s.axes[0].of(c)) && s.windows[1].near(s.axes[1].of(c))
}

// cut divides the slice by time into about parts pieces, in their order; nil
// when no window is longer than a second. Pieces become open where the slice is.
func (s *slice) cut(parts int, sample []cmapi.Certificate, now int64) []slice {
	for k := range s.windows {
		w := s.windows[k]
		if w.lo != never && w.lo >= w.hi || w.hi <= earliest || w.lo >= latest {
			continue
		}
		var out []slice
		add := func(lo, hi int64) {
			p := *s
			p.windows[k], p.depth, p.hits = window{lo, hi}, s.depth+1, 0
			p.count = lo == hi // a crowd, likely
			out = append(out, p)
		}
		if at, many := s.crowd(k, sample); many {
			if w.lo < at {
				add(w.lo, at-1)
			}
			add(at, at)
			if at < w.hi {
				add(at+1, w.hi)
			}
			return out
		}
		lo, hi := s.hull(k, sample, now)
		if w.lo < lo {
			add(w.lo, lo-1)
		}
		n := min(int64(max(parts, 1)), hi-lo+1)
		width := hi - lo + 1
		for i := range n {
			add(lo+width/n*i+width%n*i/n, lo+width/n*(i+1)+width%n*(i+1)/n-1)
		}
		if hi < w.hi {
			add(hi+1, w.hi)
		}
		return out
	}
	return nil
}

// crowd finds the second that a quarter of a sample lies in: cutting equal
// parts would take long to come down to it.
func (s *slice) crowd(k int, sample []cmapi.Certificate) (at int64, many bool) {
	seen := map[int64]int{}
	for i := range sample {
		if t := s.axes[k].of(&sample[i]); s.windows[k].holds(t) && !t.IsZero() {
			if seen[t.Unix()]++; seen[t.Unix()] > seen[at] {
				at = t.Unix()
			}
		}
	}
	return at, len(sample) >= 8 && 4*seen[at] >= len(sample)
}

// hull is the finite part of a window in which its certificates are expected.
// An open end is guessed from a sample, which may well be the oldest only, and
// from now; the guess reaches farther with every cut.
func (s *slice) hull(k int, sample []cmapi.Certificate, now int64) (lo, hi int64) {
	w := s.windows[k]
	reach := int64(year) << min(2*s.depth, 9)
	lo, hi = w.lo, w.hi
	first, last := int64(forever), int64(never)
	for i := range sample {
		if t := s.axes[k].of(&sample[i]).Unix(); w.holds(s.axes[k].of(&sample[i])) {
			first, last = min(first, t), max(last, t)
		}
	}
	sampled := first <= last
	if w.hi == forever {
		switch {
		case k > 0 && sampled:
			hi = last // of one second on the other axis: mostly one lifetime
		case w.lo == never:
			hi = max(last, now)
		default:
			hi = max(last, w.lo+reach)
		}
	}
	if w.lo == never {
		switch {
		case sampled && (k > 0 || s.depth == 0):
			lo = first
		case w.hi == forever:
			lo = hi - 4*reach
		default:
			lo = min(first, hi-reach)
		}
	}
	lo, hi = max(lo, earliest), min(hi, latest)
	return lo, max(lo, hi)
}
