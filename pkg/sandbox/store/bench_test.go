package store

import (
	"errors"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const million = 1_000_000

// BenchmarkMillion seeds a file store with a million certificates, opens it
// again, and times the pages that officers ask for, each with its exact number
// of hits: go test -run - -bench Million ./pkg/sandbox/store
func BenchmarkMillion(b *testing.B) {
	ctx := b.Context()
	dir := b.TempDir()
	round, path := 0, ""
	b.Run("seed", func(b *testing.B) {
		for b.Loop() {
			round++
			path = filepath.Join(dir, strconv.Itoa(round))
			s, err := Open(ctx, path)
			if err != nil {
				b.Fatal(err)
			}
			if err := errors.Join(s.Seed(ctx, million, testSeed()), s.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(ctx, path)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	s, err := Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	one, ok, err := s.Get(ctx, FirstID+777_773)
	if err != nil || !ok {
		b.Fatal(ok, err)
	}
	month := 30 * 24 * time.Hour
	for _, c := range []struct {
		name string
		q    Query
	}{
		{"all", Query{}},
		{"all, last page", Query{Offset: million - 500}},
		{"serial", Query{Serial: one.Serial}},
		{"cn", Query{CN: one.CN}},
		{"ski", Query{SKI: one.SKI}},
		{"issuer", Query{Issuer: "CN=Demo Issuing CA, O=Demo, C=SE"}},
		{"issuer, not revoked, page in the middle", Query{Issuer: "CN=Demo Issuing CA, O=Demo, C=SE", NotRevoked: true, Offset: 200_000}},
		{"expires within a month", Query{ExpiresAfter: noon, ExpiresBefore: noon.Add(month)}},
		{"valid from, two years", Query{ValidFromAfter: noon.Add(-25 * month), ValidFromBefore: noon.Add(-month), Offset: 100_000}},
		{"revoked within a month", Query{RevokedAfter: noon.Add(-month), RevokedBefore: noon}},
		{"country and unit", Query{Country: "SE", OU: "Finance"}},
	} {
		c.q.Limit, c.q.Now = 500, noon
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				page, hits, err := s.Search(ctx, c.q)
				if err != nil || hits == 0 || len(page) == 0 {
					b.Fatal(len(page), hits, err)
				}
				b.ReportMetric(float64(hits), "hits")
			}
		})
	}
	b.Run("revoke 100 in a transaction", func(b *testing.B) {
		id := int64(FirstID)
		for b.Loop() {
			if err := s.Update(ctx, func(tx *Tx) error {
				for range 100 {
					if err := tx.Revoke(id, 4, noon); err != nil {
						return err
					}
					id++
				}
				return nil
			}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "revoked/s")
	})
	b.Run("what a CRL lists", func(b *testing.B) {
		for b.Loop() {
			if _, entries, err := s.RevokedBy(ctx, "issuing-1", time.Time{}); err != nil || len(entries) == 0 {
				b.Fatal(len(entries), err)
			}
		}
	})
}
