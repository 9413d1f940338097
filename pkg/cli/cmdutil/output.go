package cmdutil

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

// AddOutputFlags adds the flags that say how results are printed. They are the
// same for every command that prints a noun.
func AddOutputFlags(root *cobra.Command) {
	fs := root.PersistentFlags()
	fs.StringP("output", "o", "", "`form` of the output {"+strings.Join(output.FormatNames(), "|")+"}; table on a terminal, tsv in a pipe")
	fs.StringSlice("columns", nil, "print these `columns`, joined by commas, in this order; for table, wide, tsv and csv")
	fs.StringSlice("sort", nil, "sort by these `columns`, joined by commas, - before one that falls; holds all records back until the last")
	fs.String("jq", "", "print what this jq `expression` makes of -o json, or of each record with -o jsonl; strings without quotes")
	fs.Bool("csv-safe", false, "with -o csv, put an apostrophe before what a spreadsheet would read as a formula")
	fs.Bool("no-header", false, "print tables and csv without header")
	_ = root.RegisterFlagCompletionFunc("output", completeForm)
	_ = root.RegisterFlagCompletionFunc("columns", completeColumns)
	_ = root.RegisterFlagCompletionFunc("sort", completeColumns)
	_ = root.RegisterFlagCompletionFunc("jq", cobra.NoFileCompletions)
}

func completeForm(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var forms []cobra.Completion
	for _, f := range output.Formats() {
		forms = append(forms, cobra.CompletionWithDesc(strings.TrimSuffix(f.Name(), "..."), f.Meaning))
	}
	return forms, cobra.ShellCompDirectiveNoFileComp
}

// completeColumns completes the last of several columns.
func completeColumns(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before, last := "", typed
	if i := strings.LastIndexByte(typed, ','); i >= 0 {
		before, last = typed[:i+1], typed[i+1:]
	}
	if strings.HasPrefix(last, "-") {
		before += "-"
	}
	var lists []cobra.Completion
	for _, name := range ColumnsOf(cmd).All() {
		lists = append(lists, before+name)
	}
	return lists, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// formText is the value of -o, else of CMCTL_OUTPUT.
func (f *Factory) formText() (string, bool) {
	if v, ok := f.Flag("output"); ok {
		return v, true
	}
	v, _, ok := config.EnvFor(f.Env, "output")
	return v, ok
}

// Format is the form of output: -o, else CMCTL_OUTPUT, else a table on a
// terminal and tsv in a pipe. With --jq it is JSON unless -o says otherwise.
func (f *Factory) Format() (output.Format, error) {
	v, ok := f.formText()
	_, filtered := f.Flag("jq")
	if _, given := f.Flag("output"); filtered && !given && v != string(output.JSONL) {
		return output.JSON, nil
	}
	switch {
	case ok:
		return output.ParseFormat(v)
	case f.Streams.OutTTY:
		return output.Table, nil
	}
	return output.TSV, nil
}

// FormatGiven says that a form was asked for on the command line: then records
// are wanted on stdout where a verb would otherwise print bare certificates.
func (f *Factory) FormatGiven() bool {
	for _, name := range []string{"output", "jq", "columns", "sort"} {
		if _, ok := f.Flag(name); ok {
			return true
		}
	}
	return false
}

// CheckOutput refuses, before anything is done, what cannot be printed: a form
// that is none, a column that the command has not, an expression that is wrong.
func (f *Factory) CheckOutput(cmd *cobra.Command) error {
	columns := ColumnsOf(cmd)
	if cmd.Annotations[laterKey] != "" {
		_, err := f.OutputOptions()
		return err
	}
	if len(columns.TSV) == 0 {
		for _, name := range []string{"columns", "sort", "jq"} {
			if _, ok := f.Flag(name); ok {
				return exit.Usagef("", "--%s: %s prints no records", name, cmd.CommandPath())
			}
		}
		return nil
	}
	o, err := f.OutputOptions()
	if err != nil {
		return err
	}
	return columns.Check(o.Columns, o.Sort)
}

// OutputOptions are the options for printing a noun.
func (f *Factory) OutputOptions() (output.Options, error) {
	if f.output == nil {
		o, err := f.outputOptions()
		if err != nil {
			return output.Options{}, err
		}
		f.output = &o
	}
	return *f.output, nil
}

func (f *Factory) outputOptions() (output.Options, error) {
	format, err := f.Format()
	if err != nil {
		return output.Options{}, err
	}
	o := output.Options{
		Format: format, Out: f.Streams.Out, TTY: f.Streams.OutTTY, Width: f.Streams.OutWidth, Color: f.Streams.OutColor,
		NoHeader: f.isSet("no-header"), CSVSafe: f.isSet("csv-safe"), RowLimit: output.DefaultRowLimit,
		Notice: func(msg string) { f.Notice("%s", msg) },
		Cut: func(rows, all int) {
			f.Warn("the table stops at %d rows and there are %d: -o tsv or a pipe shows them", rows, all)
		},
	}
	if o.Columns, err = f.columnFlag("columns"); err != nil {
		return o, err
	}
	if o.Sort, err = f.columnFlag("sort"); err != nil {
		return o, err
	}
	if o.Columns != nil && !format.HasColumns() {
		return o, exit.Usagef("they are for table, wide, tsv and csv; --jq and template choose among the members of JSON", "--columns: the form %s has no columns", format)
	}
	if text, ok := f.Flag("jq"); ok {
		if !format.IsJSON() {
			return o, exit.Usagef("it works on json, the default with it, or jsonl", "--jq does not go with -o %s", format)
		}
		if o.Filter, err = output.ParseFilter(text); err != nil {
			return o, err
		}
	}
	if format == output.Template {
		o.Record, err = f.template()
	}
	return o, err
}

// columnFlag reads a list of columns; nil when none is given.
func (f *Factory) columnFlag(name string) ([]string, error) {
	if _, ok := f.Flag(name); !ok {
		return nil, nil
	}
	list, err := f.flags.GetStringSlice(name)
	for i := range list {
		list[i] = strings.ToLower(strings.TrimSpace(list[i]))
	}
	if err == nil && (len(list) == 0 || slices.Contains(list, "")) {
		err = exit.Usagef("write them as --"+name+" a,b,c", "--%s: a column without a name", name)
	}
	return list, err
}

// template reads the text behind template=, or the file that it names.
func (f *Factory) template() (*output.RecordTemplate, error) {
	v, _ := f.formText()
	text := output.TemplateText(v)
	if path, ok := strings.CutPrefix(text, "@"); ok {
		data, err := f.ReadInput(path, 1<<20)
		if err != nil {
			return nil, err
		}
		text = strings.TrimSuffix(string(data), "\n")
	}
	return output.ParseTemplate(text)
}
