package cert

import (
	"context"
	"encoding/csv"
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
		return exit.New(exit.Of(err), exit.HintOf(err), "everything was carried out, but the search cannot be repeated to look for what came since: %w", err)
	}
	some := make([]bulk.Newcomer, len(fresh))
	for i, c := range fresh {
		some[i] = bulk.Newcomer{ID: c.CertID, Serial: c.Serial.String(), Subject: c.Subject}
	}
	if err := job.NoteNewcomers(client.Now(), some, n); err != nil {
		return err
	}
	if n == 0 {
		f.Notice("the search finds nothing that was not in the plan")
		return nil
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
		path := filepath.Join(job.Dir(), newcomersFile)
		if err := writeNewcomers(path, fresh); err != nil {
			return exit.New(exit.Failure, "", "the list of what came since: %w", err)
		}
		where = "; they are listed in " + path
	}
	f.Alert("newcomers", "%s matched the search since the plan was made and %s not in it:%s%s", cmdutil.Plural(n, "certificate"), are(n), ids, where)
	return nil
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func writeNewcomers(path string, certs []cmapi.Certificate) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := csv.NewWriter(file)
	err = w.Write([]string{"certid", "serial", "subject"})
	for _, c := range certs {
		if err == nil {
			err = w.Write([]string{c.CertID, c.Serial.String(), c.Subject})
		}
	}
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}
