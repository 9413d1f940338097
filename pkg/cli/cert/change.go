package cert

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
)

// changeOptions are what revoke, hold and reinstate share: which certificates,
// the guards, and how the job is run.
type changeOptions struct {
	f *cmdutil.Factory

	selection cmdutil.Selection
	limits    cmdutil.Limits
	job       cmdutil.JobFlags
}

func (o *changeOptions) addFlags(cmd *cobra.Command) {
	cmdutil.AddSelectionFlags(cmd, &o.selection)
	cmdutil.AddLimitFlags(cmd, &o.limits)
	cmdutil.AddJobFlags(cmd, &o.job, true)
}

const changeLong = `
Certificates are named by certid (digits), by serial number (0x..., dec:..., or
with colons), or in a list with --from. Up to 100 (--batch) go into one signed
request. The state is read back before an item is called done. An item that was
so before is "already", which is success.

It asks before it writes. --yes answers; above 100 items it needs --expect or
--max as well, in a protected context always --expect. It ends with 0 when all
are done or already, with 3 when only some are.

Before anything is sent the plan is written to a journal, and each request
before its first byte leaves: after a crash, "cmctl job resume" reads back what
was on its way and goes on. A single certificate has no journal: run the same
command again.`

// change is one of the verbs.
type change struct {
	verb     string // "cert revoke"
	describe string // "revoke with reason keyCompromise"
	undo     string
	of       func(group string) (*ops.StateChange, error)
}

// runChange is the way of every state change: read the list, ask, write, read
// back, report.
func runChange(ctx context.Context, o *changeOptions, c change, group string) error {
	f := o.f
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	if err := o.job.Check(f); err != nil {
		return err
	}
	var items []bulk.Item
	if !f.Resuming() {
		if items, err = o.items(ctx); err != nil {
			return err
		}
	}
	job, err := f.NewJob(ctx, c.verb, o.job, len(items) == 1, func(job *bulk.Job) error {
		job.Header.Describe = c.describe
		for _, it := range items {
			it.Group = group
			if _, err := job.Plan().Add(it, bulk.Facts{}); err != nil {
				return err
			}
		}
		return nil
	}, func(job *bulk.Job) error {
		if err := o.limits.Check(f, job.Plan().Len()); err != nil {
			return err
		}
		return o.ask(ctx, job, items, c)
	})
	if err != nil {
		return err
	}
	runner, err := f.Runner(ctx, o.job)
	if err != nil {
		return err
	}
	run := cmdutil.JobRun[ops.Result]{
		Job: job, Write: runner.Changes(c.of), Noun: outcomeNoun, Record: func(r bulk.Result) (ops.Result, bool) { return r, true },
		Verb: strings.TrimPrefix(job.Header.Verb, "cert "), Name: func(r bulk.Result) string { return "certificate " + r.Key },
		Look: "cmctl cert show", Again: "run the same command again: what is done already is success",
	}
	return run.Run(ctx, f, opt, o.job)
}

// items reads what was selected.
func (o *changeOptions) items(ctx context.Context) ([]bulk.Item, error) {
	f := o.f
	entries, err := o.selection.Entries(f)
	if err != nil {
		return nil, err
	}
	if err := o.limits.CheckEarly(f, entries); err != nil {
		return nil, err
	}
	if err := cmdutil.AskFirst(f); err != nil {
		return nil, err
	}
	client, err := f.Client(ctx)
	if err != nil {
		return nil, err
	}
	return cmdutil.Resolve(ctx, f, client, cmdutil.InputName(o.selection.From), entries)
}

// ask is the question before the write.
func (o *changeOptions) ask(ctx context.Context, job *bulk.Job, items []bulk.Item, c change) error {
	n, batch := job.Plan().Len(), job.Header.Batch
	write := cmdutil.Write{Describe: c.describe, Undo: c.undo, Noun: "certificate", Count: n, Signatures: (n + batch - 1) / batch}
	if !o.f.Yes() {
		client, err := o.f.Client(ctx)
		if err != nil {
			return err
		}
		if write.Items, err = cmdutil.DescribeItems(ctx, client, items); err != nil {
			return err
		}
	}
	return cmdutil.Confirm(ctx, o.f, write)
}
