package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

func TestConfirm(t *testing.T) {
	for _, tt := range []struct {
		name, keys string
		want       bool
		code       exit.Code
		screen     string
	}{
		{"y", "y\r", true, 0, "? Revoke? (y/N) y\b\n"},
		{"yes", "YES\r", true, 0, "? Revoke? (y/N) YES\b\b\b\n"},
		{"n", "n\r", false, 0, "? Revoke? (y/N) n\b\n"},
		{"enter is no", "\r", false, 0, "? Revoke? (y/N) \n"},
		{"end of input is no", "\x04", false, 0, "? Revoke? (y/N) \n"},
		{"Ctrl-C", "\x03", false, exit.Interrupted, "? Revoke? (y/N) \n"},
		{"another word, then yes", "sure\ry\r", true, 0, "? Revoke? (y/N) sure\b\b\b\b\n" +
			"? Sorry, your reply was invalid: \"sure\" is not a valid answer, please try again.\n? Revoke? (y/N) y\b\n"},
		{"corrected", "n\x7fy\r", true, 0, "? Revoke? (y/N) n\b\x1b[0Ky\b\n"},
		{"corrected in front", "es\x1b[D\x1b[Dy\r", true, 0, "? Revoke? (y/N) es\b\b\x1b7\x1b[0K\x1b[0Ky\x1b[0Ke\x1b[0Ks\x1b8\x1b[1C\b\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPTY(t)
			before := p.modes()
			p.typeAfter("(y/N)", tt.keys)
			got, err := p.prompter(nil).Confirm(t.Context(), Question{Text: "Revoke?", Flag: "--yes"})
			if got != tt.want || exit.Of(err) != tt.code {
				t.Errorf("got %v, %v (code %d); want %v, code %d", got, err, exit.Of(err), tt.want, tt.code)
			}
			if after := p.modes(); after != before {
				t.Errorf("the terminal was %+v, is %+v", before, after)
			}
			p.waitScreen(tt.screen)
		})
	}
}

// typeAfter types when the text is on the screen.
func (p *pty) typeAfter(text, keys string) {
	go func() {
		p.wait(text)
		p.typeKeys(keys)
	}()
}

func TestQuestionIsEscapedAndMayWrap(t *testing.T) {
	p := newPTY(t)
	long := strings.Repeat("very ", 60) + "long \x1b[2J?"
	p.typeAfter("(y/N)", "y\r")
	got, err := p.prompter(nil).Confirm(t.Context(), Question{Text: long})
	if !got || err != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	if !strings.Contains(p.screen(), `long \x1b[2J?`) || strings.Contains(p.screen(), "\x1b") {
		t.Errorf("the terminal shows %q", p.screen())
	}
}

func TestConfirmWithColour(t *testing.T) {
	p := newPTY(t)
	p.typeAfter("(y/N)", "y\r")
	if got, err := p.prompter(func(s *Streams) { s.ErrColor = true }).Confirm(t.Context(), Question{Text: "Go?"}); !got || err != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	if !strings.Contains(p.screen(), "\x1b[") || strings.Contains(p.screen(), "6n") {
		t.Errorf("the terminal shows %q", p.screen())
	}
}

func TestDumbTerminalGetsNoSequence(t *testing.T) {
	p := newPTY(t)
	p.typeAfter("(y/N)", "nn\x7f\x7fy\r")
	got, err := p.prompter(func(s *Streams) { s.ErrColor, s.dumb = true, true }).Confirm(t.Context(), Question{Text: "Go?"})
	if !got || err != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	if strings.Contains(p.screen(), "\x1b") {
		t.Errorf("the terminal shows %q", p.screen())
	}
}

func TestTypeNumber(t *testing.T) {
	for _, tt := range []struct {
		name, keys string
		want       bool
		code       exit.Code
	}{
		{"the number", "117\r", true, 0},
		{"with blanks", " 117 \r", true, 0},
		{"corrected", "118\x7f7\r", true, 0},
		{"another number", "17\r", false, 0},
		{"yes is no number", "yes\r", false, 0},
		{"enter", "\r", false, 0},
		{"end of input", "\x04", false, 0},
		{"Ctrl-C", "11\x03", false, exit.Interrupted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPTY(t)
			before := p.modes()
			p.typeAfter("go on:", tt.keys)
			got, err := p.prompter(nil).TypeNumber(t.Context(), Question{Text: "Type the number of certificates to go on"}, 117)
			if got != tt.want || exit.Of(err) != tt.code {
				t.Errorf("got %v, %v; want %v, code %d", got, err, tt.want, tt.code)
			}
			if p.modes() != before {
				t.Error("the terminal is not as it was")
			}
		})
	}
}

func TestSecret(t *testing.T) {
	for _, tt := range []struct {
		name, keys, want string
		code             exit.Code
	}{
		{"typed", "12 34\r", "12 34", 0},
		{"typed, then Ctrl-C", "12\x03", "", exit.Interrupted},
		{"with an arrow key", "12\x1b[D34\r", "", exit.Declined},
		{"empty", "\n", "", 0},
		{"end of input", "\x04", "", exit.Declined},
		{"not ASCII", "påss\n", "påss", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPTY(t)
			before := p.modes()
			p.typeAfter("card: ", tt.keys)
			got, err := p.prompter(nil).Secret(t.Context(), Question{Text: "PIN of card"})
			if string(got) != tt.want || exit.Of(err) != tt.code {
				t.Errorf("got %q, %v; want %q, code %d", got, err, tt.want, tt.code)
			}
			if p.modes() != before {
				t.Error("the terminal is not as it was")
			}
			p.waitScreen("PIN of card: \r\x1b[K")
		})
	}
}

func TestSecretWithoutRoomToWipe(t *testing.T) {
	p := newPTY(t)
	p.typeAfter("card: ", "1\n")
	if _, err := p.prompter(func(s *Streams) { s.dumb = true }).Secret(t.Context(), Question{Text: "PIN of card"}); err != nil {
		t.Fatal(err)
	}
	p.wait("card: \n")
}

type question func(context.Context, *prompter) error

func questions() map[string]question {
	q := Question{Text: "now"}
	return map[string]question{
		"Confirm":    func(ctx context.Context, p *prompter) error { _, err := p.Confirm(ctx, q); return err },
		"TypeNumber": func(ctx context.Context, p *prompter) error { _, err := p.TypeNumber(ctx, q, 1); return err },
		"Secret":     func(ctx context.Context, p *prompter) error { _, err := p.Secret(ctx, q); return err },
	}
}

func TestSignalsEndAQuestion(t *testing.T) {
	hangsUp(t)
	for name, ask := range questions() {
		for _, tt := range []struct {
			signal syscall.Signal
			code   exit.Code
		}{{syscall.SIGINT, exit.Interrupted}, {syscall.SIGTERM, exit.Terminated}, {syscall.SIGHUP, exit.Hangup}} {
			t.Run(name+" "+tt.signal.String(), func(t *testing.T) {
				p := newPTY(t)
				before := p.modes()
				go func() {
					p.wait("now")
					syscall.Kill(os.Getpid(), tt.signal) //nolint:errcheck // the test hangs when it fails
				}()
				if err := ask(t.Context(), p.prompter(nil)); exit.Of(err) != tt.code {
					t.Errorf("got %v, code %d", err, exit.Of(err))
				}
				if p.modes() != before {
					t.Error("the terminal is not as it was")
				}
			})
		}
	}
}

// hangsUp has SIGHUP heard also where the tests were started under nohup.
func hangsUp(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(c) })
}

// A terminal that goes ends the read with an error, a moment before its SIGHUP
// comes.
func TestTerminalGoesInAQuestion(t *testing.T) {
	hangsUp(t)
	for _, hangup := range []bool{true, false} {
		c, err := newPTY(t).prompter(nil).console(Question{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.run(t.Context(), func() {}, func() (any, error) {
			if hangup {
				time.AfterFunc(20*time.Millisecond, func() { syscall.Kill(os.Getpid(), syscall.SIGHUP) }) //nolint:errcheck // the test fails when it fails
			}
			return nil, syscall.EIO
		})
		if hangup && exit.Of(err) != exit.Hangup || !hangup && !errors.Is(err, syscall.EIO) {
			t.Errorf("SIGHUP %t: got %v, code %d", hangup, err, exit.Of(err))
		}
	}
}

func TestContextEndsAQuestion(t *testing.T) {
	for name, ask := range questions() {
		for _, tt := range []struct {
			name  string
			cause error
			code  exit.Code
		}{
			{"with a code", exit.New(exit.Terminated, "", "terminated"), exit.Terminated},
			{"without", errors.New("enough"), exit.Interrupted},
		} {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				p := newPTY(t)
				before := p.modes()
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() {
					p.wait("now")
					cancel(tt.cause)
				}()
				err := ask(ctx, p.prompter(nil))
				if exit.Of(err) != tt.code || !errors.Is(err, tt.cause) {
					t.Errorf("got %v, code %d", err, exit.Of(err))
				}
				if p.modes() != before {
					t.Error("the terminal is not as it was")
				}
			})
		}
	}
}

func TestPanicPutsTheTerminalBack(t *testing.T) {
	p := newPTY(t)
	before := p.modes()
	pr := p.prompter(nil)
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
		if p.modes() != before {
			t.Error("the terminal is not as it was")
		}
	}()
	c, err := pr.console(Question{})
	if err != nil {
		t.Fatal(err)
	}
	c.run(t.Context(), func() {}, func() (any, error) { //nolint:errcheck // it panics
		m := p.modes()
		m.Lflag &^= syscall.ECHO
		setModes(t, p, m)
		panic("broken")
	})
}

func TestNobodyToAsk(t *testing.T) {
	p := newPTY(t)
	noTTY := func() (*os.File, *os.File, error) { return nil, nil, os.ErrNotExist }
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*prompter)
		want   NoTerminalError
	}{
		{"--no-input", func(p *prompter) { p.noInput = true }, NoTerminalError{"--yes", "--no-input is given"}},
		{"stderr in a file", func(p *prompter) { p.streams = &Streams{ErrTTY: true} }, NoTerminalError{"--yes", "stderr is not a terminal"}},
		{"no controlling terminal", func(p *prompter) { p.open = noTTY }, NoTerminalError{"--yes", "there is no terminal"}},
		{"what opens is no terminal", func(p *prompter) {
			p.open = func() (*os.File, *os.File, error) { return file, file, nil }
		}, NoTerminalError{"--yes", "there is no terminal"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pr := p.prompter(nil)
			tt.change(pr)
			q := Question{Text: "Go?", Flag: "--yes"}
			_, confirm := pr.Confirm(t.Context(), q)
			_, number := pr.TypeNumber(t.Context(), q, 1)
			_, secret := pr.Secret(t.Context(), q)
			for _, err := range []error{confirm, number, secret, pr.Check(q)} {
				var got *NoTerminalError
				if !errors.As(err, &got) || *got != tt.want || exit.Of(err) != exit.Usage || exit.HintOf(err) != "give the answer with --yes" {
					t.Errorf("got %v, hint %q", err, exit.HintOf(err))
				}
			}
		})
	}
	if err := p.prompter(nil).Check(Question{}); err != nil {
		t.Errorf("somebody is there, but %v", err)
	}
	if p.screen() != "" {
		t.Errorf("the terminal shows %q", p.screen())
	}
}

func TestSystemPrompterNeedsStderr(t *testing.T) {
	var b bytes.Buffer
	err := NewPrompter(&Streams{Err: &b}, false).Check(Question{Flag: "--yes"})
	if exit.Of(err) != exit.Usage {
		t.Errorf("got %v", err)
	}
}

// A run goes on telling how far it is while a question stands: what the terminal
// shows then is the question.
func TestProgressLeavesQuestionsAlone(t *testing.T) {
	questions := map[string]func(context.Context, Prompter) error{
		"[card was removed. Go on? (y/N) ]": func(ctx context.Context, p Prompter) error {
			_, err := p.Confirm(ctx, Question{Text: "card was removed. Go on?"})
			return err
		},
		"[PIN: ]": func(ctx context.Context, p Prompter) error {
			_, err := p.Secret(ctx, Question{Text: "PIN"})
			return err
		},
		"[Type the number: ]": func(ctx context.Context, p Prompter) error {
			_, err := p.TypeNumber(ctx, Question{Text: "Type the number"}, 7)
			return err
		},
	}
	for want, ask := range questions {
		t.Run(want, func(t *testing.T) {
			p := newPTY(t)
			pr := p.prompter(func(s *Streams) { s.ErrTTY, s.errWidth = true, 80 })
			progress := NewProgress(pr.streams, false)
			now := progress.last
			tick := func() {
				now = now.Add(time.Minute)
				progress.Set("0 of 1: 0 done")
			}
			progress.now = func() time.Time { return now }
			tick()
			p.wait("0 of 1")

			ended := make(chan error, 1)
			go func() { ended <- ask(t.Context(), pr) }()
			text := strings.Trim(want, "[]")
			p.wait(text)
			tick()
			tick()
			// Whatever was drawn comes before this.
			io.WriteString(p.tty, "]") //nolint:errcheck // seen below
			p.wait("]")
			shown := p.lines()
			if got := strings.TrimPrefix(shown[len(shown)-1], "? "); got != text+"]" || len(shown) != 1 {
				t.Errorf("the terminal shows %q", shown)
			}
			p.typeKeys("\r")
			if err := <-ended; err != nil {
				t.Error(err)
			}
			tick()
			if shown = append(shown, "0 of 1: 0 done"); text == "PIN: " {
				shown = shown[1:] // it goes away
			}
			p.waitLines(shown...)
		})
	}
}

// What is said, and what is to be done elsewhere, stands on lines of its own.
func TestProgressLeavesRequestsAlone(t *testing.T) {
	p := newPTY(t)
	s := p.prompter(func(s *Streams) { s.ErrTTY, s.errWidth = true, 80 }).streams
	progress := NewProgress(s, false)
	now := progress.last
	progress.now = func() time.Time { return now }
	tick := func() {
		now = now.Add(time.Minute)
		progress.Set("1 of 3")
	}
	tick()
	over := s.Hold()
	s.Say("enter the PIN on the reader")
	tick()
	s.Say("first")
	over()
	over()
	inner, outer := s.Hold(), s.Hold()
	inner()
	tick()
	outer()
	s.Say("second")
	tick()
	p.waitLines("enter the PIN on the reader", "first", "second", "1 of 3")
}
