package cert

import (
	"context"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// issueProspect is the record of a dry run of one request.
type issueProspect struct {
	cmdutil.Prospect
	Subject string
	Names   []string
	File    string // that would be written; empty: none, or it has its name from the certificate
}

// issueProspectNoun prints what would become of each request. The tsv columns
// and their order are contract: append only.
var issueProspectNoun = output.Noun[issueProspect]{
	Name:   "finding",
	Schema: "issue-finding",
	ID:     func(issueProspect) string { return "" }, // nothing has an id yet
	JSON: func(p issueProspect) any {
		return struct {
			Request string          `json:"request"`
			Finding cmdutil.Finding `json:"finding"`
			Subject string          `json:"subject"`
			Names   []string        `json:"names,omitempty"`
			File    string          `json:"file,omitempty"`
		}{p.Key, p.Finding, p.Subject, p.Names, p.File}
	},
	Fields: []output.Field[issueProspect]{
		{Name: "request", Value: func(p issueProspect) string { return p.Key }},
		{Name: "finding", Value: func(p issueProspect) string { return string(p.Finding) }},
		{Name: "subject", Value: func(p issueProspect) string { return p.Subject }, Flex: true},
		{Name: "file", Value: func(p issueProspect) string { return p.File }},
	},
}

// tryOut looks up what a run looks up before the question, and prints what it
// would ask for. Requests, flags and files were checked before.
func (o *issuing) tryOut(ctx context.Context, opt output.Options, list []csr, files []*cmdutil.OutFile, in cmapi.IssueRequest) error {
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	job, err := o.f.NewDryJob("cert "+o.verb, o.job, func(job *bulk.Job) error { return planRequests(job, list) })
	if err != nil {
		return err
	}
	defer job.Discard()
	if err := o.findProcedure(ctx, client, &in); err != nil {
		return err
	}
	write := o.write(list, in)
	if o.look != nil {
		if err := o.look(ctx, &ops.Runner{Client: client}, &write); err != nil {
			return err
		}
	}
	run := cmdutil.DryRun[issueProspect]{
		Noun: issueProspectNoun,
		Look: func(_ context.Context, it bulk.Item) issueProspect {
			c := &list[it.Index]
			p := issueProspect{Prospect: cmdutil.Due(it), Subject: c.subject, Names: c.names}
			if file := files[it.Index]; file != nil {
				p.File = file.Path
			}
			return p
		},
		Prospect: func(p issueProspect) cmdutil.Prospect { return p.Prospect },
		Name:     func(p issueProspect) string { return p.Key },
	}
	if err := run.Run(ctx, o.f, opt, job); err != nil {
		return err
	}
	o.f.Notice("it would %s", write.Describe)
	return nil
}

// findProcedure puts the name of the procedure into requests.
func (o *issuing) findProcedure(ctx context.Context, client *cmapi.Client, in *cmapi.IssueRequest) error {
	if o.procedure == "" {
		return nil
	}
	p, err := cmdutil.FindProcedure(ctx, client, o.procedure)
	in.Procedure = p.Name
	return err
}
