package cmdutil

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// Groups of the root command's help.
const (
	GroupWork  = "work"
	GroupLocal = "local"
)

// What commands are annotated with for the reference pages: the operationIds
// that one calls, and the tsv columns that it prints.
const (
	operationsKey = "cmctl_operations"
	columnsKey    = "cmctl_columns"
)

// Operations notes which operations of the API a command is for.
func Operations(cmd *cobra.Command, ids ...string) *cobra.Command {
	return annotate(cmd, operationsKey, ids)
}

// OperationsOf are the operationIds that a command is for.
func OperationsOf(cmd *cobra.Command) []string { return strings.Fields(cmd.Annotations[operationsKey]) }

// Columns notes the tsv columns of what a command prints, in their order.
func Columns(cmd *cobra.Command, names []string) *cobra.Command {
	return annotate(cmd, columnsKey, names)
}

// ColumnsOf are the tsv columns of a command; none when it prints no noun.
func ColumnsOf(cmd *cobra.Command) []string { return strings.Fields(cmd.Annotations[columnsKey]) }

func annotate(cmd *cobra.Command, key string, words []string) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[key] = strings.Join(words, " ")
	return cmd
}

// AtLeastOne refuses a command line without arguments and names what is
// missing.
func AtLeastOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return exit.Usagef("see `"+cmd.CommandPath()+" --help`", "no %s is given", what)
		}
		return nil
	}
}

// Exactly refuses another number of arguments than the names of them.
func Exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return exit.Usagef("see `"+cmd.CommandPath()+" --help`", "expected %s, got %s", Plural(len(names), "argument"), Plural(len(args), "argument"))
		}
		return nil
	}
}

// AddBatchFlag adds --batch; its default is the context's.
func AddBatchFlag(cmd *cobra.Command) {
	cmd.Flags().Int("batch", 100, "most items `N` in one signed request, 1 to 900")
}

// TimeText is a time as output prints it; "" for none.
func TimeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return pki.FormatTime(t)
}

// DateText is the day of a time, for tables.
func DateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// Progress tells people how far a listing is; data on stdout silence it.
func (f *Factory) Progress(opt output.Options) *terminal.Progress {
	return terminal.NewProgress(f.Streams, opt.Format.IsJSON() || opt.TTY || f.isSet("quiet"))
}
