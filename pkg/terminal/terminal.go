// Package terminal is where cmctl meets the person at the keyboard: the three
// streams and what each is, the signals that end a run, questions on the
// controlling terminal, secrets read without echo, and progress on stderr.
// Commands get these from pkg/cli; nothing else looks at the process's own
// streams.
//
// Questions are asked on the controlling terminal, so that stdin may be data,
// and only when stderr is a terminal too: in a script nobody would see them.
package terminal

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/term"
)

// Streams are the three streams of a run and what is known of them.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	InTTY, OutTTY, ErrTTY bool
	OutWidth              int // columns of the terminal; 0 when Out is none
	OutColor, ErrColor    bool

	someone  bool // stderr is truly a terminal, whatever CMCTL_FORCE_TTY says
	dumb     bool // TERM=dumb: no escape sequences
	errWidth int
	screen   *screen
	relay    *relay // what Err is
}

// fallbackWidth is for a terminal that does not tell.
const fallbackWidth = 80

// New looks at three files. lookup gives environment variables: NO_COLOR, TERM
// and CMCTL_FORCE_TTY, with which stdout and stderr pass for terminals, for
// tests and screenshots; it makes nobody appear who could answer a question.
// Only pkg/cli calls New, once.
func New(in, out, err *os.File, lookup func(string) (string, bool)) *Streams {
	env := func(name string) string {
		v, _ := lookup(name)
		return v
	}
	r := &relay{out: err}
	s := &Streams{In: in, Out: out, Err: r, relay: r, InTTY: isTerminal(in), OutTTY: isTerminal(out), ErrTTY: isTerminal(err), screen: &screen{}}
	s.someone = s.ErrTTY
	s.dumb = env("TERM") == "dumb"
	s.OutWidth, s.errWidth = width(out, s.OutTTY), width(err, s.ErrTTY)

	outDraws, errDraws := s.OutTTY && enableColor(out), s.ErrTTY && enableColor(err)
	if columns, forced := forceTTY(env("CMCTL_FORCE_TTY")); forced {
		s.OutTTY, s.ErrTTY, outDraws, errDraws = true, true, true, true
		if s.OutWidth == 0 || columns > 0 {
			s.OutWidth = max(columns, fallbackWidth)
			if columns > 0 {
				s.OutWidth = columns
			}
		}
	}
	plain := s.dumb || env("NO_COLOR") != ""
	s.OutColor, s.ErrColor = outDraws && !plain, errDraws && !plain
	return s
}

// Flush waits until what was written to Err has been taken; when ctx has ended,
// only a moment.
func (s *Streams) Flush(ctx context.Context) { s.relay.flush(ctx) }

// EndSignals are those that end a program, but SIGHUP where whoever started it has
// it ignored, as nohup does: then it outlives its terminal.
func EndSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// NoColor turns colour off on both streams, as --no-color asks.
func (s *Streams) NoColor() { s.OutColor, s.ErrColor = false, false }

// forceTTY reads CMCTL_FORCE_TTY: yes, no, or yes with a width.
func forceTTY(v string) (columns int, forced bool) {
	switch v {
	case "", "0", "false", "no":
		return 0, false
	}
	if n, err := strconv.Atoi(v); err == nil && n > 1 {
		return n, true
	}
	return 0, true
}

func isTerminal(f *os.File) bool { return f != nil && term.IsTerminal(int(f.Fd())) }

func width(f *os.File, tty bool) int {
	if !tty {
		return 0
	}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		return w
	}
	return fallbackWidth
}
