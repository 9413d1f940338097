package cert

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
)

// changeOptions are what revoke, hold and reinstate share: which certificates,
// and the guards.
type changeOptions struct {
	f *cmdutil.Factory

	selection cmdutil.Selection
	limits    cmdutil.Limits
}

func (o *changeOptions) addFlags(cmd *cobra.Command) {
	cmdutil.AddSelectionFlags(cmd, &o.selection)
	cmdutil.AddLimitFlags(cmd, &o.limits)
	cmdutil.AddBatchFlag(cmd)
}

const changeLong = `
Certificates are named by certid (digits), by serial number (0x..., dec:..., or
with colons), or in a list with --from. Up to 100 (--batch) go into one signed
request. The state is read back before an item is called done. An item that was
so before is "already", which is success: after a crash, run the same command
again.

It asks before it writes. --yes answers; above 100 items it needs --expect or
--max as well, in a protected context always --expect. It ends with 0 when all
are done or already, with 3 when only some are.`

// runChange is the way of every state change: read the list, ask, write, read
// back, report.
func runChange(ctx context.Context, o *changeOptions, change *ops.StateChange) error {
	f := o.f
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	entries, err := o.selection.Entries(f)
	if err != nil {
		return err
	}
	settings, err := f.Settings()
	if err != nil {
		return err
	}
	if err := o.limits.CheckEarly(f, entries); err != nil {
		return err
	}
	if err := cmdutil.AskFirst(f); err != nil {
		return err
	}
	client, err := f.Client(ctx)
	if err != nil {
		return err
	}
	items, err := cmdutil.Resolve(ctx, f, client, cmdutil.InputName(o.selection.From), entries)
	if err != nil {
		return err
	}
	if err := o.limits.Check(f, len(items)); err != nil {
		return err
	}
	signer, err := f.Signer(ctx)
	if err != nil {
		return err
	}
	write := cmdutil.Write{
		Describe: change.Describe, Undo: change.Undo, Noun: "certificate", Count: len(items),
		Signatures: (len(items) + settings.Batch - 1) / settings.Batch,
	}
	if !f.Yes() {
		if write.Items, err = cmdutil.DescribeItems(ctx, client, items); err != nil {
			return err
		}
	}
	if err := cmdutil.Confirm(ctx, f, write); err != nil {
		return err
	}
	runner := &ops.Runner{Client: client, Signer: signer, Batch: settings.Batch, Notice: func(s string) { f.Notice("%s", s) }}
	place := make(map[string]int, len(items))
	for i, it := range items {
		place[it.CertID] = i
	}
	results, stop := cmdutil.Report(opt, outcomeNoun, len(items), "cmctl cert show", func(done func(int, ops.Result)) error {
		return runner.Change(ctx, change, items, func(r ops.Result) { done(place[r.CertID], r) })
	})
	return cmdutil.Ending{
		Verb: change.Verb, Name: func(i int) string { return "certificate " + results[i].CertID },
		Again: "run the same command again: what is done already is success",
	}.Err(f, results, stop)
}
