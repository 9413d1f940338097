// Package search lists every certificate that matches, whatever the gateway's
// cap on hits does: pages cut silently, longer pages refused, or any search
// with more hits than the cap refused.
//
// A search with more matches than a page holds is cut into windows of validity
// time until each fits one page. A page that holds as many certificates as the
// gateway counts for its window is a complete picture of that window at one
// moment, so what existed throughout is in it, however much is issued and
// revoked meanwhile; offset paging, where rows move, is left for what cannot
// be cut. Windows are read several at a time and handed out in their order.
package search

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// PageSize is how many certificates are asked for at a time: the gateway's
// usual cap (certsearch.maxhits).
const PageSize = 500

// DefaultParallel is how many pages are read at a time unless told otherwise.
const DefaultParallel = 4

// Lister fetches one page; cmapi.Certificates is one.
type Lister interface {
	List(ctx context.Context, f cmapi.CertificateFilter, limit, offset int) (*cmapi.CertificatePage, error)
}

// Options say how a search is read.
type Options struct {
	Limit    int              // stop after so many; 0: all
	Parallel int              // pages at a time; 0: DefaultParallel
	Notice   func(msg string) // told what changed meanwhile; nil: no one
}

// IncompleteError says why a listing is not proven complete. What was listed
// before it stands.
type IncompleteError struct{ Why string }

// Error tells why.
func (e *IncompleteError) Error() string { return "the listing is not proven complete: " + e.Why }

// ExitCode is Partial.
func (e *IncompleteError) ExitCode() exit.Code { return exit.Partial }

// Hint says what helps.
func (e *IncompleteError) Hint() string {
	return "run it again, or narrow the search so that it fits one page"
}

// Run lists what matches the filter and hands it out as pages arrive, each
// certificate once. emit may stop the listing with an error of its own. A
// listing that stops at a limit is in no promised order.
func Run(ctx context.Context, l Lister, f cmapi.CertificateFilter, o Options, emit func([]cmapi.Certificate) error) error {
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	r := newReader(l, f)
	r.parallel = o.Parallel
	out := &counter{limit: o.Limit, emit: emit}
	first, err := r.first(ctx, o.Limit)
	switch {
	case err != nil:
		return err
	case first != nil && first.complete():
		return out.done(out.add(first.page.Certificates))
	case first != nil && o.Limit > 0:
		// What is wanted is a part: pages in the gateway's order will do.
		return out.done(r.byOffset(ctx, r.root(), first.page, out))
	}
	err = r.stream(ctx, first, o.Parallel, out)
	switch {
	case errors.Is(err, errIgnored) && out.n == 0:
		err = r.byOffset(ctx, r.root(), nil, out)
	case errors.Is(err, errIgnored):
		err = &IncompleteError{errIgnored.Error()}
	case err == nil:
		err = r.prove(ctx, first, out.n, o.Notice)
	}
	return out.done(err)
}

// Count is the number of matches, by the gateway's own count where it gives
// one.
func Count(ctx context.Context, l Lister, f cmapi.CertificateFilter) (int, error) {
	page, err := l.List(ctx, f, 1, 0)
	switch {
	case err == nil && page.Hits >= 0:
		return page.Hits, nil
	case err != nil && !Refused(err):
		return 0, err
	}
	n := 0
	err = Run(ctx, l, f, Options{}, func(cs []cmapi.Certificate) error { n += len(cs); return nil })
	return n, err
}

// errLimit ends a listing at its limit.
var errLimit = errors.New("the limit is reached")

// counter hands certificates out up to the limit.
type counter struct {
	n, limit int
	emit     func([]cmapi.Certificate) error
}

func (c *counter) add(cs []cmapi.Certificate) error {
	if c.limit > 0 && c.n+len(cs) > c.limit {
		cs = cs[:c.limit-c.n]
	}
	c.n += len(cs)
	if err := c.emit(cs); err != nil {
		return err
	}
	if c.limit > 0 && c.n >= c.limit {
		return errLimit
	}
	return nil
}

func (c *counter) done(err error) error {
	if errors.Is(err, errLimit) {
		return nil
	}
	return err
}

// prove says what changed while it was listed. Each window was proven by its
// own count; what is left to prove is that no match lies outside of all
// windows, which fewer certificates than the gateway counts would hint at.
func (r *reader) prove(ctx context.Context, first *answer, listed int, notice func(string)) error {
	if doubts := r.doubts(); len(doubts) > 0 {
		return &IncompleteError{strings.Join(doubts, "; ")}
	}
	if first == nil || first.page.Hits < 0 {
		return nil // the gateway counts nothing of this size
	}
	before := first.page.Hits
	last, err := r.l.List(ctx, r.filter, 1, 0)
	if err != nil {
		return &IncompleteError{fmt.Sprintf("the matches could not be counted again: %v", err)}
	}
	if listed == before && last.Hits == before {
		return nil
	}
	if listed < min(before, last.Hits) {
		if err := r.nothingOutside(ctx); err != nil {
			return err
		}
	}
	if notice != nil {
		notice(fmt.Sprintf("certificates were issued or changed while they were listed: %d matched at first, %d at the end, %d are listed; those that matched throughout are all among them",
			before, last.Hits, listed))
	}
	return nil
}

// nothingOutside compares the count of all matches with the count of those
// that have the time by which windows are cut. Both are counted one after the
// other, so that a few tries find a moment between two changes.
func (r *reader) nothingOutside(ctx context.Context) error {
	outside := 0
	for range 5 {
		all, err := r.l.List(ctx, r.filter, 1, 0)
		if err != nil {
			return err
		}
		within, err := r.l.List(ctx, r.root().timed(), 1, 0)
		if err != nil {
			return err
		}
		if outside = all.Hits - within.Hits; outside <= 0 {
			return nil
		}
	}
	return &IncompleteError{fmt.Sprintf("%d matches have no time of validity to find them by", outside)}
}
