package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

const million = 1_000_000

var benchNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func benchOptions() SeedOptions {
	return SeedOptions{
		Now: benchNow, Cap: 500, ProcID: "p-pkcs10",
		Root:  SeedIssuer{"root", "cn=Demo Root CA,o=Demo,c=SE", "aa00"},
		Issue: [2]SeedIssuer{{"issuing-1", "cn=Demo Issuing CA,o=Demo,c=SE", "aa01"}, {"issuing-2", "cn=Demo Issuing CA 2,o=Demo,c=SE", "aa02"}},
		SKI:   func(seed int64) string { return fmt.Sprintf("%040x", seed) },
	}
}

// BenchmarkMillion seeds a file store with a million certificates, opens it
// again, and times the pages that officers ask for, each with its exact number
// of hits: go test -run - -bench Million ./pkg/sandbox/store
func BenchmarkMillion(b *testing.B) {
	ctx := b.Context()
	path := filepath.Join(b.TempDir(), "store.db")
	start := time.Now()
	s, err := Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Seed(ctx, million, benchOptions()); err != nil {
		b.Fatal(err)
	}
	println("seeded", time.Since(start).String())
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	start = time.Now()
	if s, err = Open(ctx, path); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	println("opened", time.Since(start).String())

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
		{"expires within a month", Query{ExpiresAfter: benchNow, ExpiresBefore: benchNow.Add(month)}},
		{"valid from, two years", Query{ValidFromAfter: benchNow.Add(-25 * month), ValidFromBefore: benchNow.Add(-month), Offset: 100_000}},
		{"revoked within a month", Query{RevokedAfter: benchNow.Add(-month), RevokedBefore: benchNow}},
		{"country and unit", Query{Country: "SE", OU: "Finance"}},
	} {
		c.q.Limit, c.q.Now = 500, benchNow
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
					if err := tx.Revoke(id, 4, benchNow); err != nil {
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
			if _, entries, err := s.RevokedBy(ctx, "issuing-1"); err != nil || len(entries) == 0 {
				b.Fatal(len(entries), err)
			}
		}
	})
}
