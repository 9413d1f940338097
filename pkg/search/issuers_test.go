package search

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// pages answers with one page after the other, the last one for ever.
type pages struct {
	pages   []cmapi.IssuerPage
	offsets []int
}

func (p *pages) Issuers(_ context.Context, _ cmapi.CertificateFilter, limit, offset int) (*cmapi.IssuerPage, error) {
	p.offsets = append(p.offsets, offset)
	page := p.pages[min(len(p.offsets), len(p.pages))-1]
	if limit != PageSize {
		return nil, errors.New("another page size")
	}
	return &page, nil
}

func named(dns ...string) (list []cmapi.Issuer) {
	for _, dn := range dns {
		list = append(list, cmapi.Issuer{DN: dn})
	}
	return list
}

func TestIssuers(t *testing.T) {
	for _, c := range []struct {
		name    string
		pages   []cmapi.IssuerPage
		limit   int
		want    []cmapi.Issuer
		offsets []int
		err     string
	}{
		{"none", []cmapi.IssuerPage{{Hits: 0}}, 0, nil, []int{0}, ""},
		{"one page", []cmapi.IssuerPage{{Issuers: named("a", "b"), Hits: 2}}, 0, named("a", "b"), []int{0}, ""},
		{"short pages", []cmapi.IssuerPage{{Issuers: named("a", "b"), Hits: 3}, {Issuers: named("c"), Hits: 3}}, 0, named("a", "b", "c"), []int{0, 2}, ""},
		{"a name twice", []cmapi.IssuerPage{{Issuers: named("a", "a", "b"), Hits: 3}}, 0, named("a", "b"), []int{0}, ""},
		{"not counted", []cmapi.IssuerPage{{Issuers: named("a"), Hits: -1}, {Hits: -1}}, 0, named("a"), []int{0, 1}, ""},
		{"limited", []cmapi.IssuerPage{{Issuers: named("a", "b"), Hits: 3}}, 1, named("a"), []int{0}, ""},
		{"ends early", []cmapi.IssuerPage{{Issuers: named("a"), Hits: 3}, {Hits: 3}}, 0, named("a"), []int{0, 1}, "the listing is not proven complete: 1 of 3 matches came"},
		{"moves", []cmapi.IssuerPage{{Issuers: named("a"), Hits: 2}, {Issuers: named("b", "c"), Hits: 3}}, 0, named("a", "b", "c"), []int{0, 1}, "the listing is not proven complete: the number of matches went from 2 to 3 while it was read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pages{pages: c.pages}
			got, err := Issuers(t.Context(), p, cmapi.CertificateFilter{}, c.limit)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if !reflect.DeepEqual(got, c.want) || text != c.err || !reflect.DeepEqual(p.offsets, c.offsets) {
				t.Errorf("got %v at %v, error %q", got, p.offsets, text)
			}
		})
	}
}
