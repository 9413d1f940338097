package cert

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// changeOptions are what revoke, hold and reinstate share: which certificates,
// the guards, and how the job is run.
type changeOptions struct {
	f *cmdutil.Factory

	selection cmdutil.Selection
	limits    cmdutil.Limits
	guards    *cmdutil.Guards // nil: there is nothing to guard against
	job       cmdutil.JobFlags
	dryRun    bool
	pilot     pilot
}

func (o *changeOptions) addFlags(cmd *cobra.Command) {
	cmdutil.AddSelectionFlags(cmd, &o.selection)
	cmdutil.AddLimitFlags(cmd, &o.limits)
	if o.guards != nil {
		cmdutil.AddGuardFlags(cmd, o.guards)
	}
	cmdutil.AddDryRunFlag(cmd, &o.dryRun, "look every item up and print what would become of it; nothing is signed or sent", prospectNoun.Columns())
	cmdutil.AddJobFlags(cmd, &o.job, true)
	o.pilot.addFlags(cmd)
}

const changeLong = `
Certificates are named by certid (digits), by serial number (0x..., dec:..., or
with colons), in a list or a folder with --from, by a search with --search, or
by their key with --leaked-key. What --exclude lists is left out. Up to 100
(--batch) go into one signed request. The state is read back before an item is
called done. An item that was so before is "already", which is success.

--dry-run, or --check, which is the same, does all of it up to the question,
looks every item up and prints what would become of it: due, on-hold (and would
be revoked for good), expired (and would be done all the same), already,
not-found, wrong-state. It ends as a real run would.

It asks before it writes. --yes answers; above 100 items it needs --expect or
--max as well, in a protected context always --expect. It ends with 0 when all
are done or already, with 3 when only some are.

Before anything is sent the plan is written to a journal, and each request
before its first byte leaves: after a crash, "cmctl job resume" reads back what
was on its way and goes on. A single certificate has no journal: run the same
command again.`

// guardLong is what revoke and hold say of their guards.
const guardLong = `

Certificates of CAs, of the officer, of the officers of other contexts, and the
gateway's own are refused: --allow-ca, --allow-officer and --allow-gateway lift
that, --yes does not.`

// change is one of the verbs.
type change struct {
	verb string // "cert revoke"
	of   func(group string) (*ops.StateChange, error)
}

// runChange is the way of every state change: read the list, ask, write, read
// back, report.
func runChange(ctx context.Context, o *changeOptions, c change) error {
	f := o.f
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	if err := o.job.Check(f); err != nil {
		return err
	}
	if err := o.pilot.check(o.job); err != nil {
		return err
	}
	sel := &cmdutil.Selected{}
	if f.Resuming() {
		if f.Resumed().PilotDue() {
			if err := cmdutil.AskFirst(f); err != nil {
				return err
			}
		}
	} else {
		if sel, err = o.selection.Open(f); err != nil {
			return err
		}
		defer sel.Close()
		if o.dryRun {
			return o.tryOut(ctx, opt, sel, c)
		}
		if err := cmdutil.AskFirst(f); err != nil {
			return err
		}
	}
	var picked *cmdutil.Picked
	job, err := f.NewJob(ctx, c.verb, o.job, sel.One(), func(job *bulk.Job) (err error) {
		picked, err = o.fill(ctx, job, sel, true)
		return err
	}, func(job *bulk.Job) error {
		w, err := wordsFor(job, c)
		if err != nil {
			return err
		}
		job.Header.Describe, job.Header.Search, job.Header.OneGroup = w.Describe, o.selection.Search, !o.selection.Reasons
		job.Header.Closes = job.Header.Search != "" && !job.Header.Drill
		if o.pilot.n < job.Plan().Len() {
			job.Header.Pilot = o.pilot.n
		}
		return o.ask(ctx, job, picked, w)
	})
	switch {
	case errors.Is(err, errNothing):
		return printNothing(outcomeNoun, opt, picked)
	case err != nil:
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
	run.AfterPilot = func(ctx context.Context, pilot []bulk.Result) error {
		return o.pilot.show(ctx, f, pilot, job.Header.Items-job.Header.Pilot, job.Header.Verb == "cert reinstate")
	}
	if job.Header.Search != "" {
		run.Sweep = func(ctx context.Context) error { return newcomers(ctx, f, &o.selection, job) }
	}
	return run.Run(ctx, f, opt, o.job)
}

// errNothing says that there is nothing to do, and that this is well.
var errNothing = errors.New("no certificate is selected")

// printNothing ends a run that has nothing to do: well, unless what there was
// to do was left out.
func printNothing[T any](noun output.Noun[T], opt output.Options, picked *cmdutil.Picked) error {
	if err := output.Print(noun, opt); err != nil || picked.LeftOut == 0 {
		return err
	}
	return cmdutil.LeftOutError(picked.LeftOut)
}

// fill puts what was selected into a plan that the limits and the guards let
// pass.
func (o *changeOptions) fill(ctx context.Context, job *bulk.Job, sel *cmdutil.Selected, sign bool) (*cmdutil.Picked, error) {
	plan := job.Plan()
	plan.First(o.pilot.n)
	picked, err := sel.Fill(ctx, o.f, o.limits, plan)
	if err != nil {
		return nil, err
	}
	job.Header.LeftOut = picked.LeftOut
	if err := o.limits.Check(o.f, plan.Len()); err != nil {
		return nil, err
	}
	if plan.Len() == 0 {
		for _, l := range cmdutil.Exclusions(plan.Summary()) {
			o.f.Notice("%s", l)
		}
		o.f.Notice("%v: nothing to do", errNothing)
		return picked, errNothing
	}
	if sign {
		s, err := o.f.Settings()
		if err != nil {
			return nil, err
		}
		if err := o.f.ReadyToSign(ctx, plan.Requests(s.Batch)); err != nil {
			return nil, err
		}
	}
	if o.guards == nil {
		return picked, nil
	}
	return picked, o.guards.Check(ctx, o.f, plan.Has)
}

// wordsFor is the change of a plan, for people.
func wordsFor(job *bulk.Job, c change) (*ops.StateChange, error) {
	groups := bulk.Names(job.Plan().Summary().Groups)
	switch len(groups) {
	case 0:
		return c.of("")
	case 1:
		return c.of(groups[0])
	}
	return &ops.StateChange{Describe: "revoke, each for its own reason"}, nil
}

// ask is the question before the write.
func (o *changeOptions) ask(ctx context.Context, job *bulk.Job, picked *cmdutil.Picked, w *ops.StateChange) error {
	f, plan := o.f, job.Plan()
	n := plan.Len()
	write := cmdutil.Write{Describe: w.Describe, Undo: w.Undo, Noun: "certificate", Count: n, Signatures: plan.Requests(job.Header.Batch), Rate: o.job.Rate}
	if !f.Yes() {
		client, err := f.Client(ctx)
		if err != nil {
			return err
		}
		if n <= cmdutil.ShownItems {
			write.Items, err = cmdutil.DescribeItems(ctx, client, picked.First)
		} else {
			write.Items, err = picked.Lines(ctx, f, plan.Summary())
		}
		if err != nil {
			return err
		}
		write.Items = append(write.Items, cmdutil.Exclusions(plan.Summary())...)
		if p := job.Header.Pilot; p > 0 {
			write.Items = append(write.Items, fmt.Sprintf("The first %d go alone; you are asked again before the others.", p))
		}
	}
	return cmdutil.Confirm(ctx, f, write)
}
