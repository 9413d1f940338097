package terminal

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/AlecAivazis/survey/v2"
	surveyterm "github.com/AlecAivazis/survey/v2/terminal"
	"golang.org/x/term"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

// Question is what is asked and the flag that answers it without a terminal.
type Question struct {
	Text string
	Flag string // such as "--yes" or "--pin-file"
}

// Prompter asks the officer. Ctrl-C and signals end a question with the error
// of their exit code, the terminal as it was before.
type Prompter interface {
	// Check is the error that asking would end with where nobody can be asked,
	// to be had before any work is done.
	Check(q Question) error
	// Confirm asks yes or no. The default is no, and so is the end of input.
	Confirm(ctx context.Context, q Question) (bool, error)
	// TypeNumber asks for a number to be typed and says whether want was.
	TypeNumber(ctx context.Context, q Question, want int) (bool, error)
	// Secret reads a line without echo; the end of input is exit.Declined.
	Secret(ctx context.Context, q Question) ([]byte, error)
}

// NoTerminalError is a question that nobody can be asked.
type NoTerminalError struct {
	Flag   string // the flag that answers it
	Reason string
}

// Error says why nobody can be asked.
func (e *NoTerminalError) Error() string {
	return "this needs an answer and nobody can be asked: " + e.Reason
}

// Hint names the flag that answers the question.
func (e *NoTerminalError) Hint() string { return "give the answer with " + e.Flag }

// ExitCode is exit.Usage.
func (e *NoTerminalError) ExitCode() exit.Code { return exit.Usage }

// NewPrompter asks on the controlling terminal. With noInput, without such a
// terminal, or when stderr is none, every question is a *NoTerminalError.
func NewPrompter(s *Streams, noInput bool) Prompter {
	return &prompter{streams: s, noInput: noInput, open: openTTY}
}

type prompter struct {
	streams *Streams
	noInput bool
	open    func() (in, out *os.File, err error)
	mu      sync.Mutex // one question at a time
}

func (p *prompter) Check(q Question) error {
	c, err := p.console(q)
	if err != nil {
		return err
	}
	c.close()
	return nil
}

func (p *prompter) Confirm(ctx context.Context, q Question) (bool, error) {
	answer, err := p.survey(ctx, q, func(stdio surveyterm.Stdio, config *survey.PromptConfig) (any, error) {
		c := &survey.Confirm{Message: output.Escape(q.Text)}
		c.WithStdio(stdio)
		return c.Prompt(config)
	})
	yes, _ := answer.(bool)
	return yes, err
}

func (p *prompter) TypeNumber(ctx context.Context, q Question, want int) (bool, error) {
	answer, err := p.survey(ctx, q, func(stdio surveyterm.Stdio, config *survey.PromptConfig) (any, error) {
		i := &survey.Input{Message: output.Escape(q.Text) + ":"}
		i.WithStdio(stdio)
		return i.Prompt(config)
	})
	typed, _ := answer.(string)
	return strings.TrimSpace(typed) == strconv.Itoa(want), err
}

// survey puts one of its questions. Prompt is called rather than AskOne, which
// would draw the question a second time over the answered one. The end of
// input is no answer.
func (p *prompter) survey(ctx context.Context, q Question, ask func(surveyterm.Stdio, *survey.PromptConfig) (any, error)) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, err := p.console(q)
	if err != nil {
		return nil, err
	}
	defer c.close()
	defer p.streams.Hold()()
	l := &linear{in: c.in, out: c.out, color: p.streams.ErrColor, dumb: p.streams.dumb}
	stdio := surveyterm.Stdio{In: l.reader(), Out: l.writer(), Err: p.streams.Err}
	config := &survey.PromptConfig{Icons: survey.IconSet{
		Question: survey.Icon{Text: "?", Format: "default+hb"},
		Error:    survey.Icon{Text: "?", Format: "yellow"},
	}, ShowCursor: true}
	answer, err := c.run(ctx, l.end, func() (any, error) { return ask(stdio, config) })
	switch {
	case errors.Is(err, surveyterm.InterruptErr):
		return nil, stopped(os.Interrupt)
	case errors.Is(err, io.EOF):
		return nil, nil
	}
	return answer, err
}

func (p *prompter) Secret(ctx context.Context, q Question) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, err := p.console(q)
	if err != nil {
		return nil, err
	}
	defer c.close()
	defer p.streams.Hold()()
	prompt := output.Escape(q.Text) + ": "
	answer, err := c.run(ctx, func() {}, func() (any, error) {
		if _, err := io.WriteString(c.out, prompt); err != nil {
			return nil, err
		}
		return readSecret(c.in)
	})
	// The question goes away, so that nothing but what matters stays.
	wipe := "\r\x1b[K"
	if p.streams.dumb || len(prompt) >= width(c.out, true) {
		wipe = "\n"
	}
	io.WriteString(c.out, wipe) //nolint:errcheck // decoration
	switch {
	case errors.Is(err, errInterrupt):
		return nil, stopped(os.Interrupt)
	case errors.Is(err, io.EOF):
		return nil, exit.New(exit.Declined, "", "no answer to %q", output.Escape(q.Text))
	case errors.Is(err, errControl):
		return nil, exit.New(exit.Declined, "type it again, without arrow keys", "the answer to %q was not used: it has a control character in it", output.Escape(q.Text))
	}
	secret, _ := answer.([]byte)
	return secret, err
}

// console is the open terminal and the mode it was found in.
type console struct {
	in, out *os.File
	state   *term.State
	left    bool // a reader is left behind
}

func (p *prompter) console(q Question) (*console, error) {
	switch {
	case p.noInput:
		return nil, &NoTerminalError{q.Flag, "--no-input is given"}
	case !p.streams.someone:
		return nil, &NoTerminalError{q.Flag, "stderr is not a terminal"}
	}
	in, out, err := p.open()
	if err != nil {
		return nil, &NoTerminalError{q.Flag, "there is no terminal"}
	}
	c := &console{in: in, out: out}
	if c.state, err = term.GetState(int(in.Fd())); err != nil {
		c.close()
		return nil, &NoTerminalError{q.Flag, "there is no terminal"}
	}
	return c, nil
}

func (c *console) close() {
	if c.left {
		return // its file must not become another one's
	}
	c.in.Close() //nolint:errcheck // nothing is left to be written
	if c.out != c.in {
		c.out.Close() //nolint:errcheck // as above
	}
}

// run asks in raw mode, so that a key pressed early is neither echoed nor lost,
// while watching for signals and the end of ctx, and puts the terminal back
// whatever happens, after over. A read of a terminal cannot be called off: when
// a question is given up, its reader stays behind until the program ends.
func (c *console) run(ctx context.Context, over func(), ask func() (any, error)) (any, error) {
	type outcome struct {
		answer   any
		err      error
		panicked any
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, EndSignals()...)
	defer signal.Stop(signals)
	defer func() {
		over()
		term.Restore(int(c.in.Fd()), c.state) //nolint:errcheck // the terminal may be gone
	}()
	if _, err := term.MakeRaw(int(c.in.Fd())); err != nil {
		return nil, err
	}

	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panicked = recover()
			done <- o
		}()
		o.answer, o.err = ask()
	}()
	select {
	case o := <-done:
		if o.panicked != nil {
			panic(o.panicked)
		}
		if o.err != nil && !errors.Is(o.err, surveyterm.InterruptErr) {
			// A terminal that goes ends the read and sends SIGHUP: either may come first.
			select {
			case s := <-signals:
				return nil, stopped(s)
			case <-time.After(hangupAfter):
			}
		}
		return o.answer, o.err
	case s := <-signals:
		c.left = true
		return nil, stopped(s)
	case <-ctx.Done():
		c.left = true
	}
	select {
	case s := <-signals: // what ended ctx, most likely
		return nil, stopped(s)
	default:
	}
	var coded exit.Coder
	if cause := context.Cause(ctx); errors.As(cause, &coded) {
		return nil, cause
	}
	return nil, exit.New(exit.Interrupted, "", "interrupted: %w", context.Cause(ctx))
}

// hangupAfter is how much later than the end of the read a SIGHUP may come.
const hangupAfter = 200 * time.Millisecond

// stopped is the error for a signal that came while a question was open.
func stopped(s os.Signal) error {
	switch s {
	case syscall.SIGTERM:
		return exit.New(exit.Terminated, "", "terminated")
	case syscall.SIGHUP:
		return exit.New(exit.Hangup, "", "the terminal is gone")
	}
	return exit.New(exit.Interrupted, "", "interrupted")
}
