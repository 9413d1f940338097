package reg

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

type createOptions struct{ writeOptions }

func newCreateCmd(f *cmdutil.Factory) *cobra.Command {
	o := &createOptions{writeOptions{f: f}}
	cmd := &cobra.Command{
		Use:   "create <procid> --type <type> {--fqdn <name> | --from <file>}",
		Short: "Create registrations under a procedure",
		Long: `Create a registration, or one for each line of a list, under a procedure, which
is named by its id or its name.

Only the fields of the type are taken, and each is checked before anything is
sent. A scep registration needs a password, an acme one a key, an est one fields
either of HTTP authentication (username, realm, password) or of authentication
by certificate (subject-cn, auth-ca). Secrets are never arguments: they are read
from a file, typed, or made here and kept in a new file.

A list is CSV. Its header names fields as the flags do or as the API does, and
password or hmacKey for the secret itself; what is given as a flag counts for
every line without it. All wrong lines are told at once, and nothing is sent
until there are none. Secrets that are made go to the file with a line for each.

It asks before it writes. --yes answers; above 100 items it needs --expect or
--max as well, in a protected context always --expect. --exclude leaves out the
names that a CSV list has in a column fqdn. --dry-run, or --check, which is the
same, checks all of it, looks for registrations of the same names and prints
what would be made: due, or same-name, which would be made all the same.

Creating is not repeated safely: before the same command is run again, see
"cmctl reg list".`,
		Example: `  cmctl reg create p-scep --type scep --fqdn router1.example.com --password-file pw.txt
  cmctl reg create p-acme --type acme --fqdn key-1 --generate-hmac-key key-1.txt --validity 7
  cmctl reg create p-est --type est --fqdn "*.example.com" --subject-cn demo
  cmctl reg create p-scep --type scep --from devices.csv --generate-password made.csv --expect 40`,
		Args:              cmdutil.Exactly("procid"),
		ValidArgsFunction: cmdutil.CompleteProcedure(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.procedure = args[0]
			return runCreate(cmd.Context(), o, cmd)
		},
	}
	o.addFlags(cmd, "type of the registrations (API: regtype, or the path)", "create one for each line of this CSV `file`, - for standard input", "fqdn")
	_ = cmd.MarkFlagRequired("type")
	return cmdutil.Columns(cmdutil.Operations(cmd, operations("create")...), outcomeNoun.Columns())
}

func runCreate(ctx context.Context, o *createOptions, cmd *cobra.Command) error {
	f := o.f
	b, err := o.begin(ctx, func(kind cmapi.RegistrationKind) ([]device, error) { return o.devices(ctx, cmd, kind) })
	defer b.keep.discard()
	if err != nil {
		return err
	}
	if len(b.devices) == 0 {
		return o.nothing()
	}
	describes := fmt.Sprintf("create %s under procedure %q", o.regtype, b.procedure)
	fill := func(job *bulk.Job) error {
		job.Header.Describe = describes
		job.Header.Batch, job.Header.KeyColumn = 1, "fqdn"
		return plan(job, b.devices, o.out, func(d device) string { return d.in.FQDN })
	}
	if o.dryRun {
		runner := &ops.Runner{Client: b.client}
		return o.tryOut(ctx, "reg create", describes, fill, func(ctx context.Context, it bulk.Item) prospect {
			res, sameName := runner.ForeseeRegistration(ctx, b.at, it, it.Key)
			p := prospect{Prospect: cmdutil.Foreseen(res, cmdutil.FindUnknown), FQDN: it.Key}
			if sameName && p.Finding == cmdutil.FindDue {
				p.Finding = cmdutil.FindSameName
			}
			return p
		})
	}
	job, err := f.NewJob(ctx, "reg create", o.job, o.from == "", fill, func(job *bulk.Job) error {
		write := cmdutil.Write{Describe: job.Header.Describe, Undo: "cmctl reg update --status closed"}
		if !f.Yes() && len(b.devices) <= cmdutil.ShownItems {
			if write.Items, err = describe(ctx, &ops.Runner{Client: b.client}, b.at, b.devices); err != nil {
				return err
			}
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
	return runAll(ctx, f, job, o.job, runner.NewRegistrations(b.at, inputs(b.devices)), b.devices, b.keep)
}

// devices reads and checks what is to be created. A secret is typed last, when
// nothing else is left to be wrong.
func (o *createOptions) devices(ctx context.Context, cmd *cobra.Command, kind cmapi.RegistrationKind) ([]device, error) {
	in, err := o.fields(cmd, kind)
	if err != nil {
		return nil, err
	}
	if kind == cmapi.GenericRegistration {
		in.RegType = o.regtype
	}
	switch {
	case o.from != "" && in.FQDN != "":
		return nil, exit.Usagef("give one of them", "--fqdn names one registration and --from a list")
	}
	x, err := o.exclusions(false)
	if err != nil {
		return nil, err
	}
	if o.from != "" {
		devices, err := o.list(ctx, in, wishes{kind: kind})
		if err != nil {
			return nil, err
		}
		devices, _, o.out = x.leaveOut(devices, nil)
		x.tell(o.f)
		return devices, o.allowed(len(devices))
	}
	s := o.input.secret
	if in.FQDN == "" {
		return nil, exit.Usagef("name one with --fqdn, or a list of them with --from", "no registration is named")
	}
	if err := checkNew(in, kind, s != nil && s.given()); err != nil {
		return nil, exit.Usagef("", "%w", err)
	}
	needed := needs(kind, in)
	if s != nil {
		if err := s.canAsk(o.f, needed); err != nil {
			return nil, err
		}
	}
	if err := o.allowed(1); err != nil {
		return nil, err
	}
	d := device{in: in, made: s != nil && s.keepIn != ""}
	if s != nil {
		err = s.fill(ctx, o.f, &d.in, needed)
	}
	return []device{d}, err
}

// describe shows each registration for the question, and how many there are of
// its name.
func describe(ctx context.Context, runner *ops.Runner, at ops.RegistrationPlace, devices []device) ([]string, error) {
	lines := make([]string, len(devices))
	for i, d := range devices {
		lines[i] = d.in.FQDN
		if d.in.Validity != "" {
			lines[i] += ", validity " + d.in.Validity
		}
		if d.in.Status != "" {
			lines[i] += ", " + d.in.Status
		}
		before, err := runner.RegistrationsNamed(ctx, at, d.in.FQDN)
		if exit.Of(err) == exit.Unavailable || exit.Of(err) == exit.Identity {
			return nil, err
		}
		if len(before) > 0 {
			lines[i] += fmt.Sprintf("; there is %s of this name already", cmdutil.Plural(len(before), "registration"))
		}
		lines[i] = output.Escape(lines[i])
	}
	return lines, nil
}
