package reg

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

type listOptions struct {
	f *cmdutil.Factory

	procedure     string
	regtype       string
	filter        cmapi.RegistrationFilter
	showEncrypted bool
}

func newListCmd(f *cmdutil.Factory) *cobra.Command {
	o := &listOptions{f: f}
	cmd := &cobra.Command{
		Use:   "list <procid> [flags]",
		Short: "List the registrations under a procedure",
		Long: `List the registrations under a procedure, which is named by its id or its name.

With --type est, cmp, scep or acme the list comes by the path of that type and
may tell more; without it, and with every other type, by the generic one.
Encrypted passwords are left out unless --show-encrypted is given.`,
		Example: `  cmctl reg list p-scep --type scep --status open
  cmctl reg list "EST Procedure" --fqdn router1.example.com -o json`,
		Args:              cmdutil.Exactly("procid"),
		ValidArgsFunction: cmdutil.CompleteProcedure(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.procedure = args[0]
			return runList(cmd.Context(), o)
		},
	}
	addTypeFlag(cmd, &o.regtype, "only registrations of this type")
	fs := cmd.Flags()
	fs.StringVar(&o.filter.RegID, "regid", "", "id of the registration (API: regid)")
	fs.StringVar(&o.filter.FQDN, "fqdn", "", "name of the device (API: fqdn)")
	cmdutil.EnumFlag(cmd, &o.filter.Status, "status", "whether certificates may be made under it (API: status)", statuses(), cmdutil.OneOf[string](statuses()...))
	fs.StringVar(&o.filter.Validity, "validity", "", "`days` that it stays open, or always (API: validity)")
	fs.StringVar(&o.filter.Officer, "officer", "", "officer who signed it (API: officer)")
	cmdutil.EnumFlag(cmd, &o.filter.RegType, "regtype", "type, as a filter of the generic list (API: regtype)", types(), cmdutil.OneOf[string](types()...))
	fs.BoolVar(&o.showEncrypted, "show-encrypted", false, "print encrypted passwords as well")
	return cmdutil.Columns(cmdutil.Operations(cmd, operations("list")...), registrationNoun.Columns())
}

// place decides by which path the list comes, and checks what can be checked
// here.
func (o *listOptions) place() (cmapi.RegistrationKind, error) {
	if o.filter.Validity != "" {
		v, err := checkValidity(o.filter.Validity)
		if err != nil {
			return "", exit.Usagef("", "--validity: %w", err)
		}
		o.filter.Validity = v
	}
	kind := cmapi.KindOfRegistration(o.regtype)
	switch {
	case o.regtype == "" || strings.EqualFold(o.regtype, o.filter.RegType):
	case o.filter.RegType != "":
		return "", exit.Usagef("give one of them", "--type %s and --regtype %s contradict each other", o.regtype, o.filter.RegType)
	}
	switch {
	case kind != cmapi.GenericRegistration:
		o.filter.RegType = "" // the path says it
	case o.regtype != "":
		o.filter.RegType = o.regtype
	}
	return kind, nil
}

func runList(ctx context.Context, o *listOptions) error {
	kind, err := o.place()
	if err != nil {
		return err
	}
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	proc, err := cmdutil.FindProcedure(ctx, client, o.procedure)
	if err != nil {
		return err
	}
	list, err := client.Registrations.List(ctx, kind, proc.ID, o.filter)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		o.f.Notice("no registration matches")
	}
	return output.Print(registrationNoun, opt, shown(list, o.showEncrypted)...)
}

// shown takes out what is printed on request only.
func shown(list []cmapi.Registration, encrypted bool) []cmapi.Registration {
	if !encrypted {
		for i := range list {
			list[i].EncryptedPassword = ""
		}
	}
	return list
}
