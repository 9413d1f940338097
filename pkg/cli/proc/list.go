package proc

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/output"
)

// procedureNoun prints token procedures; the tsv columns are contract.
var procedureNoun = output.Noun[cmapi.Procedure]{
	Name:   "procedure",
	Schema: "procedure",
	ID:     func(p cmapi.Procedure) string { return p.ID },
	Fields: []output.Field[cmapi.Procedure]{
		{Name: "procid", Value: func(p cmapi.Procedure) string { return p.ID }},
		{Name: "name", Value: func(p cmapi.Procedure) string { return p.Name }, Flex: true},
	},
}

func newListCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the token procedures open to the officer",
		Long: `List the token procedures open to the officer. "cmctl cert issue --procedure"
takes the name or the id.`,
		Example: `  cmctl proc list
  cmctl proc list -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runList(cmd.Context(), f) },
	}
	return cmdutil.Columns(cmdutil.Operations(cmd, "listProcedures"), procedureNoun.Columns())
}

func runList(ctx context.Context, f *cmdutil.Factory) error {
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	client, err := f.Client(ctx)
	if err != nil {
		return err
	}
	list, err := client.Procedures.List(ctx)
	if err != nil {
		return err
	}
	return output.Print(procedureNoun, opt, list...)
}
