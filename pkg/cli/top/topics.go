package top

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
)

// NewExitCodesTopic is `cmctl help exit-codes`, printed from the one table.
func NewExitCodesTopic(*cmdutil.Factory) *cobra.Command {
	var b strings.Builder
	b.WriteString("How cmctl ends:\n\n")
	for _, r := range exit.Table() {
		fmt.Fprintf(&b, "  %3d  %-12s %s\n", r.Code, r.Kind, r.Meaning)
	}
	b.WriteString("\n" + exit.Rules)
	return &cobra.Command{Use: "exit-codes", Short: "How cmctl ends: the exit codes", Long: b.String()}
}

// NewEnvironmentTopic is `cmctl help environment`, printed from the registry.
func NewEnvironmentTopic(f *cmdutil.Factory) *cobra.Command {
	var b strings.Builder
	b.WriteString("Environment variables that cmctl reads. A flag wins over its variable, a variable\nover the context. An explicit --context ignores the variables of a connection.\n\n")
	for _, v := range config.Variables() {
		fmt.Fprintf(&b, "  %-24s %s\n", v.Name, v.Meaning)
	}
	cmd := &cobra.Command{Use: "environment", Short: "The environment variables that cmctl reads", Long: b.String()}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		out := cmd.OutOrStdout()
		_, _ = fmt.Fprint(out, cmd.Long)
		set := ""
		for _, v := range config.Variables() {
			value, ok := f.Env(v.Name)
			if !ok {
				continue
			}
			if v.Sensitive {
				value = "(set)"
			}
			set += fmt.Sprintf("  %s=%s\n", v.Name, value)
		}
		if set != "" {
			_, _ = fmt.Fprint(out, "\nSet now:\n\n"+set)
		}
	})
	return cmd
}
