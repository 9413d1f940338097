package cert

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

func newRevokeCmd(f *cmdutil.Factory) *cobra.Command {
	o := &changeOptions{f: f, guards: &cmdutil.Guards{}}
	var reason pki.Reason
	cmd := &cobra.Command{
		Use:   "revoke {<certid>... | --from <file> | --search <filters> | --leaked-key <file>} --reason <reason>",
		Short: "Revoke certificates",
		Long: `Revoke certificates with a reason. This cannot be undone, except for the reason
certificateHold, which is what "cmctl cert hold" does. A CSV list may have a
column reason for each of its rows; --reason is for those without one.
` + changeLong + guardLong,
		Example: `  cmctl cert revoke 10003 --reason superseded
  cmctl cert revoke --from leaked.txt --reason keyCompromise --yes --expect 40
  cmctl cert search --cn "Demo User" -o jsonl | cmctl cert revoke --from - --reason cessationOfOperation
  cmctl cert revoke --search "--ou Logistics --not-revoked" --exclude keep.txt --reason superseded --dry-run
  cmctl cert revoke --leaked-key server.key --reason keyCompromise`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.selection.Args, o.selection.Reasons = args, true
			if cmd.Flags().Changed("reason") {
				o.selection.Reason = reason.String()
			}
			return runChange(cmd.Context(), o, change{"cert revoke", revocationOf})
		},
	}
	cmdutil.EnumFlag(cmd, &reason, "reason", "why, a word or its number, for all that the list gives none for (API: reason)", cmdutil.ReasonWords(pki.RevokeReasons()), pki.ParseRevokeReason)
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "revokeCertificate"), outcomeNoun.Columns())
}

// revocationOf is revoking for the reason of a group.
func revocationOf(group string) (*ops.StateChange, error) {
	reason, err := pki.ParseRevokeReason(group)
	if err != nil {
		return nil, err
	}
	return ops.Revoke(reason), nil
}
