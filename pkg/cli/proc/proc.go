// Package proc is `cmctl proc`: the token procedures open to the officer.
package proc

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// NewCmd makes the noun and its verbs.
func NewCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{Use: "proc", Short: "List token procedures", GroupID: cmdutil.GroupWork}
	cmd.AddCommand(newListCmd(f))
	return cmd
}
