package cmdutil

import (
	"io"

	"github.com/spf13/cobra"
)

// Shell is a shell that completion scripts are made for.
type Shell struct {
	Name  string
	File  string // the script's name where the shell looks for it
	Write func(root *cobra.Command, out io.Writer) error
}

// Shells lists them.
func Shells() []Shell {
	return []Shell{
		{"bash", "cmctl.bash", func(root *cobra.Command, out io.Writer) error { return root.GenBashCompletionV2(out, true) }},
		{"zsh", "_cmctl", func(root *cobra.Command, out io.Writer) error { return root.GenZshCompletion(out) }},
		{"fish", "cmctl.fish", func(root *cobra.Command, out io.Writer) error { return root.GenFishCompletion(out, true) }},
		{"powershell", "cmctl.ps1", func(root *cobra.Command, out io.Writer) error { return root.GenPowerShellCompletionWithDesc(out) }},
	}
}
