package job

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/output"
)

func newShowCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show <job>...",
		Short: "Show how jobs stand",
		Long: `Show what a job is bound to and how its items stand: done, already, failed,
unknown (sent, and not read back), skipped (not sent by a run that has ended),
waiting (their turn is still to come). A job is named, or given by the path of
its folder, with a slash in it. "cmctl job report" tells it item by item.`,
		Example:           "  cmctl job show cert-revoke-20260131T180000Z-1f2e",
		Args:              cmdutil.AtLeastOne("job"),
		ValidArgsFunction: completeNames(f),
		RunE:              func(cmd *cobra.Command, args []string) error { return runShow(cmd.Context(), f, args) },
	}
	return cmdutil.Columns(cmd, jobNoun.Columns())
}

func runShow(_ context.Context, f *cmdutil.Factory, names []string) error {
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	opt.Details = true
	var rows []row
	for _, name := range names {
		path, err := pathOf(f, name)
		if err != nil {
			return err
		}
		j, err := bulk.Read(path)
		if err != nil {
			return err
		}
		rows = append(rows, rowOf(j))
		_ = j.Close()
	}
	return output.Print(jobNoun, opt, rows...)
}
