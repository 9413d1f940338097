package cert

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// prospect is the record of a dry run.
type prospect struct{ cmdutil.Prospect }

// MarshalJSON writes {"certid":"10003","finding":"due"}, with line and input
// when from a list, and the error that a real run would report.
func (p prospect) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		CertID  string          `json:"certid"`
		Finding cmdutil.Finding `json:"finding"`
		Line    int             `json:"line,omitempty"`
		Input   string          `json:"input,omitempty"`
		Error   *ops.Reason     `json:"error,omitempty"`
	}{p.Key, p.Finding, p.Line, ops.InputOf(p.Item), ops.ReasonOf(p.Err)})
}

var prospectNoun = output.Noun[prospect]{
	Name:   "finding",
	Schema: "finding",
	ID: func(p prospect) string {
		if p.Err != nil {
			return "" // -o id: only those for which the wish is, or would come, true
		}
		return p.Key
	},
	Fields: append(
		[]output.Field[prospect]{{Name: "certid", Value: func(p prospect) string { return p.Key }}},
		cmdutil.FindingFields(func(p prospect) cmdutil.Prospect { return p.Prospect })...),
}

// checker looks items up and says what a write would come to.
type checker struct {
	client *cmapi.Client
	change func(group string) (*ops.StateChange, error)
	states *states
}

// tryOut does all that a run does before the question, looks every item up, and
// ends as that run would. The plan is kept in memory and thrown away.
func (o *changeOptions) tryOut(ctx context.Context, opt output.Options, sel *cmdutil.Selected, c change) error {
	var picked *cmdutil.Picked
	job, err := o.f.NewDryJob(c.verb, o.job, func(job *bulk.Job) (err error) {
		picked, err = o.fill(ctx, job, sel, false)
		return err
	})
	switch {
	case errors.Is(err, errNothing):
		return printNothing(prospectNoun, opt, picked)
	case err != nil:
		return err
	}
	defer job.Discard()
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	x := &checker{client: client, change: c.of, states: &states{now: o.f.Now()}}
	if err := x.sweep(ctx, job.Plan().Len(), job.Plan().Has); err != nil {
		return err
	}
	run := cmdutil.DryRun[prospect]{
		Noun: prospectNoun, Look: x.look, Prospect: func(p prospect) cmdutil.Prospect { return p.Prospect },
		Name: func(p prospect) string { return "certificate " + p.Key },
	}
	return run.Run(ctx, o.f, opt, job)
}

// look finds out about one item.
func (c *checker) look(ctx context.Context, it bulk.Item) prospect {
	p := prospect{cmdutil.Prospect{Item: it}}
	change, err := c.change(it.Group)
	if err != nil {
		p.Finding, p.Outcome, p.Err = cmdutil.FindUnknown, ops.Unknown, err
		return p
	}
	cert := c.states.of(it.Key)
	if cert == nil {
		cert, err = c.client.Certificates.Details(ctx, it.Key)
	}
	p.Outcome, p.Err = change.Foresee(it.Key, cert, err)
	switch {
	case p.Outcome == ops.Already:
		p.Finding = cmdutil.FindAlready
	case p.Outcome == ops.Unknown:
		p.Finding = cmdutil.FindUnknown
	case err != nil:
		p.Finding = cmdutil.FindMissing
	case p.Err != nil:
		p.Finding = cmdutil.FindWrongState
	case !cert.ValidTo.IsZero() && cert.ValidTo.Before(c.states.now):
		p.Finding = cmdutil.FindExpired
	case cert.OnHold() && change.Verb == "revoke":
		p.Finding = cmdutil.FindOnHold
	default:
		p.Finding = cmdutil.FindDue
	}
	return p
}
