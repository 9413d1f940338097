// Package acme is `cmctl acme`: the accounts that ACME clients have made under
// a procedure. The registrations behind them belong to `cmctl reg`.
package acme

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// NewCmd makes the noun and its verbs.
func NewCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{Use: "acme", Short: "List ACME accounts", GroupID: cmdutil.GroupWork}
	cmd.AddCommand(newAccountsCmd(f))
	return cmd
}
