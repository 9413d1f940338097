package report

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/search"
)

// Most names that are kept, and most organisations that the gateway is asked
// to confirm: a subject may hold a name that no other has.
const (
	maxNames   = 10000
	maxConfirm = 200
)

// What is counted where there is no name.
const (
	noName = "(none)"
	others = "(others)"
)

// counts are the sums of a report while it is made.
type counts struct {
	from, until, failUntil time.Time

	total, soon int
	first       time.Time // the earliest expiry
	weeks       map[time.Time]int
	issuers     map[string]int
	orgs        map[string]int
}

func newCounts(now time.Time) *counts {
	return &counts{from: now, weeks: map[time.Time]int{}, issuers: map[string]int{}, orgs: map[string]int{}}
}

func (c *counts) add(cs []cmapi.Certificate) {
	for i := range cs {
		cert := &cs[i]
		c.total++
		if cert.ValidTo.Before(c.failUntil) {
			c.soon++
		}
		if c.first.IsZero() || cert.ValidTo.Before(c.first) {
			c.first = cert.ValidTo
		}
		c.weeks[weekOf(cert.ValidTo)]++
		count(c.issuers, cert.Issuer)
		count(c.orgs, organisation(cert.Subject))
	}
}

func count(sums map[string]int, name string) {
	if name == "" {
		name = noName
	}
	if _, known := sums[name]; !known && len(sums) >= maxNames {
		name = others
	}
	sums[strings.Clone(name)]++ // the page that it is a part of is long
}

// weekOf is the Monday, in UTC, of the ISO week that holds t.
func weekOf(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
}

// organisation is what may be the organisation in a subject: the gateway shows
// bare values, the organisation before the country; some show a DN.
func organisation(subject string) string {
	if name, err := pki.ParseName(subject); err == nil {
		for _, a := range slices.Concat(name...) {
			if a.Type == "O" {
				return a.Value
			}
		}
		return ""
	}
	values := strings.Split(subject, ", ")
	if n := len(values); n > 1 && len(values[n-1]) == 2 {
		values = values[:n-1]
	}
	if len(values) < 2 {
		return "" // a common name alone
	}
	return values[len(values)-1]
}

// nameOrganisations keeps those names by which the gateway finds certificates
// as their organisation; the sums of others join those without one.
func (c *counts) nameOrganisations(ctx context.Context, l search.Lister, f cmapi.CertificateFilter) error {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(search.DefaultParallel)
	for k, name := range byCount(c.orgs) {
		switch {
		case name == noName || name == others:
			continue
		case k >= maxConfirm:
			mu.Lock()
			c.move(name, others)
			mu.Unlock()
			continue
		}
		g.Go(func() error {
			q := f
			if q.SubjectOrganisationName == "" {
				q.SubjectOrganisationName = name
			}
			page, err := l.List(ctx, q, 1, 0)
			switch {
			case search.Refused(err): // there are more than it lets anyone search for
			case err != nil:
				return err
			case page.Hits == 0 || page.Hits < 0 && len(page.Certificates) == 0:
				mu.Lock()
				defer mu.Unlock()
				c.move(name, noName)
			}
			return nil
		})
	}
	return g.Wait()
}

func (c *counts) move(from, to string) {
	c.orgs[to] += c.orgs[from]
	delete(c.orgs, from)
}

// byCount lists names, the most frequent first; what has no name comes last.
func byCount(sums map[string]int) []string {
	last := func(name string) int {
		if name == noName || name == others {
			return 1
		}
		return 0
	}
	return slices.SortedFunc(maps.Keys(sums), func(a, b string) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(sums[b], sums[a]), strings.Compare(a, b))
	})
}

// Report is what is printed.
type Report struct {
	Gateway     string
	From, Until time.Time
	FailUntil   time.Time // zero: not asked for
	First       time.Time // the earliest expiry; zero: none
	Total, Soon int
	Incomplete  bool // the listing behind it is not proven complete

	Weeks, Issuers, Organisations []Bar
}

// Bar is one count.
type Bar struct {
	Name  string
	Day   time.Time // the Monday of a week
	Count int
	Soon  bool // a week that holds the time of --fail-within or lies before it
}

// fullWeeks is up to how many weeks those without any certificate are listed
// too, so that gaps are seen.
const fullWeeks = 110

func (c *counts) report() *Report {
	r := &Report{From: c.from, Until: c.until, FailUntil: c.failUntil, First: c.first, Total: c.total, Soon: c.soon}
	from, to := weekOf(c.from), weekOf(c.until)
	every := to.Sub(from) <= fullWeeks*7*24*time.Hour
	week := func(monday time.Time) {
		y, w := monday.ISOWeek()
		r.Weeks = append(r.Weeks, Bar{Name: fmt.Sprintf("%d-W%02d", y, w), Day: monday, Count: c.weeks[monday], Soon: monday.Before(c.failUntil)})
	}
	if every && c.total > 0 {
		for monday := from; !monday.After(to); monday = monday.AddDate(0, 0, 7) {
			week(monday)
		}
	} else {
		for _, monday := range slices.SortedFunc(maps.Keys(c.weeks), time.Time.Compare) {
			week(monday)
		}
	}
	for _, name := range byCount(c.issuers) {
		r.Issuers = append(r.Issuers, Bar{Name: name, Count: c.issuers[name]})
	}
	for _, name := range byCount(c.orgs) {
		r.Organisations = append(r.Organisations, Bar{Name: name, Count: c.orgs[name]})
	}
	return r
}

// row is a count for tsv, json and the like.
type row struct {
	Group string `json:"group"`
	Key   string `json:"key"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	Count int    `json:"count"`
}

// rowNoun prints counts. The tsv columns and their order are contract: append
// only.
var rowNoun = output.Noun[row]{
	Name:   "count",
	Schema: "expiring",
	ID:     func(r row) string { return r.Key },
	Fields: []output.Field[row]{
		{Name: "group", Value: func(r row) string { return r.Group }},
		{Name: "key", Value: func(r row) string { return r.Key }, Flex: true},
		{Name: "count", Value: func(r row) string { return fmt.Sprint(r.Count) }, Right: true},
		{Name: "from", Value: func(r row) string { return r.From }},
		{Name: "to", Value: func(r row) string { return r.To }},
	},
}

// rows lists all counts: the sums first, so that a script need not add up.
func (r *Report) rows() []row {
	rows := []row{{"total", "expiring", pki.FormatTime(r.From), pki.FormatTime(r.Until), r.Total}}
	if !r.FailUntil.IsZero() {
		rows = append(rows, row{"total", "fail-within", pki.FormatTime(r.From), pki.FormatTime(r.FailUntil), r.Soon})
	}
	for _, b := range r.Weeks {
		rows = append(rows, row{"week", b.Name, pki.FormatTime(b.Day), pki.FormatTime(b.Day.AddDate(0, 0, 7)), b.Count})
	}
	for _, b := range r.Issuers {
		rows = append(rows, row{Group: "issuer", Key: b.Name, Count: b.Count})
	}
	for _, b := range r.Organisations {
		rows = append(rows, row{Group: "organisation", Key: b.Name, Count: b.Count})
	}
	return rows
}
