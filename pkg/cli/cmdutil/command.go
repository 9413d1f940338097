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

// What commands are annotated with: the operationIds that one calls, and the
// columns and the schema of what it prints.
const (
	operationsKey = "cmctl_operations"
	columnsKey    = "cmctl_columns"
	moreKey       = "cmctl_more_columns"
	schemaKey     = "cmctl_schema"
	withKey       = "cmctl_with"
	laterKey      = "cmctl_columns_later"
)

// Operations notes which operations of the API a command is for.
func Operations(cmd *cobra.Command, ids ...string) *cobra.Command {
	return annotate(cmd, operationsKey, ids)
}

// OperationsOf are the operationIds that a command is for.
func OperationsOf(cmd *cobra.Command) []string { return strings.Fields(cmd.Annotations[operationsKey]) }

// Columns notes what a command prints, for --columns and --sort, completion and
// the reference.
func Columns(cmd *cobra.Command, c output.Columns) *cobra.Command {
	return annotateColumns(cmd, c, "")
}

// ColumnsWith notes what a command prints when a flag is given.
func ColumnsWith(cmd *cobra.Command, flag string, c output.Columns) *cobra.Command {
	annotate(cmd, withKey, []string{flag})
	return annotateColumns(cmd, c, "_with")
}

// ColumnsLater notes that another command's records are printed: which is known
// when it runs.
func ColumnsLater(cmd *cobra.Command) *cobra.Command {
	return annotate(cmd, laterKey, []string{"yes"})
}

func annotateColumns(cmd *cobra.Command, c output.Columns, with string) *cobra.Command {
	annotate(cmd, columnsKey+with, c.TSV)
	annotate(cmd, moreKey+with, c.More)
	return annotate(cmd, schemaKey+with, []string{c.Schema})
}

// ColumnsOf are the columns of a command as its flags are; none when it prints
// no noun.
func ColumnsOf(cmd *cobra.Command) output.Columns {
	if flag, c := AlternativeOf(cmd); flag != "" && cmd.Flags().Changed(flag) {
		return c
	}
	return columnsOf(cmd, "")
}

// AlternativeOf is the flag with which a command prints other records, and
// their columns.
func AlternativeOf(cmd *cobra.Command) (flag string, c output.Columns) {
	return cmd.Annotations[withKey], columnsOf(cmd, "_with")
}

func columnsOf(cmd *cobra.Command, with string) output.Columns {
	return output.Columns{
		TSV: strings.Fields(cmd.Annotations[columnsKey+with]), More: strings.Fields(cmd.Annotations[moreKey+with]), Schema: cmd.Annotations[schemaKey+with],
	}
}

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

// WaitProgress is the progress of a run whose records come at its end, so that
// the line is in the way of no table.
func (f *Factory) WaitProgress(opt output.Options) *terminal.Progress {
	return terminal.NewProgress(f.Streams, opt.Format.IsJSON() || f.isSet("quiet"))
}
