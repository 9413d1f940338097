package terminal

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

// How long a write to stderr is waited for, and how much is kept for a reader
// that stalls, in bytes: notes of a long run, not what it would draw for hours.
const (
	relayPatience = time.Second
	relayKeeps    = 1 << 20
)

// relay passes on what is written to a stream whose reader may stall: a pager, a
// terminal that was stopped by Ctrl-S. Writes go through in their order and are
// waited for, until one takes too long; from then on they are kept, and whoever
// writes goes on.
type relay struct {
	out io.Writer

	mu      sync.Mutex
	kept    bytes.Buffer
	stalled bool
	err     error
	idle    chan struct{} // closed when all is written; nil: it is
}

// Write implements io.Writer.
func (r *relay) Write(p []byte) (int, error) {
	r.mu.Lock()
	if r.err == nil && r.kept.Len() < relayKeeps {
		r.kept.Write(p)
	}
	idle, stalled := r.start(), r.stalled
	r.mu.Unlock()
	if !stalled {
		patience := time.NewTimer(relayPatience)
		defer patience.Stop()
		select {
		case <-idle:
		case <-patience.C:
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalled = r.idle != nil
	if r.err != nil {
		return 0, r.err
	}
	return len(p), nil
}

// start sees to it that somebody writes what is kept, with the lock held.
func (r *relay) start() (idle <-chan struct{}) {
	if r.idle == nil {
		r.idle = make(chan struct{})
		go r.pass()
	}
	return r.idle
}

func (r *relay) pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.err == nil && r.kept.Len() > 0 {
		next := bytes.Clone(r.kept.Bytes())
		r.kept.Reset()
		r.mu.Unlock()
		_, err := r.out.Write(next)
		r.mu.Lock()
		r.err = err
	}
	close(r.idle)
	r.idle, r.stalled = nil, false
}

// flush waits until all is written; when ctx has ended, no longer than for a
// single write.
func (r *relay) flush(ctx context.Context) {
	r.mu.Lock()
	idle := r.idle
	r.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	select {
	case <-idle:
	case <-time.After(relayPatience):
	}
}
