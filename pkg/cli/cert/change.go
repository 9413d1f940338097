package cert

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
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
	results, stop := report(opt, items, func(done func(ops.Result)) error {
		return runner.Change(ctx, change, items, done)
	})
	return changeError(f, change, results, stop)
}

// report prints the outcome of each item: jsonl as they come, other forms in
// the order of the input. An output that is gone does not stop a write.
func report(opt output.Options, items []ops.Item, run func(func(ops.Result)) error) ([]ops.Result, error) {
	w := output.NewWriter(outcomeNoun, opt)
	place := make(map[string]int, len(items))
	for i, it := range items {
		place[it.CertID] = i
	}
	results := make([]ops.Result, len(items))
	var printErr error
	keep := func(err error) {
		if printErr == nil && !errors.Is(err, output.ErrClosed) {
			printErr = err
		}
	}
	stop := run(func(r ops.Result) {
		results[place[r.CertID]] = r
		if opt.Format == output.JSONL {
			keep(w.Write(r))
		}
	})
	if opt.Format != output.JSONL {
		keep(w.Write(results...))
	}
	keep(w.Close())
	if stop == nil && printErr != nil {
		stop = exit.New(exit.Failure, "everything was carried out; look at it with `cmctl cert show`", "the results cannot be printed: %w", printErr)
	}
	return results, stop
}

// changeError is how the verb ends: nothing for success, else an error that
// names the one item, or counts.
func changeError(f *cmdutil.Factory, change *ops.StateChange, results []ops.Result, stop error) error {
	counts := ops.Count(results)
	if len(results) > 1 {
		f.Notice("%s", countsText(counts))
	}
	code := ops.ExitCode(results, stop)
	switch {
	case code == exit.OK:
		return nil
	case stop != nil:
		return exit.New(code, stopHint(code, stop), "%s: %s; %w", change.Verb, countsText(counts), stop)
	case len(results) == 1:
		return exit.New(code, "", "certificate %s: %w", results[0].CertID, results[0].Err)
	}
	first := results[0]
	for _, r := range results {
		if r.Err != nil {
			first = r
			break
		}
	}
	bad := len(results) - counts[ops.Done] - counts[ops.Already]
	return exit.New(code, exit.HintOf(first.Err), "%d of %d not done, the first: certificate %s: %v", bad, len(results), first.CertID, first.Err)
}

// stopHint says to run the command again where that may help. What refuses the
// officer, the key or the gateway has its own advice and comes back the same.
func stopHint(code exit.Code, stop error) string {
	const again = "run the same command again: what is done already is success"
	switch hint := exit.HintOf(stop); {
	case hint == "", code == exit.Unavailable, code >= exit.Hangup:
		return again
	default:
		return hint
	}
}

func countsText(c ops.Counts) string {
	text := ""
	for _, o := range []ops.Outcome{ops.Done, ops.Already, ops.Failed, ops.Unknown, ops.Skipped} {
		if c[o] > 0 || o == ops.Done {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", c[o], o)
		}
	}
	return text
}
