// Package search lists every certificate that matches, page by page, and says
// whether the listing is proven complete. A page shorter than asked is not the
// end, one as long as the gateway's cap is no promise of more, and rows move
// under offset paging while others write; so the listing is complete only when
// as many different certificates came as the gateway counted, and the count
// did not change underway.
package search

import (
	"context"
	"errors"
	"fmt"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// PageSize is how many certificates are asked for at a time: the gateway's
// usual cap (certsearch.maxhits).
const PageSize = 500

// Lister fetches one page; cmapi.Certificates is one.
type Lister interface {
	List(ctx context.Context, f cmapi.CertificateFilter, limit, offset int) (*cmapi.CertificatePage, error)
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
// certificate once; limit 0 means all. emit may stop the listing with an
// error of its own.
func Run(ctx context.Context, l Lister, f cmapi.CertificateFilter, limit int, emit func([]cmapi.Certificate) error) error {
	seen := map[string]struct{}{}
	first, changed := -1, -1
	size := PageSize // 0: as the gateway likes
	for offset := 0; ; {
		ask := size
		if limit > 0 {
			ask = min(ask, limit-len(seen))
		}
		page, err := l.List(ctx, f, ask, offset)
		if size > 0 && refusedValue(err) {
			// Perhaps the page is longer than the cap: let the gateway choose.
			if page, err = l.List(ctx, f, 0, offset); err == nil {
				size = 0
			}
		}
		switch {
		case refusedValue(err):
			return exit.New(exit.Of(err), "when it says too many: narrow the search with more filters", "%w", err)
		case err != nil:
			return err
		}
		hits := page.Hits
		switch {
		case first < 0:
			first = hits
		case hits < 0:
			hits = first // it counts, but not on every page
		case hits != first:
			changed = hits
		}
		offset += len(page.Certificates)
		fresh := page.Certificates[:0]
		for _, c := range page.Certificates {
			if _, dup := seen[c.CertID]; !dup {
				seen[c.CertID] = struct{}{}
				fresh = append(fresh, c)
			}
		}
		if limit > 0 && len(seen) > limit {
			fresh = fresh[:len(fresh)-(len(seen)-limit)]
		}
		if err := emit(fresh); err != nil {
			return err
		}
		switch {
		case limit > 0 && len(seen) >= limit:
			return nil
		case len(page.Certificates) > 0 && len(fresh) == 0 && hits < 0:
			return &IncompleteError{fmt.Sprintf("the gateway does not count matches and repeats itself after %d", len(seen))}
		case len(page.Certificates) > 0 && (hits < 0 || offset < hits):
			continue // a short page is not the end
		case hits < 0:
			return nil // an empty page is, when the gateway does not count
		case changed >= 0:
			return &IncompleteError{fmt.Sprintf("the number of matches went from %d to %d while it was read", first, changed)}
		case len(seen) < hits:
			return &IncompleteError{fmt.Sprintf("%d of %d matches came", len(seen), hits)}
		}
		return nil
	}
}

// refusedValue tells the answer -14, by which a gateway refuses more hits than
// its cap and much else: codes do not separate these.
func refusedValue(err error) bool {
	var call *cmapi.Error
	return errors.As(err, &call) && call.Code == cmapi.CodeBadValue
}

// Count is the number of matches, by the gateway's own count where it gives
// one.
func Count(ctx context.Context, l Lister, f cmapi.CertificateFilter) (int, error) {
	page, err := l.List(ctx, f, 1, 0)
	if err != nil {
		return 0, err
	}
	if page.Hits >= 0 {
		return page.Hits, nil
	}
	n := 0
	err = Run(ctx, l, f, 0, func(cs []cmapi.Certificate) error { n += len(cs); return nil })
	return n, err
}
