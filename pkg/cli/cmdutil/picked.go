package cmdutil

import (
	"context"
	"fmt"
	"strings"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/search"
)

// Picked is what went into a plan.
type Picked struct {
	Items   int
	Repeats int         // named before
	LeftOut int         // wrong lines, left out with --skip-invalid
	First   []bulk.Item // up to as many as the question shows each

	active map[string]int          // by issuer: not told to be otherwise
	groups map[string]*bulk.KeySet // what was picked, by its reason; nil: there is one reason for all
}

// want notes the reason of an item that is picked.
func (p *Picked) want(it bulk.Item) {
	if p.groups == nil {
		return
	}
	if p.groups[it.Group] == nil {
		p.groups[it.Group] = bulk.NewKeySet()
	}
	p.groups[it.Group].Add(it.Key)
}

// wanted is the reason of an item that was picked, which this one repeats.
func (p *Picked) wanted(it bulk.Item) string {
	for group, keys := range p.groups {
		if keys.Has(it.Key) {
			return group
		}
	}
	return it.Group
}

func (p *Picked) add(it bulk.Item, facts bulk.Facts) {
	if p.Items++; p.Items <= ShownItems {
		p.First = append(p.First, it)
	}
	if facts.Issuer == "" || facts.State != "" && facts.State != cmapi.StatusActive {
		return
	}
	if p.active == nil {
		p.active = map[string]int{}
	}
	if n, known := p.active[facts.Issuer]; known || len(p.active) < maxIssuers {
		p.active[facts.Issuer] = n + 1
	}
}

const (
	maxIssuers = 200 // that are told apart
	topNames   = 5   // that are told
)

// leftOut tells lines that were left out, which a quiet run must not hide.
func (p *Picked) leftOut(f *Factory, bad problems) {
	if bad.n > 0 {
		p.LeftOut += bad.n
		f.remark("left-out", Plural(bad.n, "wrong line")+" left out:\n"+bad.text())
	}
}

// Lines tell people what is in a plan of more items than are shown each: counts
// by what the input tells, and how much of each issuer's active certificates
// that is. The gateway is asked to count for the issuers with most items.
func (p *Picked) Lines(ctx context.Context, f *Factory, s bulk.Summary) ([]string, error) {
	var lines []string
	if len(s.Groups) > 1 {
		lines = counted(lines, "Reasons:", s.Groups)
	}
	lines = counted(lines, "States:", s.States)
	lines = counted(lines, "Organisations:", s.Organisations)
	issuers, others := top(s.Issuers)
	for _, issuer := range issuers {
		share, err := p.share(ctx, f, issuer)
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("Issuer: %d of %s%s", s.Issuers[issuer], issuer, share))
	}
	if others > 0 {
		lines = append(lines, fmt.Sprintf("Issuer: %d of others", others))
	}
	return lines, nil
}

// Exclusions tell what was kept out, and why: a line for each reason when there
// are many.
func Exclusions(s bulk.Summary) []string {
	parts := ExclusionCounts(s)
	if n := len(parts); n > 0 && n <= topNames {
		parts = []string{strings.Join(parts, ", ")}
	}
	for i := range parts {
		parts[i] = "Excluded: " + parts[i]
	}
	return parts
}

// ExclusionCounts are "3 payroll", "1 legal hold": how many were kept out, by why.
func ExclusionCounts(s bulk.Summary) []string {
	var parts []string
	for _, why := range bulk.Names(s.Exclusions) {
		parts = append(parts, fmt.Sprintf("%d %s", s.Exclusions[why], clipAt(why, clipName)))
	}
	return parts
}

func top(counts map[string]int) (names []string, others int) {
	names = bulk.Names(counts)
	for len(names) > topNames {
		others += counts[names[len(names)-1]]
		names = names[:len(names)-1]
	}
	return names, others
}

func counted(lines []string, title string, counts map[string]int) []string {
	names, others := top(counts)
	if len(names) == 0 {
		return lines
	}
	parts := make([]string, 0, len(names)+1)
	for _, n := range names {
		parts = append(parts, fmt.Sprintf("%d %s", counts[n], clipAt(n, clipName)))
	}
	if others > 0 {
		parts = append(parts, fmt.Sprintf("%d others", others))
	}
	return append(lines, title+" "+strings.Join(parts, ", "))
}

// share is which part of an issuer's active certificates is picked.
func (p *Picked) share(ctx context.Context, f *Factory, issuer string) (string, error) {
	picked := p.active[issuer]
	if picked == 0 {
		return "", nil
	}
	c, err := f.Client(ctx)
	if err != nil {
		return "", err
	}
	all, err := search.Count(ctx, c.Certificates, cmapi.CertificateFilter{Issuer: issuer, IsNotRevoked: true, SubjectType: everyType})
	if err != nil || all < picked { // the list may be older than that
		return "", err
	}
	return fmt.Sprintf(", %.3g %% of its %d active certificates", 100*float64(picked)/float64(all), all), nil
}
