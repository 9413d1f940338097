package cert

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

type showOptions struct {
	f *cmdutil.Factory

	ids []string
}

func newShowCmd(f *cmdutil.Factory) *cobra.Command {
	o := &showOptions{f: f}
	cmd := &cobra.Command{
		Use:   "show <certid>...",
		Short: "Show what CM knows of certificates",
		Long: `Show what CM knows of certificates, named by certid (digits) or by serial number
(0x..., dec:..., or with colons).`,
		Example: `  cmctl cert show 10003
  cmctl cert show 0x0a1b2c3d4e5f -o json`,
		Args: cmdutil.AtLeastOne("certid"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ids = args
			return runShow(cmd.Context(), o)
		},
	}
	return cmdutil.Columns(cmdutil.Operations(cmd, "getCertificateDetails"), certificateNoun.Columns())
}

func runShow(ctx context.Context, o *showOptions) error {
	entries, err := cmdutil.ParseArgs(o.ids, cmdutil.AsUnset)
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
	items, err := cmdutil.Resolve(ctx, o.f, client, entries)
	if err != nil {
		return err
	}
	opt.Details = true
	w := output.NewWriter(certificateNoun, opt)
	missing, err := showAll(ctx, client, items, w)
	if err := w.End(err); err != nil {
		return err
	}
	return missingError(missing, len(items))
}

func showAll(ctx context.Context, client *cmapi.Client, items []ops.Item, w *output.Writer[cmapi.Certificate]) (missing []error, err error) {
	for _, it := range items {
		cert, err := client.Certificates.Details(ctx, it.Key)
		switch {
		case exit.Of(err) == exit.NotFound:
			missing = append(missing, notFound(it.Key, err))
			continue
		case err != nil:
			return nil, err
		}
		if err := w.Write(*cert); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// notFound names the certificate that the gateway does not know, with the
// gateway's own answer behind it.
func notFound(certID string, err error) error {
	return exit.New(exit.NotFound, "`cmctl cert search` finds certids", "certificate %s: %w", certID, err)
}

// missingError is how a verb on several certificates ends when some were not
// found: with the code of what was not, or Partial when others were.
func missingError(missing []error, of int) error {
	switch {
	case len(missing) == 0:
		return nil
	case len(missing) == of:
		return exit.New(exit.NotFound, exit.HintOf(missing[0]), "%w", errors.Join(missing...))
	}
	return exit.New(exit.Partial, exit.HintOf(missing[0]), "%w", errors.Join(missing...))
}
