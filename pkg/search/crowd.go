package search

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// divideCrowd cuts what no time divides: certificates that become valid in one
// second and end in one. They are cut by type, then by issuer; what is still
// too much is read by offset.
func (r *reader) divideCrowd(ctx context.Context, s slice, a *answer) ([]cmapi.Certificate, []slice, error) {
	s.hits = 0
	if types := s.filter.SubjectType; len(types) > 1 {
		var parts []slice
		for _, t := range types {
			p := s
			p.filter.SubjectType = []string{t}
			parts = append(parts, p)
		}
		return nil, parts, nil
	}
	if !s.issuer && s.filter.Issuer == "" {
		parts, err := r.byIssuer(ctx, s, a)
		if err != nil || parts != nil {
			return nil, parts, err
		}
	}
	if a != nil {
		certs, err := r.wholeByOffset(ctx, s, a.page)
		return certs, nil, err
	}
	// The gateway refuses any search for so many, so that no page of it is to
	// be had. The countries that other certificates name find what they can.
	if !s.country && s.filter.SubjectCountry == "" {
		r.doubt("%s are more than the gateway lets anyone search for", s.words())
		var parts []slice
		for _, c := range r.knownCountries() {
			p := s
			p.country, p.filter.SubjectCountry = true, c
			parts = append(parts, p)
		}
		return nil, parts, nil
	}
	return nil, nil, nil
}

// words names the crowd for people.
func (s *slice) words() string {
	w := "the certificates"
	if at := s.windows[0].lo; at != never {
		w += " of " + time.Unix(at, 0).UTC().Format(time.RFC3339)
	}
	if s.filter.Issuer != "" {
		w += " by " + s.filter.Issuer
	}
	return w
}

// issuerList is what the gateway says its issuers are.
type issuerList struct {
	names []string
	err   error
}

// issuerLister is a Lister that knows the issuers as well; cmapi.Certificates
// does.
type issuerLister interface {
	Issuers(ctx context.Context, f cmapi.CertificateFilter, limit, offset int) (*cmapi.IssuerPage, error)
}

// issuers asks once.
func (r *reader) issuers(ctx context.Context) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listed != nil {
		return r.listed.names, r.listed.err
	}
	l, ok := r.l.(issuerLister)
	if !ok {
		return nil, nil
	}
	list := &issuerList{}
	for offset := 0; ; {
		page, err := l.Issuers(ctx, cmapi.CertificateFilter{}, 0, offset)
		if err != nil {
			list.err = fmt.Errorf("listing the issuers: %w", err)
			break
		}
		for _, i := range page.Issuers {
			list.names = append(list.names, i.DN)
		}
		if offset += len(page.Issuers); len(page.Issuers) == 0 || offset >= page.Hits {
			break
		}
	}
	r.listed = list
	return list.names, list.err
}

// byIssuer cuts a slice by issuer. Where the gateway counts, the parts must
// have as many certificates as the whole, or there is an issuer that it does
// not list: then there are no parts.
func (r *reader) byIssuer(ctx context.Context, s slice, a *answer) ([]slice, error) {
	known := map[string]bool{}
	var parts []slice
	add := func(names []string) {
		for _, name := range names {
			if name == "" || known[name] {
				continue
			}
			known[name] = true
			p := s
			p.issuer, p.filter.Issuer = true, name
			parts = append(parts, p)
		}
	}
	add(r.seenIssuers())
	if a != nil { // most likely these are all
		if some, err := r.countIssuers(ctx, parts, a.page.Hits); err != nil || some != nil {
			return some, err
		}
	}
	names, err := r.issuers(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	add(names)
	if a == nil {
		return parts, nil
	}
	return r.countIssuers(ctx, parts, a.page.Hits)
}

// countIssuers gives those parts that have certificates, with their counts;
// none when they are not hits together.
func (r *reader) countIssuers(ctx context.Context, parts []slice, hits int) ([]slice, error) {
	total, some := 0, []slice{}
	for _, p := range parts {
		page, err := r.l.List(ctx, p.query(), 1, 0)
		switch {
		case Refused(err):
			return nil, nil
		case err != nil:
			return nil, err
		case page.Hits < 0:
			return nil, nil
		case page.Hits > 0:
			total += page.Hits
			p.hits = page.Hits
			some = append(some, p)
		}
	}
	if total != hits {
		return nil, nil
	}
	return some, nil
}

// maxSeen is how many issuers are remembered; more are asked for.
const maxSeen = 64

// remember keeps the issuers that certificates name and, where those may be
// needed, the countries: single values of two capital letters.
func (r *reader) remember(cs []cmapi.Certificate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range cs {
		if !r.seen[cs[i].Issuer] && len(r.seen) < maxSeen {
			r.seen[cs[i].Issuer] = true
		}
		if !r.refuses {
			continue
		}
		for v := range strings.SplitSeq(cs[i].Subject, ", ") {
			if len(v) == 2 && 'A' <= v[0] && v[0] <= 'Z' && 'A' <= v[1] && v[1] <= 'Z' {
				r.countries[v] = true
			}
		}
	}
}

func (r *reader) seenIssuers() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.seen))
}

func (r *reader) knownCountries() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for c := range r.countries {
		out = append(out, c)
	}
	return out
}
