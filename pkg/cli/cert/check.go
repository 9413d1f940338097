package cert

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// addDryRunFlag adds --dry-run and --check, which are the same.
func addDryRunFlag(cmd *cobra.Command, target *bool) {
	cmd.Flags().BoolVar(target, "dry-run", false, "look every item up and print what would become of it; nothing is signed or sent")
	cmd.Flags().BoolVar(target, "check", false, "the same as --dry-run")
	cmdutil.ColumnsWith(cmd, "dry-run", prospectNoun.Columns())
}

// finding is what a dry run says of an item.
type finding string

// The findings. Those of the first row would be done, already is success too.
const (
	findDue     finding = "due"
	findOnHold  finding = "on-hold" // and the hold would become final
	findExpired finding = "expired"

	findAlready    finding = "already"
	findMissing    finding = "not-found"
	findWrongState finding = "wrong-state"
	findUnknown    finding = "unknown" // it cannot be read
)

func findings() []finding {
	return []finding{findDue, findOnHold, findExpired, findAlready, findMissing, findWrongState, findUnknown}
}

// prospect is the record of a dry run.
type prospect struct {
	bulk.Item
	finding finding
	outcome ops.Outcome // that a real run would come to
	err     error
}

// MarshalJSON writes {"certid":"10003","finding":"due"}, with line and input
// when from a list, and the error that a real run would report.
func (p prospect) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		CertID  string      `json:"certid"`
		Finding finding     `json:"finding"`
		Line    int         `json:"line,omitempty"`
		Input   string      `json:"input,omitempty"`
		Error   *ops.Reason `json:"error,omitempty"`
	}{p.Key, p.finding, p.Line, ops.InputOf(p.Item), ops.ReasonOf(p.err)})
}

var prospectNoun = output.Noun[prospect]{
	Name:   "finding",
	Schema: "finding",
	ID: func(p prospect) string {
		if p.err != nil {
			return "" // -o id: only those for which the wish is, or would come, true
		}
		return p.Key
	},
	Fields: []output.Field[prospect]{
		{Name: "certid", Value: func(p prospect) string { return p.Key }},
		{Name: "finding", Value: func(p prospect) string { return string(p.finding) }, Tone: findingTone},
		{Name: "code", Value: func(p prospect) string { return cmdutil.CodeText(p.err) }},
		{Name: "message", Value: func(p prospect) string { return cmdutil.MessageText(p.err) }, Flex: true},
		{Name: "line", Value: func(p prospect) string { return cmdutil.LineText(p.Line) }, Where: output.NotInTable},
		{Name: "input", Value: func(p prospect) string { return ops.InputOf(p.Item) }, Where: output.NotInTable},
	},
}

func findingTone(p prospect) output.Tone {
	switch {
	case p.err != nil:
		return output.Bad
	case p.finding == findOnHold || p.finding == findExpired:
		return output.Warn
	}
	return output.Plain
}

// checker looks items up and says what a write would come to.
type checker struct {
	f      *cmdutil.Factory
	client *cmapi.Client
	change func(group string) (*ops.StateChange, error)
	states *states
}

const lookers = 16 // look-ups at a time

// hopeless are errors that the next look-up would meet as well.
var hopeless = []exit.Code{exit.Unavailable, exit.Refused, exit.Key, exit.Identity, exit.Interrupted, exit.Terminated, exit.Hangup}

// tryOut does all that a run does before the question, looks every item up, and
// ends as that run would. The plan is kept in memory and thrown away.
func (o *changeOptions) tryOut(ctx context.Context, opt output.Options, sel *cmdutil.Selected, c change) error {
	job, err := bulk.Draft("", "", c.verb, o.f.Now())
	if err != nil {
		return err
	}
	defer job.Discard()
	switch picked, err := o.fill(ctx, job, sel, false); {
	case errors.Is(err, errNothing):
		return printNothing(prospectNoun, opt, picked)
	case err != nil:
		return err
	}
	if err := o.job.CheckDigest(job.Plan()); err != nil {
		return err
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	x := &checker{f: o.f, client: client, change: c.of, states: &states{now: o.f.Now()}}
	if err := x.sweep(ctx, job.Plan().Len(), job.Plan().Has); err != nil {
		return err
	}
	if err := job.Freeze(); err != nil {
		return err
	}
	return x.check(ctx, opt, job)
}

// check prints a record of each item.
func (c *checker) check(ctx context.Context, opt output.Options, job *bulk.Job) error {
	n := job.Header.Items
	each := func(emit func(bulk.Item) error) error {
		return job.Each(func(r bulk.Result) error { return emit(r.Item) })
	}
	counts := map[finding]int{}
	tally := bulk.NewTally()
	w := output.NewWriter(prospectNoun, opt)
	progress := c.f.Progress(opt)
	start := time.Now()
	looked := 0
	err := cmdutil.Ordered(ctx, lookers, each, c.look, func(p prospect) error {
		counts[p.finding]++
		tally.Add(bulk.Result{Item: p.Item, Outcome: p.outcome, Err: p.err})
		if looked++; time.Since(start) > time.Second {
			progress.Set("%d of %d looked up", looked, n)
		}
		if p.finding == findUnknown && slices.Contains(hopeless, exit.Of(p.err)) {
			return p.err
		}
		return w.Write(p)
	})
	progress.Clear()
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	words := ""
	for _, f := range findings() {
		if counts[f] > 0 {
			words += ", " + strconv.Itoa(counts[f]) + " " + string(f)
		}
	}
	c.f.Notice("dry run, nothing was sent: %s%s", cmdutil.Plural(looked, "item"), words)
	for _, l := range cmdutil.Exclusions(job.Header.Summary) {
		c.f.Notice("%s", l)
	}
	c.f.Notice("the plan's --expect-sha256 is %s", job.Header.SHA256)
	code := tally.ExitCode(nil)
	switch {
	case code == exit.OK && job.Header.LeftOut > 0:
		return cmdutil.LeftOutError(job.Header.LeftOut)
	case code == exit.OK:
		return nil
	}
	bad := looked - tally.Counts[bulk.Done] - tally.Counts[bulk.Already]
	return exit.New(code, exit.HintOf(tally.First.Err), "%d of %d would not be done, the first: certificate %s: %w", bad, looked, tally.First.Key, tally.First.Err)
}

// look finds out about one item.
func (c *checker) look(ctx context.Context, it bulk.Item) prospect {
	p := prospect{Item: it}
	change, err := c.change(it.Group)
	if err != nil {
		p.finding, p.outcome, p.err = findUnknown, ops.Unknown, err
		return p
	}
	cert := c.states.of(it.Key)
	if cert == nil {
		cert, err = c.client.Certificates.Details(ctx, it.Key)
	}
	p.outcome, p.err = change.Foresee(it.Key, cert, err)
	switch {
	case p.outcome == ops.Already:
		p.finding = findAlready
	case p.outcome == ops.Unknown:
		p.finding = findUnknown
	case err != nil:
		p.finding = findMissing
	case p.err != nil:
		p.finding = findWrongState
	case !cert.ValidTo.IsZero() && cert.ValidTo.Before(c.states.now):
		p.finding = findExpired
	case cert.OnHold() && change.Verb == "revoke":
		p.finding = findOnHold
	default:
		p.finding = findDue
	}
	return p
}
