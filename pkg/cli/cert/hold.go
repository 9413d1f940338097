package cert

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

func newHoldCmd(f *cmdutil.Factory) *cobra.Command {
	o := &changeOptions{f: f, guards: &cmdutil.Guards{}}
	cmd := &cobra.Command{
		Use:   "hold {<certid>... | --from <file> | --search <filters> | --leaked-key <file>}",
		Short: "Put certificates on hold",
		Long: `Put certificates on hold: revoked with reason certificateHold, until
"cmctl cert reinstate" lifts it or "cmctl cert revoke" makes it final.
` + changeLong + guardLong,
		Example: `  cmctl cert hold 10003
  cmctl cert hold --from lost-cards.txt --yes
  cmctl cert hold --search "--org Demo --not-revoked" --exclude keep.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.selection.Args, o.selection.Reason = args, pki.CertificateHold.String()
			return runChange(cmd.Context(), o, change{"cert hold", ops.One(ops.Hold())})
		},
	}
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "revokeCertificate"), outcomeNoun.Columns())
}
