package terminal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// How long a write to stderr is waited for, and how much is kept for a reader
// that stalls, in bytes: the notes of a long run, not all that it would draw.
const (
	relayPatience = time.Second
	relayKeeps    = 1 << 20
)

// piece is the most that one write holds: a pipe takes it whole or not at all, so
// that what others write there does not come between.
const piece = 4 << 10

// Piece is the start of a text that is written at a time. It ends with a line where
// it can.
func Piece(text []byte) []byte {
	next := text[:min(len(text), piece)]
	if end := bytes.LastIndexByte(next, '\n'); end >= 0 {
		next = next[:end+1]
	}
	return next
}

// relay passes on what is written to a stream whose reader may stall: a pager, a
// terminal that was stopped by Ctrl-S. Writes go through in their order and are
// waited for, until one takes too long; from then on they are kept, and whoever
// writes goes on.
type relay struct {
	out io.Writer

	mu      sync.Mutex
	kept    bytes.Buffer
	left    int // bytes that were left out, the oldest
	stalled bool
	err     error
	idle    chan struct{} // closed when all is written; nil: it is
}

// Write implements io.Writer.
func (r *relay) Write(p []byte) (int, error) {
	r.mu.Lock()
	if r.err == nil {
		r.keep(p)
	}
	idle, stalled := r.start(), r.stalled
	r.mu.Unlock()
	late := false
	if !stalled {
		patience := time.NewTimer(relayPatience)
		defer patience.Stop()
		select {
		case <-idle:
		case <-patience.C:
			late = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalled = r.stalled || late && r.idle != nil
	if r.err != nil {
		return 0, r.err
	}
	return len(p), nil
}

// keep takes up what is written, with the lock held. When it gets too much the
// oldest lines go: the last ones say how it ended, and the way on.
func (r *relay) keep(p []byte) {
	r.kept.Write(p)
	if r.kept.Len() <= relayKeeps {
		return
	}
	all := r.kept.Bytes()
	from := len(all) - relayKeeps/2
	if end := bytes.IndexByte(all[from:], '\n'); end >= 0 {
		from += end + 1
	}
	rest := bytes.Clone(all[from:])
	r.left += from
	r.kept.Reset()
	r.kept.Write(rest)
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
	for r.err == nil && r.left+r.kept.Len() > 0 {
		var next []byte
		if r.left > 0 {
			next, r.left = fmt.Appendf(nil, "note: %d bytes of what was said here are left out, since nobody read them\n", r.left), 0
		} else {
			next = bytes.Clone(r.kept.Next(len(Piece(r.kept.Bytes()))))
		}
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
