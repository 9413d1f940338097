package reg

import (
	"context"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// prospect is the record of a dry run of one registration.
type prospect struct {
	cmdutil.Prospect
	RegID string // empty: it would be made
	FQDN  string
}

// prospectNoun prints what would become of each registration. The tsv columns
// and their order are contract: append only.
var prospectNoun = output.Noun[prospect]{
	Name:   "finding",
	Schema: "registration-finding",
	ID: func(p prospect) string {
		if p.Err != nil {
			return ""
		}
		return p.RegID
	},
	JSON: func(p prospect) any {
		return struct {
			RegID   string          `json:"regid,omitempty"`
			Finding cmdutil.Finding `json:"finding"`
			Line    int             `json:"line,omitempty"`
			Input   string          `json:"input,omitempty"`
			FQDN    string          `json:"fqdn,omitempty"`
			Error   *ops.Reason     `json:"error,omitempty"`
		}{p.RegID, p.Finding, p.Line, ops.InputOf(p.Item), p.FQDN, ops.ReasonOf(p.Err)}
	},
	Fields: append(append(
		[]output.Field[prospect]{{Name: "regid", Value: func(p prospect) string { return p.RegID }}},
		cmdutil.FindingFields(func(p prospect) cmdutil.Prospect { return p.Prospect })...),
		output.Field[prospect]{Name: "fqdn", Value: func(p prospect) string { return p.FQDN }, Flex: true},
	),
}

// tryOut prints what look says of each registration of a plan.
func (o *writeOptions) tryOut(ctx context.Context, verb, describe string, fill func(*bulk.Job) error, look func(context.Context, bulk.Item) prospect) error {
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	job, err := o.f.NewDryJob(verb, o.job, fill)
	if err != nil {
		return err
	}
	defer job.Discard()
	run := cmdutil.DryRun[prospect]{
		Noun: prospectNoun, Look: look, Prospect: func(p prospect) cmdutil.Prospect { return p.Prospect },
		Name: func(p prospect) string { return name(result{RegID: p.RegID, FQDN: p.FQDN}) },
	}
	err = run.Run(ctx, o.f, opt, job)
	o.f.Notice("it would %s", describe)
	return err
}

// nothing prints no records: all that was named is excluded.
func (o *writeOptions) nothing() error {
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	if len(o.out) > 0 {
		o.f.Notice("%s excluded", cmdutil.Plural(len(o.out), "registration"))
	}
	o.f.Notice("nothing to do")
	if o.dryRun {
		return output.Print(prospectNoun, opt)
	}
	return output.Print(outcomeNoun, opt)
}
