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

	screen *screen
	last   time.Time // screen.mu is held for it
}

// screen is what a run's stderr shows that text written there has to mind.
type screen struct {
	mu    sync.Mutex
	line  bool // progress stands on the line
	holds int  // questions and requests that stand; none: progress may be drawn
}

// NewProgress makes a Progress; quiet makes one that says nothing.
func NewProgress(s *Streams, quiet bool) *Progress {
	p := &Progress{drawn: s.ErrTTY && !s.dumb, width: s.errWidth, now: time.Now, screen: s.shows(), last: time.Now()}
	if p.width == 0 {
		p.width = fallbackWidth
	}
	if !quiet {
		p.out = s.Err
	}
	return p
}

// Set says how far the run is. It may be called as often as one likes; while a
// question stands, nothing is shown.
func (p *Progress) Set(format string, args ...any) {
	p.screen.mu.Lock()
	defer p.screen.mu.Unlock()
	every := lineEvery
	if p.drawn {
		every = drawEvery
	}
	now := p.now()
	if p.out == nil || p.screen.holds > 0 || now.Sub(p.last) < every {
		return
	}
	p.last = now
	text := output.Escape(fmt.Sprintf(format, args...))
	if !p.drawn {
		fmt.Fprintln(p.out, text)
		return
	}
	p.screen.line = true
	fmt.Fprintf(p.out, "\r\x1b[K%.*s", p.width-1, text)
}

// Clear takes the line away, before other text goes to stderr and at the end.
func (p *Progress) Clear() {
	p.screen.mu.Lock()
	defer p.screen.mu.Unlock()
	if p.out != nil {
		p.screen.erase(p.out)
	}
}

func (s *screen) erase(out io.Writer) {
	if s.line {
		io.WriteString(out, "\r\x1b[K") //nolint:errcheck // progress that nobody can see is none
		s.line = false
	}
}

// Hold takes the progress line away and draws none before release is called:
// what stands there then is for the officer to read, and to answer.
func (s *Streams) Hold() (release func()) {
	show := s.shows()
	show.mu.Lock()
	defer show.mu.Unlock()
	show.erase(s.Err)
	show.holds++
	return sync.OnceFunc(func() {
		show.mu.Lock()
		defer show.mu.Unlock()
		show.holds--
	})
}

// Say writes text to stderr, on a line of its own.
func (s *Streams) Say(text string) {
	defer s.Hold()()
	fmt.Fprintln(s.Err, text)
}

// Held tells whether something stands there that must be seen.
func (s *Streams) Held() bool {
	show := s.shows()
	show.mu.Lock()
	defer show.mu.Unlock()
	return show.holds > 0
}

func (s *Streams) shows() *screen {
	if s.screen == nil { // not made by New
		s.screen = &screen{}
	}
	return s.screen
}
