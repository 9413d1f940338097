package cert

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

func newHoldCmd(f *cmdutil.Factory) *cobra.Command {
	o := &changeOptions{f: f}
	cmd := &cobra.Command{
		Use:   "hold {<certid>... | --from <file>}",
		Short: "Put certificates on hold",
		Long: `Put certificates on hold: revoked with reason certificateHold, until
"cmctl cert reinstate" lifts it or "cmctl cert revoke" makes it final.
` + changeLong,
		Example: `  cmctl cert hold 10003
  cmctl cert hold --from lost-cards.txt --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.selection.Args = args
			return runChange(cmd.Context(), o, change{"cert hold", "put on hold", "cmctl cert reinstate", ops.One(ops.Hold())}, pki.CertificateHold.String())
		},
	}
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "revokeCertificate"), outcomeNoun.Columns())
}
