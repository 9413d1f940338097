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
	writeOptions

	regID string
	x     *exclusions
}

func newUpdateCmd(f *cmdutil.Factory) *cobra.Command {
	o := &updateOptions{writeOptions: writeOptions{f: f}}
	cmd := &cobra.Command{
		Use:   "update <procid> {<regid> | --from <file>} [--type <type>] [fields]",
		Short: "Change registrations: open or close them, and their fields",
		Long: `Change a registration, or one for each line of a list, under a procedure, which
is named by its id or its name. What is not given stays as it is.

With --type est, cmp, scep or acme the fields of that type can be changed too;
without it, and with every other type, name, validity and status. Secrets are
never arguments: they are read from a file, typed, or made here and kept in a
new file. A registration is read back before it is called done; one that was so
before is "already", which is success.

A list is CSV, as "cmctl reg create" takes it. Its column regid names the
registrations; without it the column fqdn does, by the name that each has now,
and a name that several have is refused. A cell that is empty changes nothing;
what is given as a flag counts for every line without it. All wrong lines are
told at once, and nothing is sent until there are none.

It asks before it writes. --yes answers; above 100 items it needs --expect or
--max as well, in a protected context always --expect. After a crash,
"cmctl job resume" goes on.

--exclude leaves out what a CSV list names in a column regid or fqdn, by the
name that it has now. --dry-run, or --check, which is the same, does all of it
up to the question, looks every registration up and prints what would become of
it: due, already, not-found. It ends as a real run would.`,
		Example: `  cmctl reg update p-scep AAECAwQFBgcICQoLDA0ODxAREhM= --status closed
  cmctl reg update p-est AAECAwQFBgcICQoLDA0ODxAREhM= --type est --password-file pw.txt --validity always
  cmctl reg update p-scep --from retired.csv --status closed --expect 40`,
		Args:              cmdutil.AtLeastOne("procid"),
		ValidArgsFunction: cmdutil.CompleteProcedure(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.from != "" && len(args) > 1:
				return exit.Usagef("give one of them", "a registration is named, and --from names a list")
			case o.from == "":
				if err := cmdutil.Exactly("procid", "regid")(cmd, args); err != nil {
					return err
				}
				o.regID = args[1]
			}
			o.procedure = args[0]
			return runUpdate(cmd.Context(), o, cmd)
		},
	}
	o.addFlags(cmd, "type of the registrations, for the fields that only this type has", "change one for each line of this CSV `file`, - for standard input", "regid or fqdn")
	return cmdutil.Columns(cmdutil.Operations(cmd, operations("update")...), outcomeNoun.Columns())
}

func runUpdate(ctx context.Context, o *updateOptions, cmd *cobra.Command) error {
	f := o.f
	b, err := o.begin(ctx, func(kind cmapi.RegistrationKind) ([]device, error) { return o.devices(ctx, cmd, kind) })
	defer b.keep.discard()
	if err != nil {
		return err
	}
	reader := &ops.Runner{Client: b.client}
	if err := o.x.find(ctx, reader, b.at, b.devices); err != nil {
		return err
	}
	b.devices, _, o.out = o.x.leaveOut(b.devices, nil) // also what has no look-up to fail
	shown := !f.Resuming() && !o.dryRun && (o.from == "" || !f.Yes() && len(b.devices) <= cmdutil.ShownItems)
	before, err := lookUp(ctx, reader, b.at, o.from, b.devices, shown)
	if err != nil {
		return err
	}
	if o.x != nil {
		var out []cmdutil.KeptOut
		b.devices, before, out = o.x.leaveOut(b.devices, before)
		o.out = append(o.out, out...)
		o.x.tell(f)
		if err := o.limits.Check(f, len(b.devices)); err != nil {
			return err
		}
	}
	if len(b.devices) == 0 {
		return o.nothing()
	}
	describes := fmt.Sprintf("change under procedure %q", b.procedure)
	fill := func(job *bulk.Job) error {
		job.Header.Describe = describes
		job.Header.Batch, job.Header.KeyColumn = 1, "regid"
		return plan(job, b.devices, o.out, func(d device) string { return d.in.RegID })
	}
	if o.dryRun {
		return o.tryOut(ctx, "reg update", describes, fill, func(ctx context.Context, it bulk.Item) prospect { return o.look(ctx, reader, b, it) })
	}
	job, err := f.NewJob(ctx, "reg update", o.job, o.from == "", fill, func(job *bulk.Job) error {
		write := cmdutil.Write{Describe: job.Header.Describe, Undo: "cmctl reg update"}
		for i := range before {
			write.Items = append(write.Items, output.Escape(nowText(before[i])), output.Escape("  to: "+strings.Join(changes(b.devices[i].in), ", ")))
		}
		return b.confirm(ctx, f, job, write)
	})
	if err != nil {
		return err
	}
	runner, err := f.Runner(ctx, o.job)
	if err != nil {
		return err
	}
	if o.from == "" && len(before) > 0 {
		b.devices[0].named = before[0].FQDN
	}
	return runAll(ctx, f, job, o.job, runner.RegistrationUpdates(b.at, inputs(b.devices)), b.devices, b.keep)
}

// devices reads and checks what is to be changed.
func (o *updateOptions) devices(ctx context.Context, cmd *cobra.Command, kind cmapi.RegistrationKind) ([]device, error) {
	in, err := o.fields(cmd, kind)
	if err != nil {
		return nil, err
	}
	switch {
	case o.from != "" && in.FQDN != "":
		return nil, exit.Usagef("a list has a column for it", "--fqdn gives one registration a name, and --from names a list")
	}
	if o.x, err = o.exclusions(true); err != nil {
		return nil, err
	}
	o.fewer = o.x != nil
	if o.from != "" {
		devices, err := o.list(ctx, in, wishes{kind: kind, changes: true})
		switch {
		case err != nil:
			return nil, err
		case o.x == nil:
			return devices, o.allowed(len(devices))
		case o.dryRun:
			return devices, nil
		}
		return devices, cmdutil.AskFirst(o.f) // their number is told when the excluded are out
	}
	s := o.input.secret
	secret := s != nil && s.given()
	switch {
	case o.regID == "":
		return nil, exit.Usagef("`cmctl reg list` shows the ids", "the id of the registration is empty")
	case in == cmapi.RegistrationInput{} && !secret:
		return nil, exit.Usagef("see `"+cmd.CommandPath()+" --help`", "no field is given that is to be changed")
	}
	if err := checkMixture(in, kind, secret); err != nil {
		return nil, err
	}
	in.RegID = o.regID
	if err := o.allowed(1); err != nil {
		return nil, err
	}
	d := device{in: in, made: secret && s.keepIn != ""}
	if secret {
		err = s.fill(ctx, o.f, &d.in, false)
	}
	return []device{d}, err
}

// look tells what would become of one registration.
func (o *updateOptions) look(ctx context.Context, reader *ops.Runner, b begun, it bulk.Item) prospect {
	d, s := b.devices[it.Index], o.input.secret
	res, before := reader.ForeseeUpdate(ctx, b.at, it, d.in, d.made || s != nil && s.untyped())
	p := prospect{Prospect: cmdutil.Foreseen(res, cmdutil.FindMissing), RegID: it.Key, FQDN: d.named}
	if before != nil {
		p.FQDN = before.FQDN
	}
	return p
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
