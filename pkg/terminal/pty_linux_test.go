package terminal

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// pty is a terminal that answers no control sequence, as a recorder or an
// expect script does not: master is the person's side, tty the program's.
type pty struct {
	t      *testing.T
	master *os.File
	tty    *os.File

	mu    sync.Mutex
	shown bytes.Buffer
	grew  chan struct{}
}

func newPTY(t *testing.T) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{t: t, master: master, grew: make(chan struct{}, 1)}
	p.tty = p.open(fmt.Sprintf("/dev/pts/%d", n))
	go p.watch()
	t.Cleanup(func() {
		p.tty.Close()
		p.master.Close()
	})
	return p
}

func (p *pty) open(name string) *os.File {
	p.t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

func (p *pty) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.shown.Write(buf[:n])
		p.mu.Unlock()
		select {
		case p.grew <- struct{}{}:
		default:
		}
	}
}

// screen is everything that the program has shown.
func (p *pty) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.NewReplacer("\r\r\n", "\n", "\r\n", "\n").Replace(p.shown.String())
}

// wait returns when the screen has the text.
func (p *pty) wait(text string) {
	p.t.Helper()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(p.screen(), text) {
		select {
		case <-p.grew:
		case <-deadline:
			p.t.Fatalf("waited for %q, the terminal shows %q", text, p.screen())
		}
	}
}

// waitScreen returns when the screen is what it should be.
func (p *pty) waitScreen(want string) {
	p.t.Helper()
	deadline := time.After(5 * time.Second)
	for p.screen() != want {
		select {
		case <-p.grew:
		case <-deadline:
			p.t.Errorf("the terminal shows\n%q, want\n%q", p.screen(), want)
			return
		}
	}
}

func (p *pty) typeKeys(keys string) {
	p.t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// modes is the terminal's state, to see that it is put back.
func (p *pty) modes() unix.Termios {
	p.t.Helper()
	m, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *m
}

// prompter asks on the pty as if it were the controlling terminal.
func (p *pty) prompter(change func(*Streams)) *prompter {
	s := &Streams{Err: p.tty, someone: true}
	if change != nil {
		change(s)
	}
	return &prompter{streams: s, open: func() (*os.File, *os.File, error) {
		f, err := os.OpenFile(p.tty.Name(), os.O_RDWR|unix.O_NOCTTY, 0)
		return f, f, err
	}}
}

func setModes(t *testing.T, p *pty, m unix.Termios) {
	t.Helper()
	if err := unix.IoctlSetTermios(int(p.tty.Fd()), unix.TCSETS, &m); err != nil {
		t.Fatal(err)
	}
}

// lines is what a terminal shows after all that was written to it: \r, \b and
// ESC [ K do there what they do.
func (p *pty) lines() []string {
	shown := []string{}
	line, at := []rune{}, 0
	text := p.screen()
	for text != "" {
		if rest, ok := strings.CutPrefix(text, "\x1b[K"); ok {
			line, text = line[:min(at, len(line))], rest
			continue
		}
		if strings.HasPrefix(text, "\x1b") {
			text = text[1+sequenceLen([]byte(text[1:])):]
			continue
		}
		c, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		switch {
		case c == '\n':
			shown = append(shown, string(line))
			line, at = nil, 0
		case c == '\r':
			at = 0
		case c == '\b':
			at--
		case at == len(line):
			line, at = append(line, c), at+1
		default:
			line[at], at = c, at+1
		}
	}
	return append(shown, string(line))
}

// waitLines returns when the terminal shows these lines.
func (p *pty) waitLines(want ...string) {
	p.t.Helper()
	deadline := time.After(10 * time.Second)
	for !slices.Equal(p.lines(), want) {
		select {
		case <-p.grew:
		case <-deadline:
			p.t.Fatalf("the terminal shows %q, want %q", p.lines(), want)
		}
	}
}
