// Package top holds the commands that stand directly under cmctl: inspect,
// version and completion, and the help topics.
package top

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// NewCmds makes them.
func NewCmds(f *cmdutil.Factory) []*cobra.Command {
	return []*cobra.Command{newInspectCmd(f), newVersionCmd(f), newCompletionCmd(f), newExitCodesTopic(), newEnvironmentTopic(f)}
}
