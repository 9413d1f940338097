package cert

import (
	"context"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// importProspect is the record of a dry run of one certificate to import.
type importProspect struct {
	cmdutil.Prospect
	CertID  string // of one that is there
	Serial  pki.Serial
	Subject string
}

// importProspectNoun prints what would become of each. The tsv columns and
// their order are contract: append only.
var importProspectNoun = output.Noun[importProspect]{
	Name:   "finding",
	Schema: "import-finding",
	ID: func(p importProspect) string {
		if p.Err != nil {
			return ""
		}
		return p.CertID
	},
	JSON: func(p importProspect) any {
		return struct {
			CertID  string          `json:"certid,omitempty"`
			Finding cmdutil.Finding `json:"finding"`
			Serial  pki.Serial      `json:"certificateserialnumber"`
			Subject string          `json:"subject"`
			Line    int             `json:"line,omitempty"`
			Input   string          `json:"input"`
			Error   *ops.Reason     `json:"error,omitempty"`
		}{p.CertID, p.Finding, p.Serial, p.Subject, p.Line, p.Input, ops.ReasonOf(p.Err)}
	},
	Fields: append(append(
		[]output.Field[importProspect]{{Name: "certid", Value: func(p importProspect) string { return p.CertID }}},
		cmdutil.FindingFields(func(p importProspect) cmdutil.Prospect { return p.Prospect })...),
		output.Field[importProspect]{Name: "serial", Value: func(p importProspect) string { return p.Serial.String() }, Spare: true},
		output.Field[importProspect]{Name: "subject", Value: func(p importProspect) string { return p.Subject }, Flex: true},
	),
}

// tryOut does what a run does before the question, and looks every certificate
// up by serial and issuer.
func (o *importOptions) tryOut(ctx context.Context, opt output.Options, items []importItem, out []cmdutil.KeptOut) error {
	job, err := o.f.NewDryJob("cert import", o.job, func(job *bulk.Job) error { return planImport(job, items, out) })
	if err != nil {
		return err
	}
	defer job.Discard()
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	_, describe, err := o.findProcedure(ctx, client)
	if err != nil {
		return err
	}
	runner := &ops.Runner{Client: client}
	run := cmdutil.DryRun[importProspect]{
		Noun: importProspectNoun,
		Look: func(ctx context.Context, it bulk.Item) importProspect {
			c := items[it.Index].Certificate
			res := runner.ForeseeImport(ctx, it)
			return importProspect{Prospect: cmdutil.Foreseen(res, cmdutil.FindWrongState), CertID: res.ID, Serial: pki.SerialOf(c.SerialNumber), Subject: pki.DN(c.RawSubject)}
		},
		Prospect: func(p importProspect) cmdutil.Prospect { return p.Prospect },
		Name:     func(p importProspect) string { return place(p.Item) },
	}
	err = run.Run(ctx, o.f, opt, job)
	o.f.Notice("it would %s", describe)
	return err
}
