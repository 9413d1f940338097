package search

import (
	"context"
	"fmt"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// IssuerLister fetches one page of issuers; cmapi.Certificates is one.
type IssuerLister interface {
	Issuers(ctx context.Context, f cmapi.CertificateFilter, limit, offset int) (*cmapi.IssuerPage, error)
}

// Issuers lists the issuing CAs that match, each name once; limit 0 means all.
// An issuer has no id, so repeats of a page that moved show only in the count;
// the same name twice is also what a renewed CA certificate gives.
func Issuers(ctx context.Context, l IssuerLister, f cmapi.CertificateFilter, limit int) ([]cmapi.Issuer, error) {
	var found []cmapi.Issuer
	seen := map[string]bool{}
	first, changed := -1, -1
	for offset := 0; ; {
		page, err := l.Issuers(ctx, f, PageSize, offset)
		if err != nil {
			return found, err
		}
		offset += len(page.Issuers)
		for _, i := range page.Issuers {
			if seen[i.DN] {
				continue
			}
			seen[i.DN] = true
			if found = append(found, i); limit > 0 && len(found) == limit {
				return found, nil
			}
		}
		hits := page.Hits
		switch {
		case first < 0:
			first = hits
		case hits < 0:
			hits = first
		case hits != first:
			changed = hits
		}
		switch {
		case len(page.Issuers) > 0 && (hits < 0 || offset < hits):
			continue
		case changed >= 0:
			return found, &IncompleteError{fmt.Sprintf("the number of matches went from %d to %d while it was read", first, changed)}
		case hits > 0 && offset < hits:
			return found, &IncompleteError{fmt.Sprintf("%d of %d matches came", offset, hits)}
		}
		return found, nil
	}
}
