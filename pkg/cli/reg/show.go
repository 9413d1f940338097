package reg

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

type showOptions struct {
	f *cmdutil.Factory

	certificate   string
	showEncrypted bool
}

func newShowCmd(f *cmdutil.Factory) *cobra.Command {
	o := &showOptions{f: f}
	cmd := &cobra.Command{
		Use:   "show --certid <certid>",
		Short: "Show the registration that a certificate was issued under",
		Long: `Show the registration that a certificate was issued under. The certificate is
named by certid (digits) or by serial number (0x..., dec:..., or with colons).`,
		Example: `  cmctl reg show --certid 20001
  cmctl reg show --certid 20001 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runShow(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.certificate, "certid", "", "the `certificate`, by certid or serial (API: certid)")
	_ = cmd.MarkFlagRequired("certid")
	cmd.Flags().BoolVar(&o.showEncrypted, "show-encrypted", false, "print an encrypted password as well")
	return cmdutil.Columns(cmdutil.Operations(cmd, "getRegistrationsCertId"), registrationNoun.Columns())
}

func runShow(ctx context.Context, o *showOptions) error {
	entries, err := cmdutil.ParseArgs([]string{o.certificate}, cmdutil.AsUnset)
	if err != nil {
		return exit.Usagef("", "--certid: %w", err)
	}
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	items, err := cmdutil.Resolve(ctx, o.f, client, entries)
	if err != nil {
		return err
	}
	reg, err := client.Registrations.OfCertificate(ctx, items[0].Key)
	switch {
	case err != nil:
		return exit.New(exit.Of(err), "", "registration of certificate %s: %w", items[0].Key, err)
	case reg == nil:
		return exit.New(exit.NotFound, "", "certificate %s was issued under no registration", items[0].Key)
	}
	opt.Details, opt.Single = true, true
	return output.Print(registrationNoun, opt, shown([]cmapi.Registration{*reg}, o.showEncrypted)...)
}
