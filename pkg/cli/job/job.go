// Package job is `cmctl job`: the journals of writes on many items, to look
// at, to go on with, and to report from.
package job

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// NewCmd makes the noun and its verbs.
func NewCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "job",
		Short:   "Look at, go on with and report on writes on many items",
		GroupID: cmdutil.GroupWork,
	}
	cmd.AddCommand(newListCmd(f), newShowCmd(f), newResumeCmd(f), newReportCmd(f))
	return cmd
}

// pathOf is where a job is: the path of its folder or journal, which has a slash
// in it, or its name.
func pathOf(f *cmdutil.Factory, name string) (string, error) {
	if strings.ContainsRune(name, '/') || strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	if err := bulk.CheckName(name); err != nil {
		return "", exit.Usagef("`cmctl job list` shows the names", "%q is no name of a job", name)
	}
	dir, err := f.JobsDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if isJob(name) && !isJob(path) {
		return "", exit.New(exit.NotFound, "`./"+name+"` is the one in this folder", "there is no job %s", name)
	}
	return path, nil
}

// isJob tells whether a folder has a journal in it.
func isJob(dir string) bool {
	st, err := os.Stat(filepath.Join(dir, bulk.JournalFile))
	return err == nil && !st.IsDir()
}

// The states of a job.
const (
	running  = "running"
	finished = "finished"
	drilled  = "drill"
	notBegun = "not begun"
	broken   = "broken off"
	declined = "declined"
	stopped  = "stopped"
)

// state is a word for how a job stands.
func state(j *bulk.Job) string {
	switch end := j.Ended(); {
	case j.Busy():
		return running
	case j.Header.Drill:
		return drilled
	case j.Closed():
		return finished
	case j.Runs() == 0:
		return notBegun
	case end == nil:
		return broken
	case exit.Code(end.Exit) == exit.Declined:
		return declined
	default:
		return stopped
	}
}

// waiting is what items are whose turn is still to come: no run has ended and
// left them out.
const waiting bulk.Outcome = "waiting"

// outcome is what became of an item of a job in a state.
func outcome(state string, o bulk.Outcome) bulk.Outcome {
	if o == bulk.Skipped && (state == running || state == notBegun || state == broken) {
		return waiting
	}
	return o
}

// completeNames completes the names of jobs.
func completeNames(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		dir, err := f.JobsDir()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		entries, _ := os.ReadDir(dir)
		var names []string
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return pki.FormatTime(t)
}
