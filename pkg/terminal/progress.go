package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cmctl/cmctl/pkg/output"
)

const (
	drawEvery = 200 * time.Millisecond // for people
	lineEvery = 10 * time.Second       // for logs
)

// Progress is a line on stderr that says how far a run is: drawn in place for
// people, a plain line every ten seconds elsewhere. What is over sooner shows
// nothing.
type Progress struct {
	out   io.Writer // nil: says nothing
	drawn bool      // in place
	width int
	now   func() time.Time

	mu   sync.Mutex
	last time.Time
	line bool // one stands there
}

// NewProgress makes a Progress; quiet makes one that says nothing.
func NewProgress(s *Streams, quiet bool) *Progress {
	p := &Progress{drawn: s.ErrTTY && !s.dumb, width: s.errWidth, now: time.Now, last: time.Now()}
	if p.width == 0 {
		p.width = fallbackWidth
	}
	if !quiet {
		p.out = s.Err
	}
	return p
}

// Set says how far the run is. It may be called as often as one likes.
func (p *Progress) Set(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := lineEvery
	if p.drawn {
		every = drawEvery
	}
	now := p.now()
	if p.out == nil || now.Sub(p.last) < every {
		return
	}
	p.last = now
	text := output.Escape(fmt.Sprintf(format, args...))
	if !p.drawn {
		fmt.Fprintln(p.out, text)
		return
	}
	p.line = true
	fmt.Fprintf(p.out, "\r\x1b[K%.*s", p.width-1, text)
}

// Clear takes the line away, before other text goes to stderr and at the end.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line {
		io.WriteString(p.out, "\r\x1b[K") //nolint:errcheck // progress that nobody can see is none
		p.line = false
	}
}
