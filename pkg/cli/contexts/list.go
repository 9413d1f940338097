package contexts

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/output"
)

type entry struct {
	Name      string `json:"name"`
	Current   bool   `json:"current"`
	Server    string `json:"server"`
	Protected bool   `json:"protected"`
}

// contextNoun prints contexts; the tsv columns are contract.
var contextNoun = output.Noun[entry]{
	Name:   "context",
	Schema: "context",
	ID:     func(e entry) string { return e.Name },
	Fields: []output.Field[entry]{
		{Name: "name", Value: func(e entry) string { return e.Name }},
		{Name: "current", Value: func(e entry) string { return yesNo(e.Current) }},
		{Name: "protected", Value: func(e entry) string { return yesNo(e.Protected) }},
		{Name: "server", Value: func(e entry) string { return e.Server }, Flex: true},
	},
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func newListCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the contexts",
		Example: "  cmctl context list",
		Args:    cmdutil.Exactly(),
		RunE:    func(*cobra.Command, []string) error { return runList(f) },
	}
	return cmdutil.Columns(cmd, contextNoun.Columns())
}

func runList(f *cmdutil.Factory) error {
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	file, err := f.ConfigFile()
	if err != nil {
		return err
	}
	w := output.NewWriter(contextNoun, opt)
	for _, name := range file.Names() {
		values, err := file.Get(name)
		if err != nil {
			return err
		}
		if err := w.Write(entry{name, name == file.Current, values["server"], values["protected"] == "true"}); err != nil {
			return err
		}
	}
	if w.Count() == 0 {
		f.Notice("no context yet: `cmctl context set NAME --server URL` makes one")
	}
	return w.Close()
}
