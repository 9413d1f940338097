package cert

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/search"
)

// dimension is what --count-by counts by.
type dimension string

const (
	byIssuer dimension = "issuer"
	byStatus dimension = "status"
	byReason dimension = "reason"
	byMonth  dimension = "month"
)

func dimensions() []string {
	return []string{string(byIssuer), string(byStatus), string(byReason), string(byMonth)}
}

// noValue is what certificates without a value are counted under.
const noValue = "none"

func (d dimension) of(c *cmapi.Certificate) string {
	value := ""
	switch d {
	case byIssuer:
		value = c.Issuer
	case byStatus:
		value = cmdutil.State(c)
	case byReason:
		value = c.Reason
	case byMonth:
		if !c.ValidTo.IsZero() {
			value = c.ValidTo.UTC().Format("2006-01")
		}
	}
	return cmp.Or(value, noValue)
}

// tally is how many certificates have a value.
type tally struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// countNoun prints counts; the tsv columns are contract.
var countNoun = output.Noun[tally]{
	Name:   "count",
	Schema: "count",
	ID:     func(t tally) string { return t.Value },
	Fields: []output.Field[tally]{
		{Name: "value", Value: func(t tally) string { return t.Value }, Flex: true},
		{Name: "count", Value: func(t tally) string { return strconv.Itoa(t.Count) }, Right: true},
	},
}

// countBy counts what is found: months in their order, the rest with the most
// frequent first. Of certificates nothing is held.
func (r reader) countBy(ctx context.Context, opt output.Options) error {
	counts := map[string]int{}
	_, err := r.read(ctx, opt, func(cs []cmapi.Certificate) error {
		for i := range cs {
			counts[r.o.countBy.of(&cs[i])]++
		}
		return nil
	})
	var incomplete *search.IncompleteError
	if err != nil && !errors.As(err, &incomplete) {
		return err
	}
	w := output.NewWriter(countNoun, opt)
	for _, value := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if c := counts[b] - counts[a]; c != 0 && r.o.countBy != byMonth {
			return c
		}
		return cmp.Compare(a, b)
	}) {
		if werr := w.Write(tally{value, counts[value]}); werr != nil {
			return werr
		}
	}
	if werr := w.Close(); werr != nil {
		return werr
	}
	if err == nil && len(counts) == 0 {
		r.o.f.Notice("no certificate matches")
	}
	return err
}
