package job

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

func newListCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the jobs, the newest last",
		Long: `List the writes on many items that this machine has journals of, the newest
last. A job is running, finished, stopped by what its last run met, declined by
its officer, broken off by a crash, not begun, or was a drill. Of one that
ended, "exit" and "kind" say with which exit code. The journals are in the state
folder; one that is no longer wanted can be deleted with its folder.`,
		Example: "  cmctl job list\n  cmctl job list -o jsonl",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runList(f) },
	}
	return cmdutil.Columns(cmd, jobNoun.Columns())
}

func runList(f *cmdutil.Factory) error {
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	dir, err := f.JobsDir()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return exit.New(exit.Failure, "", "the folder of journals: %w", err)
	}
	var rows []row
	var unread []string
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		j, err := bulk.Read(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(err, bulk.ErrUnfinished), exit.Of(err) == exit.NotFound: // nothing was sent, or not yet
			f.Notice("%v", err)
			continue
		case err != nil:
			unread = append(unread, err.Error())
			continue
		}
		rows = append(rows, rowOf(j))
		_ = j.Close()
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.made.Compare(b.made) })
	if len(entries) == 0 {
		f.Notice("there are no jobs in %s", dir)
	}
	if err := output.Print(jobNoun, opt, rows...); err != nil || unread == nil {
		return err
	}
	return exit.New(exit.Partial, "the others are listed", "%s", strings.Join(unread, "\n"))
}
