package search

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// model is a gateway with certificates that change under every search: its
// caps, bounds and counts are those that gateways are known to have.
type model struct {
	mode      string // clamp, page, total
	cap       int
	inclusive bool
	uncounted bool
	shuffled  bool
	churn     int // certificates issued and as many taken away before each answer

	mu       sync.Mutex
	rng      *rand.Rand
	certs    []cmapi.Certificate
	fixed    map[string]bool // never taken away
	next     int
	requests int
}

var epoch = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// newModel makes n certificates over three years, and crowd of them in one
// second by two issuers.
func newModel(n, crowd int) *model {
	m := &model{mode: "clamp", cap: 50, rng: rand.New(rand.NewPCG(1, 2)), fixed: map[string]bool{}}
	for i := range n {
		c := m.issue()
		m.fixed[c.CertID] = true
		if i >= n/2 && i < n/2+crowd {
			at := &m.certs[len(m.certs)-1]
			at.ValidFrom, at.ValidTo = epoch, epoch.AddDate(1, 0, 0)
		}
	}
	return m
}

func (m *model) issue() *cmapi.Certificate {
	m.next++
	from := epoch.Add(-time.Duration(m.rng.IntN(3*365*24*3600)) * time.Second)
	m.certs = append(m.certs, cmapi.Certificate{
		CertID: fmt.Sprint(m.next), SubjectType: []string{"EE", "CA"}[m.next%7/6], Issuer: []string{"cn=one", "cn=two"}[m.next%2],
		Subject: "Demo User, " + []string{"SE", "NO", "FI", "DK", "DE"}[m.rng.IntN(5)], ValidFrom: from, ValidTo: from.AddDate(1+m.next%3, 0, 0),
	})
	return &m.certs[len(m.certs)-1]
}

func (m *model) matches(f *cmapi.CertificateFilter, c *cmapi.Certificate) bool {
	between := func(t, from, to time.Time) bool {
		if m.inclusive {
			return (from.IsZero() || !t.Before(from)) && (to.IsZero() || !t.After(to))
		}
		return (from.IsZero() || t.After(from)) && (to.IsZero() || t.Before(to))
	}
	types := f.SubjectType
	if len(types) == 0 {
		types = []string{"EE"}
	}
	return between(c.ValidFrom, f.ValidFromTimeFrom, f.ValidFromTimeTo) && between(c.ValidTo, f.ValidToTimeFrom, f.ValidToTimeTo) &&
		slices.Contains(types, c.SubjectType) && (f.Issuer == "" || f.Issuer == c.Issuer) &&
		(f.SubjectCountry == "" || "Demo User, "+f.SubjectCountry == c.Subject)
}

func (m *model) List(_ context.Context, f cmapi.CertificateFilter, limit, offset int) (*cmapi.CertificatePage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests++; m.requests > 20000 {
		return nil, errors.New("this goes on for ever")
	}
	for range m.churn {
		m.issue()
		if k := m.rng.IntN(len(m.certs)); !m.fixed[m.certs[k].CertID] {
			m.certs = slices.Delete(m.certs, k, k+1)
		}
	}
	if m.mode == "page" && limit > m.cap {
		return nil, tooMany
	}
	var found []cmapi.Certificate
	for i := range m.certs {
		if m.matches(&f, &m.certs[i]) {
			found = append(found, m.certs[i])
		}
	}
	if m.mode == "total" && len(found) > m.cap {
		return nil, tooMany
	}
	if m.shuffled {
		m.rng.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	}
	page := &cmapi.CertificatePage{Hits: len(found)}
	if m.uncounted {
		page.Hits = -1
	}
	if limit == 0 || limit > m.cap {
		limit = m.cap
	}
	found = found[min(offset, len(found)):]
	page.Certificates = found[:min(limit, len(found))]
	return page, nil
}

func (m *model) Issuers(context.Context, cmapi.CertificateFilter, int, int) (*cmapi.IssuerPage, error) {
	return &cmapi.IssuerPage{Hits: 2, Issuers: []cmapi.Issuer{{DN: "cn=one"}, {DN: "cn=two"}}}, nil
}

// TestComplete: whatever the cap does and however much is issued and taken
// away meanwhile, what was there throughout is listed exactly once.
func TestComplete(t *testing.T) {
	both := []string{"EE", "CA"}
	for _, c := range []struct {
		name    string
		set     func(*model)
		filter  cmapi.CertificateFilter
		crowd   int
		notice  bool
		doubted bool
	}{
		{name: "pages cut", filter: cmapi.CertificateFilter{}},
		{name: "pages cut, both types", filter: cmapi.CertificateFilter{SubjectType: both}},
		{name: "pages refused", set: func(m *model) { m.mode = "page" }},
		{name: "searches refused", set: func(m *model) { m.mode = "total" }},
		{name: "bounds included", set: func(m *model) { m.inclusive = true }},
		{name: "searches refused, bounds included", set: func(m *model) { m.mode, m.inclusive = "total", true }},
		{name: "no count", set: func(m *model) { m.uncounted = true }},
		{name: "no order", set: func(m *model) { m.shuffled = true }},
		{name: "a crowd that issuers divide", crowd: 90},
		{name: "a crowd that types and issuers divide", crowd: 120, filter: cmapi.CertificateFilter{SubjectType: both}},
		{name: "a crowd, pages refused", set: func(m *model) { m.mode = "page" }, crowd: 90},
		{name: "a crowd, searches refused", set: func(m *model) { m.mode = "total" }, crowd: 90},
		{name: "a crowd by offset", crowd: 300},
		{name: "a crowd by offset, pages refused", set: func(m *model) { m.mode = "page" }, crowd: 300},
		{name: "a crowd that no search may find", set: func(m *model) { m.mode = "total" }, crowd: 300, doubted: true},
		{name: "a crowd in no order", set: func(m *model) { m.shuffled = true }, crowd: 300, doubted: true},
		{name: "others write", set: func(m *model) { m.churn = 5 }, notice: true},
		{name: "others write, pages refused", set: func(m *model) { m.churn, m.mode = 5, "page" }, notice: true},
		{name: "others write, searches refused", set: func(m *model) { m.churn, m.mode = 5, "total" }},
		{name: "others write, bounds included", set: func(m *model) { m.churn, m.inclusive = 5, true }, notice: true},
		{name: "others write, a crowd by offset", set: func(m *model) { m.churn = 5 }, crowd: 300, notice: true},
		{name: "bounded by its start", filter: cmapi.CertificateFilter{ValidFromTimeFrom: epoch.AddDate(-1, 0, 0), ValidFromTimeTo: epoch.AddDate(0, -1, 0)}},
		{name: "bounded by its end", filter: cmapi.CertificateFilter{ValidToTimeFrom: epoch}},
		{name: "bounded by both", filter: cmapi.CertificateFilter{ValidToTimeFrom: epoch, ValidFromTimeTo: epoch.AddDate(0, -1, 0)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(3000, c.crowd)
			if c.set != nil {
				c.set(m)
			}
			want := map[string]bool{}
			for i := range m.certs {
				if m.matches(&c.filter, &m.certs[i]) {
					want[m.certs[i].CertID] = true
				}
			}
			got := map[string]int{}
			var notice string
			err := Run(t.Context(), m, c.filter, Options{Notice: func(s string) { notice = s }}, func(cs []cmapi.Certificate) error {
				for i := range cs {
					got[cs[i].CertID]++
				}
				return nil
			})
			var doubt *IncompleteError
			if errors.As(err, &doubt) != c.doubted || err != nil && doubt == nil {
				t.Errorf("error %v", err)
			}
			if (notice != "") != c.notice {
				t.Errorf("notice %q", notice)
			}
			for id, n := range got {
				if n != 1 {
					t.Errorf("%s listed %d times", id, n)
				}
				if m.churn == 0 && !want[id] {
					t.Errorf("%s does not match", id)
				}
			}
			missing := 0
			for id := range want {
				if got[id] == 0 {
					missing++
				}
			}
			if missing > 0 && !m.shuffled {
				t.Errorf("%d of %d missing", missing, len(want))
			}
			t.Logf("%d listed, %d requests, %d full pages", len(got), m.requests, len(got)/m.cap)
		})
	}
}

// TestFewRequests: nearly full pages, and little beside them.
func TestFewRequests(t *testing.T) {
	for _, c := range []struct {
		n, crowd, most int
	}{{3000, 0, 110}, {3000, 90, 125}, {40, 0, 1}, {20000, 0, 620}} {
		m := newModel(c.n, c.crowd)
		n := 0
		if err := Run(t.Context(), m, cmapi.CertificateFilter{}, Options{}, func(cs []cmapi.Certificate) error { n += len(cs); return nil }); err != nil {
			t.Fatal(err)
		}
		if m.requests > c.most {
			t.Errorf("%d certificates, %d in a crowd: %d requests for %d pages, at most %d", n, c.crowd, m.requests, n/m.cap+1, c.most)
		}
	}
}

// A gateway that gives one certificate at a time proves nothing of those that no
// time divides: all are listed, and what is the matter is told.
func TestOneAtATime(t *testing.T) {
	for _, mode := range []string{"clamp", "page"} {
		m := newModel(20, 6)
		m.mode, m.cap = mode, 1
		want := len(m.certs) - countCA(m)
		got := 0
		err := Run(context.Background(), m, cmapi.CertificateFilter{}, Options{}, func(cs []cmapi.Certificate) error { got += len(cs); return nil })
		var incomplete *IncompleteError
		if !errors.As(err, &incomplete) || !strings.Contains(incomplete.Why, "that gives one at a time") || strings.Contains(incomplete.Why, "moved") {
			t.Errorf("%s: %v", mode, err)
		}
		if got != want {
			t.Errorf("%s: %d listed, want %d", mode, got, want)
		}
	}
}

func countCA(m *model) (n int) {
	for i := range m.certs {
		if m.certs[i].SubjectType == "CA" {
			n++
		}
	}
	return n
}
