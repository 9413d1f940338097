package cert

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

func newRevokeCmd(f *cmdutil.Factory) *cobra.Command {
	o := &changeOptions{f: f}
	var reason pki.Reason
	cmd := &cobra.Command{
		Use:   "revoke {<certid>... | --from <file>} --reason <reason>",
		Short: "Revoke certificates",
		Long: `Revoke certificates with a reason. This cannot be undone, except for the reason
certificateHold, which is what "cmctl cert hold" does.
` + changeLong,
		Example: `  cmctl cert revoke 10003 --reason superseded
  cmctl cert revoke --from leaked.txt --reason keyCompromise --yes --expect 40
  cmctl cert search --cn "Demo User" -o jsonl | cmctl cert revoke --from - --reason cessationOfOperation`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.selection.Args = args
			return runChange(cmd.Context(), o, revocation(reason), reason.String())
		},
	}
	cmdutil.EnumFlag(cmd, &reason, "reason", "why, a word or its number (API: reason)", cmdutil.ReasonWords(pki.RevokeReasons()), pki.ParseRevokeReason)
	_ = cmd.MarkFlagRequired("reason")
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "revokeCertificate"), outcomeNoun.Columns())
}

// revocation is revoking, each group for its own reason; wish is for the
// question.
func revocation(wish pki.Reason) change {
	w := ops.Revoke(wish)
	return change{"cert revoke", w.Describe, w.Undo, revocationOf}
}

func revocationOf(group string) (*ops.StateChange, error) {
	reason, err := pki.ParseRevokeReason(group)
	if err != nil {
		return nil, err
	}
	return ops.Revoke(reason), nil
}
