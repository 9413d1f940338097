package store

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// shelf is a handful of certificates that differ in what each filter looks at.
func shelf(t *testing.T) (*Store, map[string]int64) {
	t.Helper()
	s := open(t, "")
	anna := full()
	anna.Locked, anna.Revoked, anna.Reason, anna.RevokedAt = false, false, 0, time.Time{}
	revoked := func(reason int, at time.Time) Cert {
		return Cert{Type: EE, IssuerDN: "o=Other", Serial: "1234", Revoked: true, Reason: reason, RevokedAt: at, NotBefore: noon.Add(-48 * time.Hour), NotAfter: noon.Add(48 * time.Hour)}
	}
	ids := map[string]int64{}
	for _, c := range []struct {
		name string
		cert Cert
	}{
		{"anna", anna},
		{"bare", Cert{Type: EE, IssuerDN: "o=Other", Serial: "ff", NotBefore: noon.Add(time.Hour), NotAfter: noon.Add(72 * time.Hour)}},
		{"expired", Cert{Type: EE, IssuerDN: "o=Other", Serial: "fe", NotBefore: noon.Add(-72 * time.Hour), NotAfter: noon.Add(-24 * time.Hour)}},
		{"unspecified", revoked(0, noon.Add(-3*time.Hour))},
		{"compromised", revoked(1, noon.Add(-2*time.Hour))},
		{"held", revoked(Hold, noon.Add(-time.Hour))},
		{"ca", Cert{Type: CA, CN: "Anna Öberg", IssuerID: "root", IssuerDN: "cn=Demo Root CA,o=Demo,c=SE", AKI: "aa00", Serial: "0a", NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour)}},
		{"hidden", Cert{Type: EE, CN: "Anna Öberg", IssuerDN: "o=Other", Serial: "ab01", Domain: "theirs"}},
	} {
		ids[c.name] = add(t, s, c.cert).ID
	}
	return s, ids
}

// Each filter is tried with values that fit and values that nearly do.
func TestFilters(t *testing.T) {
	s, ids := shelf(t)
	const everyEE = "anna bare expired unspecified compromised held"
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	for _, c := range []struct {
		name string
		q    Query
		want string
	}{
		{"none: every EE of no other domain", Query{}, everyEE},
		{"type EE", Query{Types: []string{"EE"}}, everyEE},
		{"type CA", Query{Types: []string{"ca"}}, "ca"},
		{"both types", Query{Types: []string{"EE", " CA"}}, everyEE + " ca"},
		{"a domain", Query{Domain: "theirs", CN: "Anna Öberg"}, "anna hidden"},
		{"another domain", Query{Domain: "ours", CN: "Anna Öberg"}, "anna"},

		{"cn", Query{CN: "Anna Öberg"}, "anna"},
		{"cn, case", Query{CN: "ANNA öBERG"}, "anna"},
		{"cn, composed otherwise", Query{CN: "Anna O\u0308berg"}, "anna"},
		{"cn, part of it", Query{CN: "Anna"}, ""},
		{"cn, asterisk", Query{CN: "Anna*"}, ""},
		{"cn, percent sign", Query{CN: "Anna%"}, ""},
		{"cn, blank more", Query{CN: "Anna Öberg "}, ""},
		{"cn, long", Query{CN: strings.Repeat("x", 5000)}, ""},
		{"given name", Query{GivenName: "anna"}, "anna"},
		{"given name, no", Query{GivenName: "Öberg"}, ""},
		{"surname", Query{Surname: "öberg"}, "anna"},
		{"surname, no", Query{Surname: "Anna"}, ""},
		{"org", Query{Org: "DEMO"}, "anna"},
		{"org, no", Query{Org: "Dem"}, ""},
		{"unit", Query{OU: "finance"}, "anna"},
		{"unit, no", Query{OU: "finances"}, ""},
		{"subject serial", Query{SubjectSerial: "19900101-1234"}, "anna"},
		{"subject serial, no", Query{SubjectSerial: "19900101"}, ""},
		{"country", Query{Country: "se"}, "anna"},
		{"country, no", Query{Country: "s"}, ""},
		{"card", Query{CardSerial: "9752000123"}, "anna"},
		{"card, no", Query{CardSerial: "975200012"}, ""},
		{"field 1", Query{Fields: [6]string{"ONE"}}, "anna"},
		{"field 1, another's value", Query{Fields: [6]string{"two"}}, ""},
		{"field 2", Query{Fields: [6]string{1: "two"}}, "anna"},
		{"field 2, no", Query{Fields: [6]string{1: "one"}}, ""},
		{"field 3", Query{Fields: [6]string{2: "three"}}, "anna"},
		{"field 3, no", Query{Fields: [6]string{2: "two"}}, ""},
		{"field 4", Query{Fields: [6]string{3: "four"}}, "anna"},
		{"field 4, no", Query{Fields: [6]string{3: "three"}}, ""},
		{"field 5", Query{Fields: [6]string{4: "five"}}, "anna"},
		{"field 5, no", Query{Fields: [6]string{4: "four"}}, ""},
		{"field 6", Query{Fields: [6]string{5: "six"}}, "anna"},
		{"field 6, no", Query{Fields: [6]string{5: "five"}}, ""},

		{"serial as stored", Query{Serial: "00ab01"}, "anna"},
		{"serial, case", Query{Serial: "00AB01"}, "anna"},
		{"serial without zeros", Query{Serial: "ab01"}, "anna"},
		{"serial with more zeros", Query{Serial: "000000ab01"}, "anna"},
		{"serial with 0x", Query{Serial: "0xAB01"}, "anna"},
		{"serial with colons", Query{Serial: "00:ab:01"}, "anna"},
		{"serial with blanks", Query{Serial: " ab 01 "}, "anna"},
		{"serial, odd number of digits", Query{Serial: "0ab01"}, "anna"},
		{"serial, zero at the end", Query{Serial: "ab0100"}, ""},
		{"serial, part of it", Query{Serial: "ab"}, ""},
		{"serial of several", Query{Serial: "1234"}, "unspecified compromised held"},
		{"serial in decimal", Query{Serial: "43777"}, ""},
		{"ski", Query{SKI: "0B:b1"}, "anna"},
		{"ski without its zero", Query{SKI: "bb1"}, ""},
		{"ski, another's", Query{SKI: "aa01"}, ""},
		{"aki", Query{AKI: "AA:01"}, "anna"},
		{"aki, another's", Query{AKI: "aa00"}, ""},
		{"aki of a CA", Query{AKI: "aa00", Types: []string{CA}}, "ca"},
		{"issuer", Query{Issuer: "cn=Demo Issuing CA,o=Demo,c=SE"}, "anna"},
		{"issuer, otherwise written", Query{Issuer: `CommonName = "demo issuing CA"; OID.2.5.4.10=Demo, C=se`}, "anna"},
		{"issuer, other order", Query{Issuer: "c=SE,o=Demo,cn=Demo Issuing CA"}, ""},
		{"issuer, part of it", Query{Issuer: "cn=Demo Issuing CA"}, ""},
		{"issuer of several", Query{Issuer: "O=Other"}, "bare expired unspecified compromised held"},
		{"issuer and aki that disagree", Query{Issuer: "O=Other", AKI: "aa01"}, ""},

		{"not revoked", Query{NotRevoked: true}, "anna bare expired"},
		{"reason 0", Query{Reasons: []int{0}}, "unspecified"},
		{"reason hold", Query{Reasons: []int{Hold}}, "held"},
		{"two reasons", Query{Reasons: []int{1, 6}}, "compromised held"},
		{"a reason that no one has", Query{Reasons: []int{9}}, ""},
		{"a reason and not revoked", Query{Reasons: []int{0}, NotRevoked: true}, ""},
		{"publication allowed", Query{PublicationAllowed: true}, "anna"},
		{"not yet valid", Query{NotYetValid: true, Now: noon}, "bare"},
		{"not yet valid, from its first moment", Query{NotYetValid: true, Now: at(time.Hour)}, ""},
		{"expired", Query{Expired: true, Now: noon}, "expired"},
		{"expired, in its last moment", Query{Expired: true, Now: at(-24 * time.Hour)}, ""},

		{"revoked after", Query{RevokedAfter: at(-2 * time.Hour)}, "held"},
		{"revoked at or after", Query{RevokedAfter: at(-2 * time.Hour), Inclusive: true}, "compromised held"},
		{"revoked before", Query{RevokedBefore: at(-2 * time.Hour)}, "unspecified"},
		{"revoked at or before", Query{RevokedBefore: at(-2 * time.Hour), Inclusive: true}, "unspecified compromised"},
		{"revoked between", Query{RevokedAfter: at(-3 * time.Hour), RevokedBefore: at(-time.Hour)}, "compromised"},
		{"revoked in one moment", Query{RevokedAfter: at(-2 * time.Hour), RevokedBefore: at(-2 * time.Hour), Inclusive: true}, "compromised"},
		{"revoked in no moment", Query{RevokedAfter: at(-2 * time.Hour), RevokedBefore: at(-2 * time.Hour)}, ""},
		{"a bound between milliseconds", Query{RevokedAfter: at(-2*time.Hour - time.Microsecond), RevokedBefore: at(-2*time.Hour + time.Microsecond)}, "compromised"},
		{"valid from after", Query{ValidFromAfter: at(-48 * time.Hour)}, "anna bare"},
		{"valid from at or after", Query{ValidFromAfter: at(-time.Hour), Inclusive: true}, "anna bare"},
		{"valid from before", Query{ValidFromBefore: at(-48 * time.Hour)}, "expired"},
		{"valid from at or before", Query{ValidFromBefore: at(-time.Hour), Inclusive: true}, "anna expired unspecified compromised held"},
		{"expires after", Query{ExpiresAfter: at(48 * time.Hour)}, "bare"},
		{"expires at or after", Query{ExpiresAfter: at(72 * time.Hour), Inclusive: true}, "bare"},
		{"expires before", Query{ExpiresBefore: at(time.Hour)}, "expired"},
		{"expires at or before", Query{ExpiresBefore: at(time.Hour), Inclusive: true}, "anna expired"},
		{"published after", Query{PublishedAfter: at(-51 * time.Minute)}, "anna"},
		{"published after, no", Query{PublishedAfter: at(-50 * time.Minute)}, ""},
		{"published before", Query{PublishedBefore: at(-49 * time.Minute)}, "anna"},
		{"published before, no", Query{PublishedBefore: at(-50 * time.Minute)}, ""},
		{"ocsp after", Query{OCSPAfter: at(-41 * time.Minute)}, "anna"},
		{"ocsp after, no", Query{OCSPAfter: at(-40 * time.Minute)}, ""},
		{"ocsp before", Query{OCSPBefore: at(-39 * time.Minute)}, "anna"},
		{"ocsp before, no", Query{OCSPBefore: at(-40 * time.Minute)}, ""},

		{"several that fit", Query{CN: "anna öberg", Country: "SE", Serial: "ab01", NotRevoked: true, ExpiresAfter: noon}, "anna"},
		{"several, one does not", Query{CN: "anna öberg", Country: "SE", Serial: "ab01", Reasons: []int{1}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Limit = 100
			page, hits, err := s.Search(t.Context(), c.q)
			if err != nil {
				t.Fatal(err)
			}
			var got, want []int64
			for _, row := range page {
				got = append(got, row.ID)
			}
			for _, name := range strings.Fields(c.want) {
				want = append(want, ids[name])
			}
			if !reflect.DeepEqual(got, want) || hits != len(want) {
				t.Errorf("got %v, %d hits, want %s %v", got, hits, c.want, want)
			}
		})
	}
}

func TestFiltersThatCannotBeRead(t *testing.T) {
	s, _ := shelf(t)
	for _, c := range []struct {
		field string
		q     Query
	}{
		{"certificateSerialNumber", Query{Serial: "dec:12"}},
		{"certificateSerialNumber", Query{Serial: "0x"}},
		{"certificateSerialNumber", Query{Serial: "ab cdef"}},
		{"certificateSerialNumber", Query{Serial: " "}},
		{"certificateSerialNumber", Query{Serial: "*"}},
		{"subjectKeyIdentifier", Query{SKI: "xy"}},
		{"authorityKeyIdentifier", Query{AKI: "-1"}},
		{"issuer", Query{Issuer: "Demo Issuing CA"}},
		{"subjectType", Query{Types: []string{"EE", "AA"}}},
		{"revocationReason", Query{Reasons: []int{11}}},
		{"revocationReason", Query{Reasons: []int{-1}}},
	} {
		_, _, err := s.Search(t.Context(), c.q)
		var bad *BadField
		if !errors.As(err, &bad) || bad.Field != c.field {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
}

func TestPagesAddUp(t *testing.T) {
	kinds(t, func(t *testing.T, s *Store) {
		const n = 3*block + 517
		if err := s.Seed(t.Context(), n, testSeed()); err != nil {
			t.Fatal(err)
		}
		q := Query{NotRevoked: true, Issuer: "cn=Demo Issuing CA,o=Demo,c=SE", Limit: n}
		all, total, err := s.Search(t.Context(), q)
		if err != nil || total != len(all) || total < n/3 {
			t.Fatalf("%d of %d, %v", len(all), total, err)
		}
		for _, limit := range []int{1000, 777} {
			var pages []Cert
			for {
				q.Limit, q.Offset = limit, len(pages)
				page, hits, err := s.Search(t.Context(), q)
				if err != nil || hits != total || len(page) > limit {
					t.Fatalf("%d of %d, %v", len(page), hits, err)
				}
				if len(page) == 0 {
					break
				}
				pages = append(pages, page...)
			}
			if !reflect.DeepEqual(pages, all) {
				t.Errorf("pages of %d do not add up to the whole", limit)
			}
		}
		for _, c := range []struct{ limit, offset, want int }{{0, 0, 0}, {-1, 0, 0}, {5, total, 0}, {5, total - 2, 2}, {5, -7, 5}, {1, 1 << 40, 0}} {
			q.Limit, q.Offset = c.limit, c.offset
			page, hits, err := s.Search(t.Context(), q)
			if err != nil || hits != total || len(page) != c.want {
				t.Errorf("limit %d, offset %d: %d of %d, %v", c.limit, c.offset, len(page), hits, err)
			}
		}
	})
}

// What was revoked lately is found in whichever block of rows it is, also when
// a row with a small id has moved the others on, and after a restart.
func TestRevokedLately(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	if err := s.Seed(t.Context(), 3*block+100, testSeed()); err != nil {
		t.Fatal(err)
	}
	since := noon.Add(time.Hour)
	update := func(fn func(*Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	found := func(when string, want ...int64) {
		t.Helper()
		page, hits, err := s.Search(t.Context(), Query{RevokedAfter: since, Limit: 100, Types: []string{EE, CA}, Domain: OtherDomain})
		var got []int64
		for _, c := range page {
			got = append(got, c.ID)
		}
		if err != nil || hits != len(want) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %d hits, %v; want %v", when, got, hits, err, want)
		}
	}
	found("before")
	ids := s.cols.ids
	edge, last, lifted := ids[block-1], ids[len(ids)-1], ids[2*block+5]
	update(func(tx *Tx) error {
		at := since.Add(time.Minute)
		return errors.Join(tx.Revoke(edge, 4, at), tx.Revoke(last, 4, at), tx.Revoke(lifted, Hold, at), tx.Revoke(ids[3], 4, since.Add(-time.Minute)))
	})
	found("revoked", edge, lifted, last)
	update(func(tx *Tx) error { return tx.Reinstate(lifted, since.Add(time.Hour)) })
	found("lifted", edge, last)
	update(func(tx *Tx) error {
		_, err := tx.Add(Cert{ID: 5, IssuerDN: "o=x", Type: EE, Revoked: true, Reason: 4, RevokedAt: since.Add(time.Hour)})
		return err
	})
	found("moved on", 5, edge, last)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	found("after a restart", 5, edge, last)
}
