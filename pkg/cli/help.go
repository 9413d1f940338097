package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// printUsage is the part of help that follows the description. Cobra's own
// would list a noun as runnable without a verb and help topics as commands.
func printUsage(cmd *cobra.Command) error {
	var b strings.Builder
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " <command>"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, g := range cmd.Groups() {
		listCommands(&b, g.Title, cmd, func(c *cobra.Command) bool { return listed(c) && c.GroupID == g.ID })
	}
	listCommands(&b, "Commands:", cmd, func(c *cobra.Command) bool { return listed(c) && c.GroupID == "" })
	listCommands(&b, "Topics, shown by \"cmctl help <topic>\":", cmd, (*cobra.Command).IsAdditionalHelpTopicCommand)
	if cmd.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", cmd.LocalFlags().FlagUsages())
	}
	if cmd.HasAvailableInheritedFlags() && !cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nFlags of every command:\n%s", cmd.InheritedFlags().FlagUsages())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n\"%s <command> --help\" tells more.\n", cmd.CommandPath())
	}
	_, err := fmt.Fprint(cmd.OutOrStderr(), b.String())
	return err
}

func listed(c *cobra.Command) bool { return c.IsAvailableCommand() || c.Name() == "help" }

func listCommands(b *strings.Builder, title string, cmd *cobra.Command, wanted func(*cobra.Command) bool) {
	for _, c := range cmd.Commands() {
		if !wanted(c) {
			continue
		}
		if title != "" {
			fmt.Fprintf(b, "\n%s\n", title)
			title = ""
		}
		fmt.Fprintf(b, "  %-12s %s\n", c.Name(), c.Short)
	}
}
