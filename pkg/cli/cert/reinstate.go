package cert

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
)

func newReinstateCmd(f *cmdutil.Factory) *cobra.Command {
	o := &changeOptions{f: f}
	cmd := &cobra.Command{
		Use:   "reinstate {<certid>... | --from <file> | --search <filters> | --leaked-key <file>}",
		Short: "Lift the hold of certificates",
		Long: `Lift the hold of certificates: they are active again. Only a certificate on hold
can be reinstated; a revoked one stays revoked.
` + changeLong,
		Example: `  cmctl cert reinstate 10003
  cmctl cert reinstate --from found-cards.txt --yes
  cmctl cert reinstate --search "--reason certificateHold --revoked-after -2h"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.selection.Args = args
			return runChange(cmd.Context(), o, change{"cert reinstate", ops.One(ops.Reinstate())})
		},
	}
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "reinstateCertificate"), outcomeNoun.Columns())
}
