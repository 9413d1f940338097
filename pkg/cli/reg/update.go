package reg

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

type updateOptions struct {
	f *cmdutil.Factory

	procedure, regID string
	regtype          string
	input            input
	limits           cmdutil.Limits
	job              cmdutil.JobFlags
}

func newUpdateCmd(f *cmdutil.Factory) *cobra.Command {
	o := &updateOptions{f: f}
	cmd := &cobra.Command{
		Use:   "update <procid> <regid> [--type <type>] [fields]",
		Short: "Change a registration: open or close it, and its fields",
		Long: `Change a registration under a procedure, which is named by its id or its name.
What is not given stays as it is.

With --type est, cmp, scep or acme the fields of that type can be changed too;
without it, and with every other type, name, validity and status. Secrets are
never arguments: they are read from a file, typed, or made here and kept in a
new file. The registration is read back before it is called done; one that was
so before is "already", which is success.`,
		Example: `  cmctl reg update p-scep AAECAwQFBgcICQoLDA0ODxAREhM= --status closed
  cmctl reg update p-est AAECAwQFBgcICQoLDA0ODxAREhM= --type est --password-file pw.txt --validity always`,
		Args:              cmdutil.Exactly("procid", "regid"),
		ValidArgsFunction: cmdutil.CompleteProcedure(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.procedure, o.regID = args[0], args[1]
			return runUpdate(cmd.Context(), o, cmd)
		},
	}
	addTypeFlag(cmd, &o.regtype, "type of the registration, for the fields that only this type has")
	o.input.addFlags(cmd)
	cmdutil.AddLimitFlags(cmd, &o.limits)
	return cmdutil.Columns(cmdutil.Operations(cmd, operations("update")...), outcomeNoun.Columns())
}

func runUpdate(ctx context.Context, o *updateOptions, cmd *cobra.Command) error {
	f := o.f
	if _, err := f.OutputOptions(); err != nil {
		return err
	}
	kind := cmapi.KindOfRegistration(o.regtype)
	d, err := o.change(ctx, cmd, kind)
	if err != nil {
		return err
	}
	devices := []device{d}
	keep, err := newKeeper(o.input.secret, devices, false)
	if err != nil {
		return err
	}
	defer keep.discard()
	client, err := f.Client(ctx)
	if err != nil {
		return err
	}
	proc, err := cmdutil.FindProcedure(ctx, client, o.procedure)
	if err != nil {
		return err
	}
	at := ops.RegistrationPlace{Kind: kind, ProcID: proc.ID}
	before, err := (&ops.Runner{Client: client}).FindRegistration(ctx, at, o.regID)
	if err != nil {
		return err
	}
	job, err := f.NewJob(ctx, "reg update", o.job, true, func(job *bulk.Job) error {
		job.Header.Describe = fmt.Sprintf("change under procedure %q", proc.Name)
		job.Header.Batch, job.Header.KeyColumn = 1, "regid"
		return plan(job, devices, func(d device) string { return d.in.RegID })
	}, func(job *bulk.Job) error {
		err := cmdutil.Confirm(ctx, f, cmdutil.Write{
			Describe: job.Header.Describe, Undo: "cmctl reg update",
			Noun: "registration", Count: 1, Signatures: 1,
			Items: []string{output.Escape(nowText(before)), output.Escape("  to: " + strings.Join(changes(d.in), ", "))},
		})
		if err != nil {
			return err
		}
		return keep.save(devices)
	})
	if err != nil {
		return err
	}
	runner, err := f.Runner(ctx, o.job)
	if err != nil {
		return err
	}
	if d.in.FQDN == "" {
		devices = []device{{in: d.in, made: d.made, named: before.FQDN}}
	}
	return runAll(ctx, f, job, o.job, runner.RegistrationUpdates(at, inputs(devices)), devices, keep)
}

// change reads and checks what is to be changed.
func (o *updateOptions) change(ctx context.Context, cmd *cobra.Command, kind cmapi.RegistrationKind) (device, error) {
	in, err := o.input.read(cmd, kind)
	if err != nil {
		return device{}, err
	}
	s := o.input.secret
	secret := s != nil && s.given()
	switch {
	case o.regID == "":
		return device{}, exit.Usagef("`cmctl reg list` shows the ids", "the id of the registration is empty")
	case in == cmapi.RegistrationInput{} && !secret:
		return device{}, exit.Usagef("see `"+cmd.CommandPath()+" --help`", "no field is given that is to be changed")
	}
	form := formOf(in)
	if secret {
		form.http = "a password"
	}
	if kind == cmapi.ESTRegistration {
		if err := checkForm(form); err != nil {
			return device{}, err
		}
	}
	in.RegID = o.regID
	if err := o.limits.Check(o.f, 1); err != nil {
		return device{}, err
	}
	if err := cmdutil.AskFirst(o.f); err != nil {
		return device{}, err
	}
	d := device{in: in}
	if secret {
		d.made = s.keepIn != ""
		err = s.fill(ctx, o.f, &d.in, false)
	}
	return d, err
}

// nowText shows a registration as it is.
func nowText(r *cmapi.Registration) string {
	text := fmt.Sprintf("%s  %s  %s", r.RegID, r.Status, r.FQDN)
	if r.RegType != "" {
		text += ", " + r.RegType
	}
	if r.Validity != "" {
		text += ", validity " + r.Validity
	}
	return text
}

// changes are the fields to be set, secrets by their name alone.
func changes(in cmapi.RegistrationInput) (out []string) {
	for _, fd := range fields() {
		if v := *fd.at(&in); v != "" {
			out = append(out, fd.api+" "+v)
		}
	}
	for _, s := range secrets() {
		if s.value(in) != "" {
			out = append(out, "a new "+s.what)
		}
	}
	return out
}
