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

type createOptions struct {
	f *cmdutil.Factory

	procedure string
	regtype   string
	input     input
	from      string
	limits    cmdutil.Limits
	job       cmdutil.JobFlags
}

func newCreateCmd(f *cmdutil.Factory) *cobra.Command {
	o := &createOptions{f: f}
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
--max as well, in a protected context always --expect. Creating is not repeated
safely: before the same command is run again, see "cmctl reg list".`,
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
	addTypeFlag(cmd, &o.regtype, "type of the registrations (API: regtype, or the path)")
	_ = cmd.MarkFlagRequired("type")
	o.input.addFlags(cmd)
	cmd.Flags().StringVar(&o.from, "from", "", "create one for each line of this CSV `file`, - for standard input")
	cmdutil.AddLimitFlags(cmd, &o.limits)
	cmdutil.AddJobFlags(cmd, &o.job, false)
	return cmdutil.Columns(cmdutil.Operations(cmd, operations("create")...), outcomeNoun.Columns())
}

func runCreate(ctx context.Context, o *createOptions, cmd *cobra.Command) error {
	f := o.f
	if _, err := f.OutputOptions(); err != nil {
		return err
	}
	if err := o.job.Check(f); err != nil {
		return err
	}
	kind := cmapi.KindOfRegistration(o.regtype)
	devices, err := o.devices(ctx, cmd, kind)
	if err != nil {
		return err
	}
	keep, err := newKeeper(f, o.input.secret, devices, o.from != "")
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
	job, err := f.NewJob(ctx, "reg create", o.job, o.from == "", func(job *bulk.Job) error {
		job.Header.Describe = fmt.Sprintf("create %s under procedure %q", o.regtype, proc.Name)
		job.Header.Batch, job.Header.KeyColumn = 1, "fqdn"
		return plan(job, devices, func(d device) string { return d.in.FQDN })
	}, func(job *bulk.Job) error {
		write := cmdutil.Write{
			Describe: job.Header.Describe, Undo: "cmctl reg update --status closed",
			Noun: "registration", Count: len(devices), Signatures: len(devices),
		}
		if !f.Yes() && len(devices) <= cmdutil.ShownItems {
			if write.Items, err = describe(ctx, &ops.Runner{Client: client}, at, devices); err != nil {
				return err
			}
		}
		if err := cmdutil.Confirm(ctx, f, write); err != nil {
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
	return runAll(ctx, f, job, o.job, runner.NewRegistrations(at, inputs(devices)), devices, keep)
}

// devices reads and checks what is to be created. A secret is typed last, when
// nothing else is left to be wrong.
func (o *createOptions) devices(ctx context.Context, cmd *cobra.Command, kind cmapi.RegistrationKind) ([]device, error) {
	in, err := o.input.read(cmd, kind)
	if err != nil {
		return nil, err
	}
	if kind == cmapi.GenericRegistration {
		in.RegType = o.regtype
	}
	if o.from != "" {
		return o.list(ctx, kind, in)
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
	if err := allowed(o.f, o.limits, 1); err != nil {
		return nil, err
	}
	d := device{in: in, made: s != nil && s.keepIn != ""}
	if s != nil {
		err = s.fill(ctx, o.f, &d.in, needed)
	}
	return []device{d}, err
}

func (o *createOptions) list(ctx context.Context, kind cmapi.RegistrationKind, in cmapi.RegistrationInput) ([]device, error) {
	s := o.input.secret
	if in.FQDN != "" {
		return nil, exit.Usagef("give one of them", "--fqdn names one registration and --from a list")
	}
	if s != nil {
		if err := s.fill(ctx, o.f, &in, false); err != nil {
			return nil, err
		}
	}
	devices, err := readDevices(o.f, o.from, wishes{kind: kind, defaults: in, secret: s})
	if err != nil {
		return nil, err
	}
	return devices, allowed(o.f, o.limits, len(devices))
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
