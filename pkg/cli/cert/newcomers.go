package cert

import (
	"context"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// newcomersFile is, in a job's folder, the list of what the closing sweep found.
const newcomersFile = "newcomers.csv"

// shownNewcomers is how many of them are told by id.
const shownNewcomers = 20

// newcomers repeats the search that a plan was made by, after the run: what matches
// now and was neither in the plan nor excluded came since. It is told and
// listed, and not touched: the plan was frozen.
func newcomers(ctx context.Context, f *cmdutil.Factory, selection *cmdutil.Selection, job *bulk.Job) error {
	known, err := job.Known()
	if err != nil {
		return err
	}
	q, err := selection.Query(f)
	if err != nil {
		return err
	}
	client, err := f.Client(ctx)
	if err != nil {
		return err
	}
	var fresh []cmapi.Certificate
	n := 0
	if err := cmdutil.Listed(ctx, f, client, q, func(c *cmapi.Certificate) error {
		if known.Has(c.CertID) {
			return nil
		}
		if n++; len(fresh) < 100_000 {
			fresh = append(fresh, cmapi.Certificate{CertID: c.CertID, Serial: c.Serial, Subject: c.Subject})
		}
		return nil
	}); err != nil {
		return exit.New(exit.Of(err), exit.HintOf(err), "the search cannot be repeated to look for what came since the plan was made: %w", err)
	}
	some := make([]bulk.Newcomer, len(fresh))
	for i, c := range fresh {
		some[i] = bulk.Newcomer{ID: c.CertID, Serial: c.Serial.String(), Subject: c.Subject}
	}
	path := filepath.Join(job.Dir(), newcomersFile)
	if n == 0 {
		f.Notice("the search finds nothing that was not in the plan")
		if job.Dir() != "" {
			_ = os.Remove(path) // of an earlier run
		}
		return job.NoteNewcomers(client.Now(), nil, 0)
	}
	ids := ""
	for _, c := range fresh[:min(len(fresh), shownNewcomers)] {
		ids += " " + c.CertID
	}
	if n > shownNewcomers {
		ids += " ..."
	}
	where := ""
	if job.Dir() != "" {
		if err = writeNewcomers(f, path, fresh); err == nil {
			where = "; they are listed in " + path
		}
	}
	f.Alert("newcomers", "%s matched the search since the plan was made and %s not in it:%s%s", cmdutil.Plural(n, "certificate"), are(n), ids, where)
	if err != nil {
		return exit.New(exit.Failure, "make room there", "the list of what came since: %w", err)
	}
	return job.NoteNewcomers(client.Now(), some, n)
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func writeNewcomers(f *cmdutil.Factory, path string, certs []cmapi.Certificate) error {
	file, err := f.Files().Create(path, true)
	if err != nil {
		return err
	}
	return file.CommitFrom(func(out io.Writer) error {
		w := csv.NewWriter(out)
		_ = w.Write([]string{"certid", "serial", "subject"}) // Error tells
		for _, c := range certs {
			_ = w.Write([]string{c.CertID, c.Serial.String(), c.Subject})
		}
		w.Flush()
		return w.Error()
	})
}
