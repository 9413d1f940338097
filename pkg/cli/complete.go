package cli

import (
	"regexp"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// takesFiles finds the commands whose arguments are files, by their usage.
var takesFiles = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`<(file|csr)>\.\.\.`) })

// completeFiles has the shell complete names of files and folders where these
// are wanted: for flags whose placeholder says so, and for arguments. Nowhere
// else: the tree's default is no file names.
func completeFiles(cmd *cobra.Command) {
	mark := func(f *pflag.Flag) {
		switch placeholder, _ := pflag.UnquoteUsage(f); placeholder {
		case "file":
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cmdutil.CompleteFile)
		case "folder":
			_ = cmd.MarkFlagDirname(f.Name)
		}
	}
	cmd.Flags().VisitAll(mark)
	cmd.PersistentFlags().VisitAll(mark)
	if cmd.ValidArgsFunction == nil && takesFiles().MatchString(cmd.Use) {
		cmd.ValidArgsFunction = cmdutil.CompleteFile
	}
	for _, c := range cmd.Commands() {
		completeFiles(c)
	}
}

// isCompletion tells whether the shell asks, and not the officer.
func isCompletion(args []string) bool {
	return len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
}
