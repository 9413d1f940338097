// Package contexts is `cmctl context`: the gateways that the officer works
// with, kept in the config file. It makes no call.
package contexts

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/config"
)

// NewCmd makes the noun and its verbs.
func NewCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Manage contexts: gateways and the keys to use there",
		Long: `Manage contexts. A context names a gateway, the CA to trust for it and the
officer's certificate and key; --context and CMCTL_CONTEXT choose one for a run.`,
		GroupID: cmdutil.GroupLocal,
	}
	cmd.AddCommand(newListCmd(f), newShowCmd(f), newUseCmd(f), newSetCmd(f), newDeleteCmd(f), newRenameCmd(f))
	return cmd
}

// completeNames completes the first argument with the contexts' names.
func completeNames(f *cmdutil.Factory) cobra.CompletionFunc {
	names := CompleteNames(f)
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(cmd, args, word)
	}
}

// CompleteNames completes with the contexts' names, silent on an error.
func CompleteNames(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		f.UseFlags(cmd.Flags())
		path, _ := config.Path(f.Flag, f.Env)
		file, err := config.Load(path)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return file.Names(), cobra.ShellCompDirectiveNoFileComp
	}
}
