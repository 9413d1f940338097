package cmdutil

import (
	"bufio"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/output"
)

// A reader that comes when all is over gets each record once, those that the
// queue did not hold behind the others.
func TestPrinterOutrunsItsReader(t *testing.T) {
	const n = mostQueued + 1000
	job, err := bulk.Draft("", "", "cert revoke", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := job.Plan().Add(bulk.Item{Index: i, Key: strconv.Itoa(i)}, bulk.Facts{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := job.Freeze(); err != nil {
		t.Fatal(err)
	}
	r, out := io.Pipe()
	run := &JobRun[string]{
		Job: job, Noun: output.Noun[string]{Name: "key"},
		Record: func(res bulk.Result) (string, bool) { return res.Key + " " + string(res.Outcome), true },
	}
	p := newPrinter(run, output.Options{Format: output.JSONL, Out: out})
	for i := range n {
		p.take(bulk.Result{Item: bulk.Item{Index: i, Key: strconv.Itoa(i)}, Outcome: bulk.Done})
	}
	if p.late == 0 || p.late > 1000 {
		t.Fatalf("%d are late; want some, and 1000 at most", p.late)
	}
	go func() {
		_ = out.CloseWithError(p.finish(nil)(t.Context()))
	}()
	lines := bufio.NewScanner(r)
	i := 0
	for ; lines.Scan(); i++ {
		if want := strconv.Quote(strconv.Itoa(i) + " done"); lines.Text() != want {
			t.Fatalf("record %d is %s, want %s", i, lines.Text(), want)
		}
	}
	if err := lines.Err(); err != nil || i != n {
		t.Fatalf("%d records, %v; want %d", i, err, n)
	}
}
