package search

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// reader reads the slices of one search. It is safe for concurrent use once
// first has returned.
type reader struct {
	l      Lister
	filter cmapi.CertificateFilter
	size   int // of a page: what is asked for
	cap    int // what a page holds at most, as far as is known
	now    int64

	parallel int

	refuses bool // any search with more hits than the cap

	mu        sync.Mutex
	why       []string
	countries map[string]bool
	seen      map[string]bool // issuers that certificates named
	listed    *issuerList
}

func newReader(l Lister, f cmapi.CertificateFilter) *reader {
	return &reader{l: l, filter: f, size: PageSize, cap: PageSize, now: time.Now().Unix(), countries: map[string]bool{}, seen: map[string]bool{}, parallel: DefaultParallel}
}

func (r *reader) root() slice { return newRoot(r.filter) }

// doubt notes why the listing cannot be proven complete.
func (r *reader) doubt(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why = append(r.why, fmt.Sprintf(format, args...))
}

func (r *reader) doubts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.why
}

// answer is a page and how many certificates there are where it was read.
type answer struct {
	page   *cmapi.CertificatePage
	unique int
	end    bool // the gateway does not count, but gives nothing after it
}

// complete says that the page holds all there is.
func (a *answer) complete() bool { return a.end || a.page.Hits >= 0 && a.unique >= a.page.Hits }

// Refused tells the answer -14, by which a gateway refuses more hits than
// its cap and much else: codes do not separate these.
func Refused(err error) bool {
	var call *cmapi.Error
	return errors.As(err, &call) && call.Code == cmapi.CodeBadValue
}

// errRepeats says that paging leads nowhere.
var errRepeats = errors.New("the gateway does not count matches and gives the same page again")

// list reads the first page of a query.
func (r *reader) list(ctx context.Context, f cmapi.CertificateFilter, limit int) (*answer, error) {
	page, err := r.l.List(ctx, f, limit, 0)
	if err != nil {
		return nil, err
	}
	a := &answer{page: page}
	page.Certificates, a.unique = unique(page.Certificates)
	if page.Hits >= 0 || limit == 1 {
		return a, nil
	}
	if len(page.Certificates) == 0 {
		a.end = true
		return a, nil
	}
	next, err := r.l.List(ctx, f, limit, len(page.Certificates))
	switch {
	case Refused(err):
		return a, nil
	case err != nil:
		return nil, err
	}
	a.end = len(next.Certificates) == 0
	if !a.end && next.Certificates[0].CertID == page.Certificates[0].CertID {
		return a, errRepeats
	}
	return a, nil
}

// unique drops repeats within a page.
func unique(cs []cmapi.Certificate) ([]cmapi.Certificate, int) {
	seen := make(map[string]struct{}, len(cs))
	fresh := cs[:0]
	for _, c := range cs {
		if _, dup := seen[c.CertID]; !dup {
			seen[c.CertID] = struct{}{}
			fresh = append(fresh, c)
		}
	}
	return fresh, len(fresh)
}

// first reads the first page of the whole search and learns what the gateway
// gives at a time. No answer and no error means that it refuses to search
// for so many, whatever the length of the page.
func (r *reader) first(ctx context.Context, limit int) (*answer, error) {
	ask := r.size
	if limit > 0 {
		ask = min(ask, limit)
	}
	a, err := r.list(ctx, r.filter, ask)
	switch {
	case errors.Is(err, errRepeats):
		return a, nil // paging will tell
	case err == nil:
		if n := len(a.page.Certificates); n > 0 && n < ask && !a.complete() {
			r.size, r.cap = n, n
		}
		return a, nil
	case !Refused(err):
		return nil, err
	}
	refused := err
	if a, err = r.list(ctx, r.filter, 0); err == nil {
		return a, r.learn(ctx, a)
	} else if !Refused(err) {
		return nil, err
	}
	// Too many, or something else is wrong with it? Of a second long ago there
	// are never too many.
	past := r.root()
	past.windows[0] = window{earliest, earliest + 1}
	if _, err := r.l.List(ctx, past.query(), 1, 0); Refused(err) {
		return nil, exit.New(exit.Of(refused), "see whether a filter has a value that the gateway does not take", "%w", refused)
	} else if err != nil {
		return nil, err
	}
	r.refuses = true
	return nil, nil
}

// learn finds the longest page that the gateway does not refuse; a is one that
// the gateway chose the length of.
func (r *reader) learn(ctx context.Context, a *answer) error {
	n := len(a.page.Certificates)
	if a.complete() || n == 0 {
		r.size = 0
		return nil
	}
	low, high := n, r.size // low is taken, high is refused
	for try := n + 1; low+1 < high; try = (low + high) / 2 {
		switch _, err := r.l.List(ctx, r.filter, try, 0); {
		case err == nil:
			low = try
		case Refused(err):
			high = try
		default:
			return err
		}
	}
	r.size, r.cap = low, low
	return nil
}

// errIgnored says that the windows prove nothing.
var errIgnored = errors.New("the gateway does not keep to the times of validity that it is asked for")

// result is what a slice turned out to be: certificates when it fits, else the
// slices that it is cut into.
type result struct {
	certs []cmapi.Certificate
	parts []slice
	hits  int // in it; -1 when the gateway did not say
}

// read reads a slice.
func (r *reader) read(ctx context.Context, s slice) (result, error) {
	ask := r.size
	if s.count {
		ask = 1
	}
	a, err := r.list(ctx, s.query(), ask)
	switch {
	case Refused(err):
		return r.divide(ctx, s, nil)
	case err != nil && !errors.Is(err, errRepeats):
		return result{}, err
	}
	for i := range a.page.Certificates {
		if !s.explains(&a.page.Certificates[i]) {
			return result{}, errIgnored
		}
	}
	r.remember(a.page.Certificates)
	if !a.complete() {
		return r.divide(ctx, s, a)
	}
	return result{certs: r.own(s, a.page.Certificates), hits: a.page.Hits}, nil
}

// own keeps what no neighbour lists.
func (r *reader) own(s slice, cs []cmapi.Certificate) []cmapi.Certificate {
	kept := cs[:0]
	for i := range cs {
		if s.owns(&cs[i]) {
			kept = append(kept, cs[i])
		}
	}
	return kept
}

// Slices of more than this many pages are counted in parts before they are
// read, and parts that fit a page together are joined.
const coarse = 12

// divide cuts a slice that does not fit a page; without an answer the gateway
// refuses even to count it.
func (r *reader) divide(ctx context.Context, s slice, a *answer) (result, error) {
	pages := 0
	var sample []cmapi.Certificate
	hits := -1
	if a != nil {
		sample, hits = a.page.Certificates, a.page.Hits
		pages = hits/r.cap + 1
	}
	if s.count && a != nil && hits <= r.cap { // or nothing is counted
		s.count, s.hits = false, hits
		return result{parts: []slice{s}, hits: hits}, nil
	}
	_, crowded := s.crowd(0, sample)
	if hits > r.cap && pages <= coarse && !crowded && s.bounded() {
		s.count, s.hits = false, hits
		return result{parts: []slice{s}, hits: hits}, nil
	}
	parts := s.cut(min(max(2, pages), coarse), sample, r.now)
	if parts == nil {
		s.count = false
		certs, parts, err := r.divideCrowd(ctx, s, a)
		return result{certs, parts, hits}, err
	}
	if pages > coarse && !crowded {
		var err error
		if parts, err = r.join(ctx, parts); err != nil {
			return result{}, err
		}
	}
	return result{parts: parts, hits: hits}, nil
}

// join counts slices that follow each other, drops those without a certificate
// and joins those that fit a page together.
func (r *reader) join(ctx context.Context, parts []slice) ([]slice, error) {
	var g errgroup.Group
	g.SetLimit(r.parallel)
	for k := range parts {
		g.Go(func() error {
			page, err := r.l.List(ctx, parts[k].query(), 1, 0)
			switch {
			case Refused(err):
				parts[k].hits = -1
				return nil
			case err != nil:
				return err
			}
			for i := range page.Certificates {
				if !parts[k].explains(&page.Certificates[i]) {
					return errIgnored
				}
			}
			parts[k].hits = page.Hits
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []slice
	for _, p := range parts {
		last := len(out) - 1
		switch {
		case p.hits == 0:
			continue
		case p.hits < 0:
			p.hits = 0
		case last >= 0 && out[last].hits > 0 && out[last].hits+p.hits <= r.cap && out[last].windows[0].hi+1 == p.windows[0].lo:
			out[last].windows[0].hi = p.windows[0].hi
			out[last].hits += p.hits
			continue
		}
		out = append(out, p)
	}
	return out, nil
}
