package top

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

// NewCompletionCmd makes `cmctl completion`.
func NewCompletionCmd(f *cmdutil.Factory) *cobra.Command {
	var names []string
	for _, s := range cmdutil.Shells() {
		names = append(names, s.Name)
	}
	return &cobra.Command{
		Use:   "completion {" + strings.Join(names, " | ") + "}",
		Short: "Print the completion script of a shell",
		Long: `Print the script that makes a shell complete cmctl's commands, flags and their
values. bash needs the package bash-completion. Start a new shell afterwards.`,
		Example: `  cmctl completion bash > ~/.local/share/bash-completion/completions/cmctl
  cmctl completion zsh > "${fpath[1]}/_cmctl"
  cmctl completion fish > ~/.config/fish/completions/cmctl.fish
  cmctl completion powershell >> $PROFILE`,
		GroupID:   cmdutil.GroupLocal,
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				for _, s := range cmdutil.Shells() {
					if s.Name == args[0] {
						return s.Write(cmd.Root(), output.Raw(f.Streams.Out))
					}
				}
			}
			return exit.Usagef("for example `cmctl completion bash`", "expected one of %s", strings.Join(names, ", "))
		},
	}
}
