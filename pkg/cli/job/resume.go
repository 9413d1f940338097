package job

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
)

func newResumeCmd(f *cmdutil.Factory) *cobra.Command {
	var asOfficer bool
	cmd := &cobra.Command{
		Use:   "resume <job>",
		Short: "Go on with a job where it stopped",
		Long: `Go on with a job that was stopped or broken off: what was sent and has no answer
is read back first, and only what nothing was done to is sent. What is settled
stands. It prints what this run settles. Of a finished job it ends 0. One whose
pilot has not passed goes on with the pilot: it is looked for on the CRL, and
the others follow only when the officer says so, or with --yes when all of it is
there.

The job goes on with the context, the gateway and the officer that it began
with; variables such as CMCTL_KEY and CMCTL_PIN_FILE count as they did then. At
another gateway, with other certificates trusted for it, or as another officer
it is refused; --as-officer hands it over to the officer of this run. A job of
another machine is given by the path of its folder.

Two runs on one job are one too many: the second is refused.`,
		Example: `  cmctl job resume cert-revoke-20260131T180000Z-1f2e
  cmctl job resume /mnt/handover/cert-revoke-20260131T180000Z-1f2e --as-officer`,
		Args:              cmdutil.Exactly("job"),
		ValidArgsFunction: completeNames(f),
		RunE:              func(cmd *cobra.Command, args []string) error { return runResume(cmd.Context(), f, args[0], asOfficer) },
	}
	cmd.Flags().BoolVar(&asOfficer, "as-officer", false, "go on as the officer of this run, who is another than the one who began")
	cmdutil.CountFlag(cmd, new(int), "rate", 0, 1, "most items a second, `N`")
	cmd.Flags().String("deadline", "", "warn as soon as the run cannot end by this `time`")
	cmdutil.AddBatchFlag(cmd)
	cmd.Flags().Int("parallel", 4, "requests of a kind under way at a time, `N`, 1 to 64")
	return cmdutil.ColumnsLater(cmd)
}

func runResume(ctx context.Context, f *cmdutil.Factory, name string, asOfficer bool) error {
	path, err := pathOf(f, name)
	if err != nil {
		return err
	}
	j, err := bulk.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	if j.Header.Drill {
		return exit.Usagef("", "the job %s was a drill: nothing is left to do", j.Header.Job)
	}
	f.ClearUp(j)
	return f.Resume(ctx, j, asOfficer)
}
