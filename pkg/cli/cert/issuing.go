package cert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// issuing is what the verbs that issue share: requests, validity, procedure,
// files, and the way from the command line to the records.
type issuing struct {
	f *cmdutil.Factory

	requests           requests
	procedure, handler string
	validFrom, validTo string
	target             target
	limits             cmdutil.Limits

	describe string // "issue"
	noun     string // "certificate"

	// Steps of one verb, each nil when it has none: what is wrong with its own
	// flags, secrets to be had, and a look at the gateway before the question.
	check  func() error
	secret func(context.Context) error
	look   func(context.Context, *ops.Runner, *cmdutil.Write) error
	// issue asks for one certificate.
	issue func(context.Context, *ops.Runner, *csr, cmapi.IssueRequest) (*issued, error)
}

// issued is an answer and the record of it.
type issued struct {
	data   []byte // for the file, or standard output
	record stored
}

func (o *issuing) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.procedure, "procedure", "", "token procedure, `name or id`; the gateway's default when absent (API: procname)")
	cmdutil.CompleteProcedureFlag(cmd, o.f, "procedure")
	cmd.Flags().StringVar(&o.validFrom, "valid-from", "", "wanted start of validity, a `time` such as 2026-01-31 or 1d (API: validfrom)")
	cmd.Flags().StringVar(&o.validTo, "valid-to", "", "wanted end of validity, a `time` such as 2027-01-31 or 90d (API: validto)")
	o.target.addTemplateFlag(cmd)
	o.requests.addFlags(cmd)
	cmdutil.AddLimitFlags(cmd, &o.limits)
}

// run is the way of every verb that issues: check everything, make the files,
// ask, send, write, report.
func (o *issuing) run(ctx context.Context) error {
	f := o.f
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	in, err := o.validity()
	if err != nil {
		return err
	}
	if err := o.requests.check(); err != nil {
		return err
	}
	if o.check != nil {
		if err := o.check(); err != nil {
			return err
		}
	}
	list, err := o.requests.read(f)
	if err != nil {
		return err
	}
	if err := o.target.check(len(list), opt); err != nil {
		return err
	}
	if err := o.limits.Check(f, len(list)); err != nil {
		return err
	}
	if err := cmdutil.AskFirst(f); err != nil {
		return err
	}
	files, err := o.target.create(fieldsOf(list))
	if err != nil {
		return err
	}
	defer discard(files)
	if err := o.makeReady(ctx, list); err != nil {
		return err
	}
	if key := o.requests.key; key != nil {
		defer key.discard()
	}
	runner, err := o.connect(ctx, list, &in)
	if err != nil {
		return err
	}
	if key := o.requests.key; key != nil && key.spec != "" {
		if list[0].req, err = key.make(o.requests.name, o.requests.alt); err != nil {
			return err
		}
		f.Notice("new key in %s, its request in %s", key.keyFile.Path, key.csrFile.Path)
	}
	return o.issueAll(ctx, runner, list, files, in, opt)
}

// makeReady makes what the verb needs here: files for a new key, secrets.
func (o *issuing) makeReady(ctx context.Context, list []csr) error {
	if key := o.requests.key; key != nil {
		if err := key.create(&o.target, list[0].fields); err != nil {
			key.discard()
			return err
		}
		if err := key.askPassword(ctx, o.f); err != nil {
			key.discard()
			return err
		}
	}
	if o.secret != nil {
		return o.secret(ctx)
	}
	return nil
}

// connect opens client and key, finds the procedure, and asks the question.
func (o *issuing) connect(ctx context.Context, list []csr, in *cmapi.IssueRequest) (*ops.Runner, error) {
	f := o.f
	client, err := f.Client(ctx)
	if err != nil {
		return nil, err
	}
	if o.procedure != "" {
		p, err := cmdutil.FindProcedure(ctx, client, o.procedure)
		if err != nil {
			return nil, err
		}
		in.Procedure = p.Name
	}
	signer, err := f.Signer(ctx)
	if err != nil {
		return nil, err
	}
	runner := &ops.Runner{Client: client, Signer: signer, Notice: func(s string) { f.Notice("%s", s) }}
	write := o.write(list, *in)
	if o.look != nil {
		if err := o.look(ctx, runner, &write); err != nil {
			return nil, err
		}
	}
	return runner, cmdutil.Confirm(ctx, f, write)
}

// validity checks the flags that go into every request.
func (o *issuing) validity() (cmapi.IssueRequest, error) {
	in := cmapi.IssueRequest{Media: o.target.form.media(), Handler: o.handler}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"valid-from", o.validFrom, &in.ValidFrom}, {"valid-to", o.validTo, &in.ValidTo}} {
		if t.text == "" {
			continue
		}
		at, err := pki.ParseTime(t.text, o.f.Now())
		if err != nil {
			return in, exit.Usagef(exit.HintOf(err), "--%s: %w", t.name, err)
		}
		*t.to = at
	}
	if !in.ValidTo.IsZero() && !in.ValidTo.After(in.ValidFrom) {
		return in, exit.Usagef("", "--valid-to %s is not after --valid-from %s", pki.FormatTime(in.ValidTo), pki.FormatTime(in.ValidFrom))
	}
	if !in.ValidTo.IsZero() && in.ValidTo.Before(o.f.Now()) {
		return in, exit.Usagef("", "--valid-to %s lies in the past", pki.FormatTime(in.ValidTo))
	}
	return in, nil
}

// write is the question before issuing.
func (o *issuing) write(list []csr, in cmapi.IssueRequest) cmdutil.Write {
	w := cmdutil.Write{
		Describe: o.describe + " by the gateway's default procedure", Undo: "cmctl cert revoke",
		Noun: o.noun, Count: len(list), Signatures: len(list),
	}
	if in.Procedure != "" {
		w.Describe = fmt.Sprintf("%s by procedure %q", o.describe, in.Procedure)
	}
	if len(list) > cmdutil.ShownItems {
		return w
	}
	for i := range list {
		line := list[i].label() + "  " + list[i].subject
		if names := list[i].names; len(names) > 0 {
			line += ", names " + strings.Join(names, " ")
		}
		w.Items = append(w.Items, output.Escape(line))
	}
	return w
}

// issueAll issues one after the other. What fails does not stop the others,
// unless it would fail them too.
func (o *issuing) issueAll(ctx context.Context, runner *ops.Runner, list []csr, files []*cmdutil.OutFile, in cmapi.IssueRequest, opt output.Options) error {
	records := o.target.toFiles() || o.f.FormatGiven()
	w := output.NewWriter(storedNoun, opt)
	var failed []error
	done := 0
	for i := range list {
		c := &list[i]
		got, err := o.issue(ctx, runner, c, in)
		if err != nil {
			err = o.keepUnusable(err)
			failed = append(failed, exit.New(exit.Of(err), exit.HintOf(err), "%s: %w", c.label(), err))
			if stops(exit.Of(err)) {
				break
			}
			continue
		}
		done++
		if len(list) > 1 {
			got.record.Input = c.file
		}
		if err := o.put(c, got, files[i], records, w, opt); err != nil {
			failed = append(failed, err)
			break
		}
	}
	err := o.ending(failed, done, len(list))
	if records {
		err = w.End(err)
	}
	return err
}

// ending is how the verb ends.
func (o *issuing) ending(failed []error, done, of int) error {
	if len(failed) == 0 {
		return nil
	}
	first, last := failed[0], failed[len(failed)-1]
	switch {
	case of == 1 || stops(exit.Of(last)):
		return last
	case done > 0:
		return exit.New(exit.Partial, exit.HintOf(first), "%d of %d %ss issued: %w", done, of, o.noun, errors.Join(failed...))
	}
	return exit.New(exit.Of(first), exit.HintOf(first), "%w", errors.Join(failed...))
}

// stops tells the exit codes after which the next request would fare no
// better.
func stops(c exit.Code) bool {
	switch c {
	case exit.Refused, exit.Unavailable, exit.Key, exit.Identity, exit.Declined:
		return true
	}
	return c >= exit.Hangup
}
