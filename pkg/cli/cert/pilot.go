package cert

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/revstatus"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// pilot is the few that go first: they are shown on the CRL before the others
// follow.
type pilot struct {
	n    int
	wait time.Duration
}

func (p *pilot) addFlags(cmd *cobra.Command) {
	cmdutil.CountFlag(cmd, &p.n, "pilot", 0, 1, "send the first `N` alone, show them on their CRL, and ask again before the others")
	cmdutil.DurationFlag(cmd.Flags(), &p.wait, "pilot-wait", 10*time.Minute, "how long the pilot is looked for on the CRL, such as `30m`")
}

func (p *pilot) check(job cmdutil.JobFlags) error {
	switch {
	case p.n > 0 && job.Drill:
		return exit.Usagef("", "--pilot sends, and --drill does not: choose one")
	case p.wait <= 0:
		return exit.Usagef("", "--pilot-wait %s: expected a time such as 30m", p.wait)
	}
	return nil
}

// show waits until the pilot can be seen where relying parties look, tells what
// is seen there, and asks whether the others follow. With --yes they do when
// all of it is visible.
func (p *pilot) show(ctx context.Context, f *cmdutil.Factory, all []bulk.Result, rest int, reinstated bool) error {
	var done []bulk.Result
	for _, r := range all {
		if r.Outcome.Good() {
			done = append(done, r)
		} else {
			f.Warn("pilot: certificate %s is %s: %s", r.Key, r.Outcome, cmdutil.MessageText(r.Err))
		}
	}
	question := fmt.Sprintf("Go on with the other %d?", rest)
	if bad := len(all) - len(done); bad > 0 {
		if f.Yes() {
			return exit.New(exit.Partial, "--yes goes on only when all of the pilot are done; without it, on a terminal, it asks", "of the pilot %d of %d are not done: the others were not sent", bad, len(all))
		}
		question = fmt.Sprintf("Go on with the other %d, though %d of the pilot's %d are not done?", rest, bad, len(all))
	}
	targets, err := p.targets(ctx, f, done)
	if err != nil {
		return err
	}
	checker, err := f.Checker("", "")
	if err != nil {
		return err
	}
	defer checker.Close()
	f.Warn("pilot: %d of %s done; looking for it on CRL and OCSP", len(done), cmdutil.Plural(len(all), "certificate"))
	var results []revstatus.Result
	if reinstated { // what is lifted is gone from a list: there is nothing to wait for in proof
		results = checker.Check(ctx, targets)
	} else {
		results, err = checker.Wait(ctx, targets, p.wait, nil)
	}
	for i, r := range results {
		f.Warn("pilot: certificate %s: CRL %s, OCSP %s", done[i].Key, answerText(r.CRL), answerText(r.OCSP))
	}
	switch {
	case err != nil && f.Yes():
		return exit.New(exit.Of(err), "the others were not sent; "+exit.HintOf(err), "pilot: %w", err)
	case err != nil && exit.Of(err) != exit.WaitOver:
		return err
	case err != nil:
		f.Warn("pilot: %v", err)
	case f.Yes():
		return nil
	}
	ok, err := f.Prompter().Confirm(ctx, terminal.Question{Text: question, Flag: "--yes"})
	switch {
	case err != nil:
		return err
	case !ok:
		return exit.New(exit.Declined, "", "declined after the pilot: the other %d were not sent", rest)
	}
	return nil
}

func (p *pilot) targets(ctx context.Context, f *cmdutil.Factory, done []bulk.Result) ([]revstatus.Target, error) {
	client, err := f.Client(ctx)
	if err != nil {
		return nil, err
	}
	checker, err := f.Checker("", "")
	if err != nil {
		return nil, err
	}
	defer checker.Close()
	targets := make([]revstatus.Target, len(done))
	for i, r := range done {
		if targets[i], err = cmdutil.RevocationTarget(ctx, client, checker, r.Key); err != nil {
			return nil, exit.New(exit.Of(err), exit.HintOf(err), "pilot: certificate %s: %w", r.Key, err)
		}
		targets[i].OnHold = r.Group == pki.CertificateHold.String()
	}
	return targets, nil
}

func answerText(a revstatus.Answer) string {
	switch {
	case a.State == revstatus.None:
		return "none"
	case a.Err != nil:
		return "not proven: " + a.Err.Error()
	case a.State == revstatus.Revoked && !a.RevokedAt.IsZero():
		return fmt.Sprintf("%s since %s", a.State, pki.FormatTime(a.RevokedAt))
	}
	return string(a.State)
}
