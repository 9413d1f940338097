package store

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// kinds runs a test on a store in memory and on one in a file.
func kinds(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for _, c := range []struct{ name, path string }{{"memory", ""}, {"file", "a store?#%41.db"}} {
		t.Run(c.name, func(t *testing.T) {
			path := c.path
			if path != "" {
				path = filepath.Join(t.TempDir(), path)
			}
			test(t, open(t, path))
		})
	}
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// full has a value in every field.
func full() Cert {
	return Cert{
		Serial: "00ab01", IssuerID: "issuing-1", IssuerDN: "cn=Demo Issuing CA,o=Demo,c=SE", Subject: "Anna Öberg, Demo, SE",
		CN: "Anna Öberg", GivenName: "Anna", Surname: "Öberg", Org: "Demo", OU: "Finance", SubjectSerial: "19900101-1234", Country: "SE", CardSerial: "9752000123",
		Type: EE, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		Revoked: true, Reason: 4, RevokedAt: noon.Add(-time.Minute).Add(5 * time.Millisecond),
		PublicationAllowed: true, PublishedAt: noon.Add(-50 * time.Minute), OCSPActivatedAt: noon.Add(-40 * time.Minute),
		Fields: [6]string{"one", "two", "three", "four", "five", "six"}, AKI: "aa01", SKI: "0bb1",
		KeyUsage: []string{"digitalSignature", "clientAuth"}, ProcID: "p-pkcs10", Locked: true, Seed: 17, DER: []byte{0x30, 0},
	}
}

func add(t *testing.T, s *Store, c Cert) Cert {
	t.Helper()
	id, err := s.Add(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	c.ID = id
	return c
}

func TestRowsComeBackWhole(t *testing.T) {
	kinds(t, func(t *testing.T, s *Store) {
		bare := add(t, s, Cert{IssuerDN: "o=x", Type: EE})
		whole := add(t, s, full())
		if bare.ID != FirstID || whole.ID != FirstID+1 {
			t.Errorf("ids %d, %d", bare.ID, whole.ID)
		}
		for _, want := range []Cert{bare, whole} {
			got, ok, err := s.Get(t.Context(), want.ID)
			if err != nil || !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("Get: %v %v\n got %+v\nwant %+v", ok, err, got, want)
			}
		}
		bare.DER, whole.DER = nil, nil // a search does not read them
		page, hits, err := s.Search(t.Context(), Query{Limit: 9})
		if err != nil || hits != 2 || !reflect.DeepEqual(page, []Cert{bare, whole}) {
			t.Errorf("Search: %d hits, %v, %+v", hits, err, page)
		}
		if c, ok, err := s.Get(t.Context(), 4711); ok || err != nil || !reflect.DeepEqual(c, Cert{}) {
			t.Errorf("Get of an unknown id: %+v %v %v", c, ok, err)
		}
	})
}

func TestIdsThatTheCallerNames(t *testing.T) {
	s := open(t, "")
	for _, id := range []int64{7, 1, 0, 3, 0} {
		add(t, s, Cert{ID: id, IssuerDN: "o=x", Type: EE})
	}
	page, _, err := s.Search(t.Context(), Query{Limit: 9})
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, c := range page {
		ids = append(ids, c.ID)
	}
	if want := []int64{1, 3, 7, FirstID, FirstID + 1}; !reflect.DeepEqual(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
	if _, err := s.Add(t.Context(), Cert{ID: 7, IssuerDN: "o=x"}); err == nil {
		t.Error("an id is given twice")
	}
	if _, err := s.Add(t.Context(), Cert{IssuerDN: "nonsense"}); err == nil {
		t.Error("an issuer that is no name is taken")
	}
}

func TestUpdateKeepsAllOrNothing(t *testing.T) {
	kinds(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c := full()
		c.Revoked, c.Reason, c.RevokedAt = false, 0, time.Time{}
		c = add(t, s, c)
		state := func() (bool, int64, int) {
			t.Helper()
			got, _, err := s.Get(ctx, c.ID)
			if err != nil {
				t.Fatal(err)
			}
			number, _, err := s.RevokedBy(ctx, c.IssuerID, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			_, hits, err := s.Search(ctx, Query{NotRevoked: true})
			if err != nil {
				t.Fatal(err)
			}
			return got.Revoked, number, hits
		}
		check := func(when string, revoked bool, number int64, hits int) {
			t.Helper()
			if r, n, h := state(); r != revoked || n != number || h != hits {
				t.Errorf("%s: revoked %v, CRL %d, %d not revoked; want %v, %d, %d", when, r, n, h, revoked, number, hits)
			}
		}
		check("at first", false, 1, 1)
		sorry := errors.New("sorry")
		err := s.Update(ctx, func(tx *Tx) error {
			if err := tx.Revoke(c.ID, Hold, noon); err != nil {
				return err
			}
			if got, _, err := tx.Get(c.ID); err != nil || !got.Revoked || got.Reason != Hold || !got.RevokedAt.Equal(noon) {
				t.Errorf("within: %+v, %v", got, err)
			}
			first, err1 := tx.Add(Cert{IssuerDN: "o=never", Type: EE})
			second, err2 := tx.Add(Cert{IssuerDN: "o=never", Type: EE})
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			if first != c.ID+1 || second != c.ID+2 {
				t.Errorf("ids %d and %d after %d", first, second, c.ID)
			}
			if fresh, err := tx.Use("nonce"); !fresh || err != nil {
				t.Errorf("a new nonce: %v %v", fresh, err)
			}
			if err := tx.SetMeta("k", "v"); err != nil {
				return err
			}
			return sorry
		})
		if !errors.Is(err, sorry) {
			t.Error(err)
		}
		check("undone", false, 1, 1)
		if v, err := s.Meta(ctx, "k"); v != "" || err != nil {
			t.Errorf("meta of a transaction undone: %q %v", v, err)
		}
		use := func(nonce string) (fresh bool) {
			t.Helper()
			if err := s.Update(ctx, func(tx *Tx) (err error) { fresh, err = tx.Use(nonce); return err }); err != nil {
				t.Fatal(err)
			}
			return fresh
		}
		if !use("nonce") || use("nonce") || !use("other") {
			t.Error("a nonce serves once, and only if the transaction was kept")
		}
		// The id and the issuer of the transaction undone are free.
		add(t, s, Cert{IssuerDN: "o=never", Type: EE})
		check("another added", false, 1, 2)
		err = s.Update(ctx, func(tx *Tx) error {
			return errors.Join(tx.Revoke(c.ID, 1, noon), tx.Reinstate(c.ID, noon), tx.Revoke(c.ID, 4, noon), tx.SetMeta("k", "v"))
		})
		if err != nil {
			t.Error(err)
		}
		check("revoked", true, 2, 1)
		if _, hits, err := s.Search(ctx, Query{PublicationAllowed: true, Reasons: []int{4}}); hits != 1 || err != nil {
			t.Errorf("a revoked certificate may still be published: %d hits, %v", hits, err)
		}
		if err := s.Update(ctx, func(tx *Tx) error { return tx.Reinstate(c.ID, noon) }); err != nil {
			t.Error(err)
		}
		check("reinstated", false, 3, 2)
		if v, err := s.Meta(ctx, "k"); v != "v" || err != nil {
			t.Errorf("meta: %q %v", v, err)
		}
		for name, change := range map[string]func(tx *Tx) error{
			"revoke an unknown id":    func(tx *Tx) error { return tx.Revoke(4711, 1, noon) },
			"reinstate an unknown id": func(tx *Tx) error { return tx.Reinstate(4711, noon) },
			"reason 11":               func(tx *Tx) error { return tx.Revoke(c.ID, 11, noon) },
			"add with reason -1":      func(tx *Tx) error { _, err := tx.Add(Cert{IssuerDN: "o=x", Reason: -1}); return err },
		} {
			if err := s.Update(ctx, change); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		check("after what failed", false, 3, 2)
	})
}

func TestRevokedByListsOneIssuer(t *testing.T) {
	s := open(t, "")
	mine := add(t, s, full())
	onHold := full()
	onHold.Serial, onHold.Reason = "01", Hold
	add(t, s, onHold)
	active := full()
	active.Serial, active.Revoked = "02", false
	add(t, s, active)
	other := full()
	other.Serial, other.IssuerID = "03", "issuing-2"
	add(t, s, other)
	number, got, err := s.RevokedBy(t.Context(), "issuing-1", time.Time{})
	want := []RevokedEntry{{mine.ID, "00ab01", 4, mine.RevokedAt}, {mine.ID + 1, "01", Hold, mine.RevokedAt}}
	if err != nil || number != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d %+v %v, want 3 %+v", number, got, err, want)
	}
	if number, got, err := s.RevokedBy(t.Context(), "none", time.Time{}); number != 1 || got != nil || err != nil {
		t.Errorf("unknown issuer: %d %v %v", number, got, err)
	}
}

func TestBytesStayOnceMade(t *testing.T) {
	kinds(t, func(t *testing.T, s *Store) {
		c := full()
		c.DER = nil
		c = add(t, s, c)
		first, second := []byte("first"), []byte("second")
		for _, der := range [][]byte{first, second} {
			if kept, err := s.SetDER(t.Context(), c.ID, der); err != nil || !bytes.Equal(kept, first) {
				t.Errorf("kept %q, %v", kept, err)
			}
		}
		c.DER = first
		if got, _, err := s.Get(t.Context(), c.ID); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%+v %v", got, err)
		}
	})
}

func TestFileSurvivesRestart(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "store.db")
	var before []Cert
	for round := range 2 {
		s, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if err := s.Seed(ctx, 1200, testSeed()); err != nil {
				t.Fatal(err)
			}
			if err := s.Update(ctx, func(tx *Tx) error {
				if _, err := tx.Use("n"); err != nil {
					return err
				}
				if _, err := tx.Add(full()); err != nil {
					return err
				}
				return errors.Join(tx.Revoke(FirstID, 1, noon), tx.Reinstate(FirstID+16, noon))
			}); err != nil {
				t.Fatal(err)
			}
		}
		after, hits, err := s.Search(ctx, Query{Limit: 5000, Types: []string{EE, CA}, Domain: OtherDomain})
		if err != nil || hits != 1200+1+5+1 || len(after) != hits {
			t.Fatalf("%d of %d, %v", len(after), hits, err)
		}
		if round == 0 {
			before = after
		} else if !reflect.DeepEqual(after, before) {
			t.Error("the rows are not those of before the restart")
		}
		for what, q := range map[string]Query{
			"revoked":    {Reasons: []int{1}, RevokedAfter: noon.Add(-time.Second), RevokedBefore: noon.Add(time.Second)},
			"reinstated": {NotRevoked: true, SKI: testSeed().SKI(FirstID + 16)},
		} {
			if _, hits, err := s.Search(ctx, q); hits != 1 || err != nil {
				t.Errorf("round %d, %s: %d hits, %v", round, what, hits, err)
			}
		}
		if number, _, err := s.RevokedBy(ctx, "issuing-1", time.Time{}); err != nil || number != 3 {
			t.Errorf("round %d: CRL %d, %v", round, number, err)
		}
		if v, err := s.Meta(ctx, MetaSeeded); v != "1200" || err != nil {
			t.Errorf("round %d: seeded %q %v", round, v, err)
		}
		var fresh bool
		if err := s.Update(ctx, func(tx *Tx) error { fresh, err = tx.Use("n"); return err }); err != nil || fresh {
			t.Errorf("round %d: a nonce used is fresh, %v", round, err)
		}
		if round == 1 {
			if id, err := s.Add(ctx, full()); err != nil || id != before[len(before)-1].ID+1 {
				t.Errorf("next id %d, %v", id, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A page, its hits and what is on it are of one moment, whoever writes.
func TestSearchWhileOthersWrite(t *testing.T) {
	kinds(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if err := s.Seed(ctx, 400, testSeed()); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for k := range 60 {
				err := s.Update(ctx, func(tx *Tx) error {
					for id := int64(FirstID); id < FirstID+10; id++ {
						change := tx.Revoke(id, 1, noon)
						if k%2 == 1 {
							change = tx.Reinstate(id, noon)
						}
						if change != nil {
							return change
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		for range 60 {
			page, hits, err := s.Search(ctx, Query{NotRevoked: true, Limit: 500})
			if err != nil || hits != len(page) || hits != 340 && hits != 330 {
				t.Errorf("%d hits, %d rows, %v", hits, len(page), err)
			}
			for _, c := range page {
				if c.Revoked || c.Reason != 0 || !c.RevokedAt.IsZero() {
					t.Errorf("%d is revoked, on a page of those that are not", c.ID)
				}
			}
		}
		wg.Wait()
	})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	if s, err := Open(t.Context(), filepath.Join(t.TempDir(), "no", "such", "folder")); err == nil {
		t.Error("a file in no folder is opened", s.Close())
	}
}

// A caller who goes away in the middle takes nothing along: neither half a
// transaction nor, in memory, the connection that is the database.
func TestCallersThatGoAway(t *testing.T) {
	kinds(t, func(t *testing.T, s *Store) {
		kept := add(t, s, full())
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Update(ctx, func(tx *Tx) error {
			if _, err := tx.Add(full()); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a transaction whose caller is gone: %v", err)
		}
		if _, _, err := s.Search(ctx, Query{Limit: 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("a search whose caller is gone: %v", err)
		}
		if _, _, err := s.RevokedBy(ctx, "issuing-1", time.Time{}); !errors.Is(err, context.Canceled) {
			t.Errorf("a CRL whose caller is gone: %v", err)
		}
		for range 20 { // in the middle of reading
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(cancel)
			_, _, _ = s.Search(ctx, Query{Limit: 100})
			_, _, _ = s.RevokedBy(ctx, "issuing-1", time.Time{})
			_ = s.Update(ctx, func(tx *Tx) error { _, _, err := tx.Get(kept.ID); return err })
			wg.Wait()
		}
		if got, ok, err := s.Get(t.Context(), kept.ID); err != nil || !ok || !reflect.DeepEqual(got, kept) {
			t.Errorf("%v %v %+v", ok, err, got)
		}
		if next := add(t, s, full()); next.ID != kept.ID+1 {
			t.Errorf("next id %d", next.ID)
		}
	})
}

// TestRevokedByAsOf: a CRL that is behind tells how things were, whatever
// happened since, also after a restart.
func TestRevokedByAsOf(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	active := full()
	active.Revoked, active.Reason, active.RevokedAt = false, 0, time.Time{}
	first := add(t, s, active)
	active.Serial = "01"
	second := add(t, s, active)
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	for _, change := range []func(*Tx) error{
		func(tx *Tx) error { return tx.Revoke(first.ID, Hold, at(1)) },
		func(tx *Tx) error { return errors.Join(tx.Reinstate(first.ID, at(2)), tx.Revoke(second.ID, 4, at(2))) },
		func(tx *Tx) error { return tx.Revoke(first.ID, 1, at(3)) },
	} {
		if err := s.Update(ctx, change); err != nil {
			t.Fatal(err)
		}
	}
	hold, revoked := RevokedEntry{first.ID, first.Serial, Hold, at(1)}, RevokedEntry{first.ID, first.Serial, 1, at(3)}
	superseded := RevokedEntry{second.ID, "01", 4, at(2)}
	check := func(s *Store) {
		t.Helper()
		for _, c := range []struct {
			asOf   time.Time
			number int64
			want   []RevokedEntry
		}{
			{at(0), 1, nil}, {at(1), 2, []RevokedEntry{hold}}, {at(2), 3, []RevokedEntry{superseded}},
			{at(3), 4, []RevokedEntry{revoked, superseded}}, {time.Time{}, 4, []RevokedEntry{revoked, superseded}},
		} {
			number, got, err := s.RevokedBy(ctx, "issuing-1", c.asOf)
			alone, err2 := s.CRLNumber(ctx, "issuing-1", c.asOf)
			if number != c.number || alone != number || !reflect.DeepEqual(got, c.want) || err != nil || err2 != nil {
				t.Errorf("%v: %d, %d, %+v, %v, %v; want %d, %+v", c.asOf, number, alone, got, err, err2, c.number, c.want)
			}
		}
	}
	check(s)
	check(open(t, path))

	for serial, want := range map[string]int64{"00ab01": first.ID, "ab01": first.ID, "1": second.ID, "02": 0} {
		if c, found, err := s.BySerial(ctx, "issuing-1", serial); c.ID != want || found != (want > 0) || err != nil {
			t.Errorf("serial %s: %d, %v, %v", serial, c.ID, found, err)
		}
	}
	if _, found, err := s.BySerial(ctx, "issuing-2", "ab01"); found || err != nil {
		t.Errorf("another issuer's: %v, %v", found, err)
	}
}
