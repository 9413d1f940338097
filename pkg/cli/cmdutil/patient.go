package cmdutil

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/cmctl/cmctl/pkg/terminal"
)

// patience is how long a single write to stdout is waited for once the run has
// been told to end.
const patience = 2 * time.Second

// errUnread says that patience is over.
var errUnread = errors.New("nobody reads standard output")

// patientWriter knows how long it has been waiting for its reader.
type patientWriter struct {
	out   io.Writer
	start time.Time
	since atomic.Int64 // start to the beginning of the write under way; notWriting, or givenUp
}

const (
	notWriting = -1
	givenUp    = -2
)

func newPatientWriter(out io.Writer) *patientWriter {
	w := &patientWriter{out: out, start: time.Now()}
	w.since.Store(notWriting)
	return w
}

// Write writes. It never returns once wait has given up: whoever writes may use
// nothing of the run any more, and the process is about to end.
func (w *patientWriter) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		since := int64(time.Since(w.start))
		w.change(notWriting, since)
		var k int
		k, err = w.out.Write(terminal.Piece(p[n:])) // a slow reader takes it in time, and no record is torn
		n += k
		w.change(since, notWriting)
	}
	return n, err
}

func (w *patientWriter) change(from, to int64) {
	if !w.since.CompareAndSwap(from, to) {
		select {}
	}
}

// wait waits until what writes here has ended. When ctx has ended it gives up
// as soon as a write takes too long: a pager may stand there for hours.
func (w *patientWriter) wait(ctx context.Context, ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	look := time.NewTicker(patience / 20)
	defer look.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-look.C:
			since := w.since.Load()
			if since >= 0 && time.Since(w.start)-time.Duration(since) >= patience && w.since.CompareAndSwap(since, givenUp) {
				return errUnread
			}
		}
	}
}
