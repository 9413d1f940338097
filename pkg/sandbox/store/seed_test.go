package store

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func testSeed() SeedOptions {
	return SeedOptions{
		Now: noon, Cap: 500, ProcID: "p-pkcs10",
		Root:  SeedIssuer{"root", "cn=Demo Root CA,o=Demo,c=SE", "aa00"},
		Issue: [2]SeedIssuer{{"issuing-1", "cn=Demo Issuing CA,o=Demo,c=SE", "aa01"}, {"issuing-2", "cn=Demo Issuing CA 2,o=Demo,c=SE", "aa02"}},
		SKI:   func(seed int64) string { return fmt.Sprintf("%040x", seed) },
	}
}

func seedRows(t *testing.T, n int, o SeedOptions) []Cert {
	t.Helper()
	s := open(t, "")
	if err := s.Seed(t.Context(), n, o); err != nil {
		t.Fatal(err)
	}
	rows, hits, err := s.Search(t.Context(), Query{Limit: 2 * n, Types: []string{EE, CA}, Domain: OtherDomain})
	if err != nil || hits != len(rows) {
		t.Fatal(hits, err)
	}
	return rows
}

func TestSeedIsDeterministic(t *testing.T) {
	one := seedRows(t, 2500, testSeed())
	if !reflect.DeepEqual(one, seedRows(t, 2500, testSeed())) {
		t.Error("the same seed gives other rows")
	}
	later := testSeed()
	later.Now = noon.Add(time.Second)
	if reflect.DeepEqual(one, seedRows(t, 2500, later)) {
		t.Error("the clock does not matter")
	}
}

func TestSeedMakesWhatIsPromised(t *testing.T) {
	const n, hitCap = 20_000, 500
	rows := seedRows(t, n, testSeed())
	counts := map[string]int{}
	reasons := map[int]int{}
	serials := map[string][]string{}
	crowd := map[string]int{}
	oddIDs := map[string][]int64{}
	digits := regexp.MustCompile(`^[0-9]+$`)
	hostile := map[string]bool{}
	for k, c := range rows {
		switch {
		case c.Domain != "":
			oddIDs["hidden"] = append(oddIDs["hidden"], c.ID)
			continue
		case c.Locked:
			oddIDs["locked "+c.Type] = append(oddIDs["locked "+c.Type], c.ID)
			continue
		case c.Type == CA:
			counts["CA"]++
			if c.IssuerID != "root" || c.ID <= FirstID+n-1 {
				t.Errorf("CA %d is of %s", c.ID, c.IssuerID)
			}
			continue
		case c.Revoked && c.Reason == Hold:
			counts["on hold"]++
		case c.Revoked:
			counts["revoked"]++
			reasons[c.Reason]++
		case c.NotAfter.Before(noon):
			counts["expired"]++
		case c.NotBefore.After(noon):
			counts["active"]++
			counts["not yet valid"]++
		default:
			counts["active"]++
		}
		if want := int64(FirstID + k - 5); c.ID != want {
			t.Fatalf("id %d where %d is due", c.ID, want)
		}
		if c.Revoked && (c.RevokedAt.Before(c.NotBefore) || c.RevokedAt.After(noon) || c.NotAfter.Before(noon)) {
			t.Errorf("%d: valid %s to %s, revoked %s", c.ID, c.NotBefore, c.NotAfter, c.RevokedAt)
		}
		if !c.NotBefore.Before(c.NotAfter) || c.PublishedAt.After(noon) {
			t.Errorf("%d: valid %s to %s, published %s", c.ID, c.NotBefore, c.NotAfter, c.PublishedAt)
		}
		if c.NotBefore.Equal(noon.Add(-30*day)) && c.NotAfter.Equal(noon.Add(335*day)) {
			crowd[c.IssuerID]++
			if c.Revoked {
				t.Errorf("%d of the crowd is revoked", c.ID)
			}
		}
		if len(c.Serial)%2 != 0 {
			t.Errorf("%d: serial %s has an odd number of digits", c.ID, c.Serial)
		}
		key := strings.TrimLeft(c.Serial, "0")
		if slices.Contains(serials[key], c.IssuerID) {
			t.Errorf("%d: serial %s is there twice for %s", c.ID, c.Serial, c.IssuerID)
		}
		serials[key] = append(serials[key], c.IssuerID)
		if len(serials[key]) == 2 {
			counts["serials of two issuers"]++
		}
		if digits.MatchString(c.Serial) {
			counts["serials of digits only"]++
		}
		if strings.HasPrefix(c.Serial, "00") {
			counts["serials with leading zeros"]++
		}
		for _, v := range hostileValues {
			for _, text := range []string{c.CN, c.Org, c.OU} {
				if text == v {
					counts["hostile"]++
					hostile[v] = true
				}
			}
		}
	}
	want := map[string]int{
		"active": n * 80 / 100, "on hold": n * 5 / 100, "revoked": n * 10 / 100, "expired": n * 5 / 100, "CA": n / 1000,
		"not yet valid": n/200 - 10, // none in the crowd
		"hostile":       n / group,
	}
	for key, least := range map[string]int{"serials of two issuers": n/500 - 4, "serials of digits only": n / 10, "serials with leading zeros": n / 10} {
		if counts[key] < least {
			t.Errorf("%d %s", counts[key], key)
		}
		delete(counts, key)
	}
	if !maps.Equal(counts, want) {
		t.Errorf("got  %v\nwant %v", counts, want)
	}
	if !reflect.DeepEqual(slices.Sorted(maps.Keys(reasons)), []int{0, 1, 3, 4, 5, 9}) || slices.Min(slices.Collect(maps.Values(reasons))) < n/100 {
		t.Errorf("reasons %v", reasons)
	}
	if want := map[string]int{"issuing-1": 3 * hitCap * 3 / 4, "issuing-2": 3 * hitCap / 4}; !maps.Equal(crowd, want) {
		t.Errorf("crowd %v, want %v", crowd, want)
	}
	if len(hostile) != len(hostileValues) {
		t.Errorf("%d of %d hostile texts", len(hostile), len(hostileValues))
	}
	if want := map[string][]int64{"hidden": {9001, 9002, 9003}, "locked CA": {9011, 9012}}; !reflect.DeepEqual(oddIDs, want) {
		t.Errorf("odd ones %v, want %v", oddIDs, want)
	}
}

func TestSmallStoresHoldNothingOdd(t *testing.T) {
	for _, n := range []int{1, 19, 63, 64, 65, 999} {
		rows := seedRows(t, n, testSeed())
		if len(rows) != n {
			t.Errorf("%d rows of %d", len(rows), n)
		}
		for k, c := range rows {
			if c.ID != FirstID+int64(k) || c.Type != EE || c.Locked || c.Domain != "" {
				t.Errorf("%d is odd: %+v", n, c)
			}
		}
	}
}

func TestSeedWantsAnEmptyStore(t *testing.T) {
	kinds(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		own := add(t, s, Cert{ID: 5, Type: EE, IssuerDN: "cn=Demo Issuing CA,o=Demo,c=SE", IssuerID: "issuing-1", AKI: "aa01"})
		if err := s.Seed(ctx, 0, testSeed()); err != nil {
			t.Error(err)
		}
		if err := s.Seed(ctx, 30, testSeed()); err != nil {
			t.Fatal(err)
		}
		page, hits, err := s.Search(ctx, Query{Issuer: own.IssuerDN, Limit: 1})
		if err != nil || hits != 16 || !reflect.DeepEqual(page, []Cert{own}) {
			t.Errorf("%d hits, %v, %+v", hits, err, page)
		}
		if err := s.Seed(ctx, 30, testSeed()); err == nil {
			t.Error("a store is seeded twice")
		}
		if _, hits, err := s.Search(ctx, Query{}); hits != 31 || err != nil {
			t.Errorf("%d hits, %v", hits, err)
		}
	})
}
