package search

import (
	"context"
	"fmt"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// byOffset lists a slice page by page. Rows move under it while others write:
// the listing is complete only when as many different certificates came as the
// gateway counted, and the count did not change underway. page is its first
// page where that was read before, else nil.
func (r *reader) byOffset(ctx context.Context, s slice, page *cmapi.CertificatePage, out *counter) error {
	seen := map[string]struct{}{}
	first, changed := -1, -1
	for offset := 0; ; {
		if offset > 0 || page == nil {
			var err error
			if page, err = r.l.List(ctx, s.query(), r.ask(out), offset); err != nil {
				return err
			}
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
		came := len(page.Certificates)
		offset += came
		fresh := page.Certificates[:0]
		for _, c := range page.Certificates {
			if _, dup := seen[c.CertID]; !dup {
				seen[c.CertID] = struct{}{}
				fresh = append(fresh, c)
			}
		}
		if err := out.add(fresh); err != nil {
			return err
		}
		switch {
		case came > 0 && len(fresh) == 0 && hits < 0:
			return &IncompleteError{fmt.Sprintf("the gateway does not count matches and repeats itself after %d", len(seen))}
		case came > 0 && (hits < 0 || offset < hits):
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

// ask is the length of the next page: no longer than what is wanted.
func (r *reader) ask(out *counter) int {
	if out.limit > 0 {
		if r.size == 0 {
			return 0
		}
		return min(r.size, out.limit-out.n)
	}
	return r.size
}

// wholeByOffset reads a slice by offset, again when it changes underway. Each
// page begins with the certificate that the last one ended with: when it does
// not, rows have moved. first is its first page, read before; where only its
// count was asked for, it is read again.
func (r *reader) wholeByOffset(ctx context.Context, s slice, first *cmapi.CertificatePage) ([]cmapi.Certificate, error) {
	if len(first.Certificates) < 2 {
		first = nil
	}
	var certs []cmapi.Certificate
	for try := 0; ; try++ {
		all, steady, err := r.offsetOnce(ctx, s, first)
		if err != nil {
			return nil, err
		}
		certs = all
		if r.size == 1 {
			r.doubt("%s cannot be told apart by time, and of a gateway that gives one at a time no page shows that it follows the last one", s.words())
			break
		}
		if steady {
			break
		}
		first = nil
		if try == 4 {
			r.doubt("%s are more than a page and moved while they were read", s.words())
			break
		}
	}
	for i := range certs {
		if !s.explains(&certs[i]) {
			return nil, errIgnored
		}
	}
	return r.own(s, certs), nil
}

func (r *reader) offsetOnce(ctx context.Context, s slice, first *cmapi.CertificatePage) (all []cmapi.Certificate, steady bool, err error) {
	overlap := 1
	if r.size == 1 {
		overlap = 0 // each page would be the last one again
	}
	hits := -1
	steady = true
	for offset := 0; ; {
		page := first
		if offset > 0 || first == nil {
			if page, err = r.l.List(ctx, s.query(), r.size, offset); err != nil {
				return nil, false, err
			}
		}
		cs := page.Certificates
		if hits < 0 {
			hits = page.Hits
		}
		steady = steady && page.Hits == hits
		if offset > 0 && overlap > 0 {
			if len(cs) == 0 || cs[0].CertID != all[len(all)-1].CertID {
				steady = false
			} else {
				cs = cs[1:]
			}
		}
		all = append(all, cs...)
		if len(cs) == 0 || len(all) >= hits && hits >= 0 {
			break
		}
		offset = len(all) - overlap
	}
	all, n := unique(all)
	return all, steady && n == hits, nil
}
