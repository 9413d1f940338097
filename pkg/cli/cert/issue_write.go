package cert

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
)

// issueWrite is the bulk.Write of every verb that issues: an answer is in its
// file before its item is called done.
type issueWrite struct {
	*issuing
	runner  *ops.Runner
	list    []csr
	files   []*cmdutil.OutFile
	in      cmapi.IssueRequest
	records bool // stdout has records, not certificates

	mu   sync.Mutex
	made []stored // by index; of what is done
	bare [][]byte // by index, where stdout has certificates
}

// Do implements bulk.Write.
func (w *issueWrite) Do(ctx context.Context, items []bulk.Item, gate bulk.Gate, report func(bulk.Result)) error {
	runner := w.runner.Through(gate)
	var stop error
	for _, it := range items {
		if stop != nil {
			report(bulk.Result{Item: it, Outcome: bulk.Skipped, Err: stop})
			continue
		}
		got, err := w.issue(ctx, runner, &w.list[it.Index], w.in)
		stop = w.take(it, got, err, report)
	}
	return stop
}

// Settle implements bulk.Write.
func (w *issueWrite) Settle(ctx context.Context, items []bulk.Item, sent time.Time, report func(bulk.Result)) (rest []bulk.Item, err error) {
	for _, it := range items {
		got, err := w.settle(ctx, w.runner, &w.list[it.Index], w.in, sent)
		if got == nil && err == nil && w.runner.Patience(ctx, sent) {
			got, err = w.settle(ctx, w.runner, &w.list[it.Index], w.in, sent)
		}
		if rec, ok := w.written(it, got, err); ok {
			w.made[it.Index] = rec
			report(bulk.Result{Item: it, Outcome: bulk.Done, ID: rec.CertID})
			continue
		}
		if got == nil && err == nil {
			rest = append(rest, it)
			continue
		}
		if err != nil && !tells(err) { // a look that failed says nothing of the item
			if stops(exit.Of(err)) {
				return rest, err
			}
			report(bulk.Result{Item: it, Outcome: bulk.Unknown, Err: err})
			continue
		}
		if stop := w.take(it, got, err, report); stop != nil {
			return rest, stop
		}
	}
	return rest, nil
}

// tells is an error that says what became of a request whose answer was lost.
func tells(err error) bool {
	var lost *ops.LostKeyError
	return errors.As(err, &lost) && len(lost.CertIDs) > 0 || errors.As(err, new(*ops.UnusableError))
}

// written looks for the file of an answer that an earlier run wrote and did not
// come to say so: a key in it is not lost.
func (w *issueWrite) written(it bulk.Item, got *issued, err error) (stored, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &w.list[it.Index]
	var lost *ops.LostKeyError
	var found []stored
	switch {
	case w.files[it.Index] == nil:
	case got != nil:
		found = append(found, got.record)
	case errors.As(err, &lost):
		for i, id := range lost.CertIDs {
			found = append(found, stored{CertID: id, Serial: lost.Serials[i], Subject: c.subject})
		}
	}
	for _, rec := range found {
		fields := c.fields
		fields.CertID, fields.Serial = rec.CertID, rec.Serial.String()
		path := w.target.path(fields)
		data, err := os.ReadFile(path)
		if err != nil || !w.holds(data, rec.Serial) {
			continue
		}
		if rec.File, rec.PEM = path, ""; len(w.list) > 1 {
			rec.Input = c.file
		}
		return rec, true
	}
	return stored{}, false
}

// take writes an answer to its place and reports what became of its item. The
// error is what stops the run.
func (w *issueWrite) take(it bulk.Item, got *issued, err error, report func(bulk.Result)) (stop error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		err = w.keepUnusable(err)
		res := bulk.Result{Item: it, Outcome: bulk.Failed, Err: err}
		var lost *ops.LostKeyError
		if errors.As(err, &lost) && len(lost.CertIDs) == 1 {
			res.ID = lost.CertIDs[0]
		}
		var call *cmapi.Error
		switch code := exit.Of(err); {
		case code == exit.OK: // a drill
			res.Outcome = bulk.Skipped
		case errors.As(err, new(*ops.UnsettledError)), lost != nil && code == exit.Unavailable:
			res.Outcome, stop = bulk.Unknown, err
		case stops(code):
			if stop = err; !errors.As(err, &call) || call.Fault == cmapi.FaultEnded {
				res.Outcome = bulk.Skipped // the gateway was not asked
			}
		}
		report(res)
		return stop
	}
	c := &w.list[it.Index]
	if len(w.list) > 1 {
		got.record.Input = c.file
	}
	rec, data, err := w.put(c, got, w.files[it.Index])
	w.made[it.Index] = rec
	if !w.records {
		w.bare[it.Index] = data
		w.f.Notice("issued certificate %s, serial %s", rec.CertID, rec.Serial)
	}
	report(bulk.Result{Item: it, Outcome: bulk.Done, ID: rec.CertID})
	return err
}

// record is what is printed of an item: of those that are done.
func (w *issueWrite) record(r bulk.Result) (stored, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made[r.Index], r.Outcome == bulk.Done
}

// certificate is what is printed where certificates go to standard output.
func (w *issueWrite) certificate(r bulk.Result) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bare[r.Index]
}

// stops tells the exit codes after which the next request would fare no
// better.
func stops(c exit.Code) bool {
	switch c {
	case exit.Refused, exit.Unavailable, exit.Key, exit.Identity, exit.Declined:
		return true
	}
	return c >= exit.Hangup
}
