package search

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

var tooMany = &cmapi.Error{Operation: "listCertificates", HTTP: 500, Code: cmapi.CodeBadValue, Message: "too many"}

// page is what one call asked for.
type page struct{ limit, offset int }

// gateway is a listing of ids, with the habits of a gateway.
type gateway struct {
	ids   []string
	cap   int // longest page; 0: none
	most  int // a longer page is refused; 0: none is
	hits  func(call int) int
	rows  func(call int, asked page, rows []string) []string // changes a page
	err   map[int]error
	asked []page
	mu    sync.Mutex
	seen  cmapi.CertificateFilter
}

func (g *gateway) List(_ context.Context, f cmapi.CertificateFilter, limit, offset int) (*cmapi.CertificatePage, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked, g.seen = append(g.asked, page{limit, offset}), f
	n := len(g.asked)
	if n > 1000 {
		return nil, errors.New("this goes on for ever")
	}
	if err := g.err[n]; err != nil {
		return nil, err
	}
	if g.most > 0 && limit > g.most {
		return nil, tooMany
	}
	rows := g.ids[min(offset, len(g.ids)):]
	if limit == 0 && g.most > 0 {
		rows = rows[:min(g.most, len(rows))]
	}
	if g.cap > 0 {
		rows = rows[:min(g.cap, len(rows))]
	}
	if limit > 0 {
		rows = rows[:min(limit, len(rows))]
	}
	if g.rows != nil {
		rows = g.rows(n, page{limit, offset}, rows)
	}
	out := &cmapi.CertificatePage{Hits: len(g.ids)}
	if g.hits != nil {
		out.Hits = g.hits(n)
	}
	for _, id := range rows {
		out.Certificates = append(out.Certificates, cmapi.Certificate{CertID: id})
	}
	return out, nil
}

func numbers(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

func always(n int) func(int) int { return func(int) int { return n } }

// TestByOffset: what is read page by page, and what that proves.
func TestByOffset(t *testing.T) {
	for _, c := range []struct {
		name  string
		g     *gateway
		limit int
		want  []string
		asked []page
		why   string // part of the IncompleteError; empty: complete
	}{
		{"nothing", &gateway{}, 0, nil, []page{{500, 0}}, ""},
		{"one page", &gateway{ids: numbers(3)}, 0, numbers(3), []page{{500, 0}}, ""},
		{"a full page is looked behind only when more are counted", &gateway{ids: numbers(500)}, 0, numbers(500), []page{{500, 0}}, ""},
		{"several", &gateway{ids: numbers(1100)}, 0, numbers(1100), []page{{500, 0}, {500, 500}, {500, 1000}}, ""},
		{"pages silently cut", &gateway{ids: numbers(5), cap: 2}, 0, numbers(5), []page{{500, 0}, {500, 2}, {500, 4}}, ""},
		{"short pages", &gateway{ids: numbers(6), rows: func(n int, _ page, rows []string) []string { return rows[:min(len(rows), n)] }}, 0, numbers(6),
			[]page{{500, 0}, {500, 1}, {500, 3}}, ""},
		{"no count", &gateway{ids: numbers(5), cap: 2, hits: always(-1)}, 0, numbers(5), []page{{500, 0}, {500, 2}, {500, 4}, {500, 5}}, ""},
		{"no count, nothing", &gateway{hits: always(-1)}, 0, nil, []page{{500, 0}}, ""},
		{"no count on later pages", &gateway{ids: numbers(5), cap: 2, hits: func(n int) int {
			if n == 1 {
				return 5
			}
			return -1
		}}, 0, numbers(5), []page{{500, 0}, {500, 2}, {500, 4}}, ""},
		{"no count, and offset without effect", &gateway{ids: numbers(3), hits: always(-1), rows: func(int, page, []string) []string { return numbers(3) }}, 0, numbers(3),
			[]page{{500, 0}, {500, 3}}, "repeats itself after 3"},
		{"offset without effect", &gateway{ids: numbers(6), rows: func(int, page, []string) []string { return numbers(3) }}, 0, numbers(3),
			[]page{{500, 0}, {500, 3}}, "3 of 6 matches came"},
		{"rows repeated", &gateway{ids: numbers(4), cap: 2, rows: func(n int, _ page, rows []string) []string {
			if n == 2 {
				return []string{"1", "2"} // another one wrote meanwhile: 3 is gone behind the page
			}
			return rows
		}}, 0, []string{"0", "1", "2"}, []page{{500, 0}, {500, 2}}, "3 of 4 matches came"},
		{"repeated on one page", &gateway{ids: []string{"1", "1", "2"}, hits: always(2)}, 0, []string{"1", "2"}, []page{{500, 0}}, ""},
		{"more counted than come", &gateway{ids: numbers(3), hits: always(5)}, 0, numbers(3), []page{{500, 0}, {500, 3}}, "3 of 5 matches came"},
		{"the count goes up", &gateway{ids: numbers(4), cap: 2, hits: func(n int) int { return 3 + min(n, 2)/2 }}, 0, numbers(4), []page{{500, 0}, {500, 2}}, "from 3 to 4"},
		{"the count goes down", &gateway{ids: numbers(4), cap: 2, hits: func(n int) int { return 5 - n }}, 0, numbers(4), []page{{500, 0}, {500, 2}}, "from 4 to 3"},
		{"the count goes up and down again", &gateway{ids: numbers(6), cap: 2, hits: func(n int) int { return 6 + n%2 }}, 0, numbers(6), []page{{500, 0}, {500, 2}, {500, 4}, {500, 6}}, "from 7 to 6"},
		{"limit below a page", &gateway{ids: numbers(10)}, 3, numbers(3), []page{{3, 0}}, ""},
		{"limit above a page", &gateway{ids: numbers(1000)}, 600, numbers(600), []page{{500, 0}, {100, 500}}, ""},
		{"limit above all", &gateway{ids: numbers(3)}, 10, numbers(3), []page{{10, 0}}, ""},
		{"limit and a smaller cap", &gateway{ids: numbers(9), cap: 2}, 5, numbers(5), []page{{5, 0}, {3, 2}, {1, 4}}, ""},
		{"limit and repeated rows", &gateway{ids: numbers(9), cap: 2, rows: func(n int, _ page, rows []string) []string {
			if n == 2 {
				return []string{"1", "2"}
			}
			return rows
		}}, 4, []string{"0", "1", "2", "4"}, []page{{4, 0}, {2, 2}, {1, 4}}, ""},
		{"a limit that fits", &gateway{ids: numbers(9), most: 2}, 2, numbers(2), []page{{2, 0}}, ""},
		{"more than asked for", &gateway{ids: numbers(9), rows: func(int, page, []string) []string { return numbers(9) }}, 4, numbers(4), []page{{4, 0}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			filter := cmapi.CertificateFilter{SubjectCommonName: "x"}
			r := newReader(c.g, filter)
			out := &counter{limit: c.limit, emit: func(cs []cmapi.Certificate) error {
				for _, x := range cs {
					got = append(got, x.CertID)
				}
				return nil
			}}
			err := out.done(r.byOffset(t.Context(), r.root(), nil, out))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if !slices.Equal(c.g.asked, c.asked) {
				t.Errorf("asked %v, want %v", c.g.asked, c.asked)
			}
			var incomplete *IncompleteError
			switch {
			case c.why == "" && err != nil:
				t.Error(err)
			case c.why != "" && (!errors.As(err, &incomplete) || !strings.Contains(err.Error(), c.why) || exit.Of(err) != exit.Partial || exit.HintOf(err) == ""):
				t.Errorf("error %v, want %q", err, c.why)
			}
			if !reflect.DeepEqual(c.g.seen, filter) {
				t.Errorf("filter %+v", c.g.seen)
			}
		})
	}
}

// TestWithoutTimes: a gateway whose answers do not keep to the windows is read
// by offset.
func TestWithoutTimes(t *testing.T) {
	g := &gateway{ids: numbers(1100)}
	n := 0
	err := Run(t.Context(), g, cmapi.CertificateFilter{}, Options{}, func(cs []cmapi.Certificate) error { n += len(cs); return nil })
	if err != nil || n != 1100 {
		t.Errorf("%d, %v", n, err)
	}
}

// TestRunStops: an error of the gateway or of the receiver ends the listing at
// once.
func TestRunStops(t *testing.T) {
	broken := errors.New("broken")
	g := &gateway{ids: numbers(6), cap: 2, err: map[int]error{3: broken}}
	var pages []int
	err := Run(t.Context(), g, cmapi.CertificateFilter{}, Options{Limit: 6}, func(cs []cmapi.Certificate) error { pages = append(pages, len(cs)); return nil })
	if !errors.Is(err, broken) || !slices.Equal(pages, []int{2, 2}) {
		t.Errorf("%v, pages %v", err, pages)
	}
	g = &gateway{ids: numbers(6)}
	err = Run(t.Context(), g, cmapi.CertificateFilter{}, Options{}, func([]cmapi.Certificate) error { return broken })
	if !errors.Is(err, broken) || len(g.asked) != 1 {
		t.Errorf("%v, asked %v", err, g.asked)
	}
}

// TestRefused: a value that the gateway does not take is no matter of how many
// match.
func TestRefused(t *testing.T) {
	g := &gateway{ids: numbers(6), err: map[int]error{1: tooMany, 2: tooMany, 3: tooMany}}
	err := Run(t.Context(), g, cmapi.CertificateFilter{}, Options{}, func([]cmapi.Certificate) error { return nil })
	if !errors.Is(err, tooMany) || exit.Of(err) != exit.Failure || !strings.Contains(exit.HintOf(err), "filter") || !slices.Equal(g.asked, []page{{500, 0}, {0, 0}, {1, 0}}) {
		t.Errorf("%v, hint %q, asked %v", err, exit.HintOf(err), g.asked)
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		name  string
		g     *gateway
		want  int
		asked []page
	}{
		{"by the gateway", &gateway{ids: numbers(700)}, 700, []page{{1, 0}}},
		{"none", &gateway{}, 0, []page{{1, 0}}},
		{"by listing", &gateway{ids: numbers(3), hits: always(-1)}, 3, []page{{1, 0}, {500, 0}, {500, 3}}},
	} {
		n, err := Count(t.Context(), c.g, cmapi.CertificateFilter{})
		if n != c.want || err != nil || !slices.Equal(c.g.asked, c.asked) {
			t.Errorf("%s: %d, %v, asked %v", c.name, n, err, c.g.asked)
		}
	}
	broken := errors.New("broken")
	for call := 1; call <= 2; call++ {
		g := &gateway{ids: numbers(3), hits: always(-1), err: map[int]error{call: broken}}
		if _, err := Count(t.Context(), g, cmapi.CertificateFilter{}); !errors.Is(err, broken) {
			t.Errorf("call %d: %v", call, err)
		}
	}
}
