package terminal

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
)

// linear stands between survey and the terminal. survey asks the terminal
// where the cursor is (ESC [ 6 n) and waits for an answer that a recorder, an
// expect script, a serial line or a dumb terminal never gives; and it moves
// about to redraw lines, wrongly once a question wraps. linear answers in the
// terminal's place and lets only through what works line by line: text,
// colours, editing within the answer.
type linear struct {
	in, out *os.File
	color   bool
	dumb    bool

	answers bytes.Buffer // what survey is to read before the keyboard

	mu     sync.Mutex // a question that is given up may still be drawing
	ended  bool       // the question is over
	corner bool       // the cursor was sent to the far corner, to learn the size
	save   int        // what has become of ESC 7: see translate
	open   bool       // something stands on the line
}

// A saved cursor is only passed on once it is clear that it is for editing, not
// for the way to the far corner and back.
const (
	unsaved = iota
	savePending
	saved
)

// The terminal that survey is told about is so wide that no answer reaches its
// edges.
const (
	size  = "\x1b[999;9999R"
	place = "\x1b[1;500R"
)

type linearReader struct{ *linear }

type linearWriter struct{ *linear }

func (l *linear) reader() linearReader { return linearReader{l} }
func (l *linear) writer() linearWriter { return linearWriter{l} }

// Fd is the terminal's, for its modes. When the question is over they are no
// longer survey's to change, and it is the number of no file.
func (r linearReader) Fd() uintptr {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return ^uintptr(0)
	}
	return r.in.Fd()
}

// Fd is the terminal's, for its size.
func (w linearWriter) Fd() uintptr { return w.out.Fd() }

// Read gives the terminal's answers first.
func (r linearReader) Read(p []byte) (int, error) {
	if r.answers.Len() > 0 {
		return r.answers.Read(p)
	}
	return r.in.Read(p)
}

// Write lets text through and translates sequences. survey writes each of them
// whole.
func (w linearWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return 0, os.ErrClosed
	}
	var b strings.Builder
	for rest := p; len(rest) > 0; {
		before, after, found := bytes.Cut(rest, []byte{0x1b})
		if n := len(before); n > 0 {
			b.WriteString(w.saveNow())
			b.Write(bytes.ReplaceAll(before, []byte("\n"), []byte("\r\n"))) // the mode is raw
			w.open = before[n-1] != '\n'
		}
		if !found {
			break
		}
		n := sequenceLen(after)
		b.WriteString(w.translate(string(after[:n])))
		rest = after[n:]
	}
	if _, err := io.WriteString(w.out, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// end finishes the line of the answer; survey can do nothing after it.
func (l *linear) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.open {
		io.WriteString(l.out, "\r\n") //nolint:errcheck // decoration
	}
}

// saveNow passes a pending ESC 7 on.
func (l *linear) saveNow() string {
	if l.save != savePending {
		return ""
	}
	l.save = saved
	if l.dumb {
		return ""
	}
	return "\x1b7"
}

// sequenceLen is the length of the sequence that follows an ESC: one
// character, or [ with parameters up to a letter.
func sequenceLen(s []byte) int {
	if len(s) == 0 || s[0] != '[' {
		return min(1, len(s))
	}
	for i := 1; i < len(s); i++ {
		if s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
	}
	return len(s)
}

// translate gives what goes to the terminal for a sequence without its ESC.
func (l *linear) translate(seq string) string {
	if seq == "" {
		return ""
	}
	parameters, final := strings.TrimPrefix(seq[:len(seq)-1], "["), seq[len(seq)-1]
	pass := "\x1b" + seq
	if l.dumb {
		pass = ""
	}
	switch {
	case final == 'f': // to the far corner
		l.corner, l.save = true, unsaved
	case seq == "7":
		l.save = savePending
	case seq == "8":
		if l.save == saved {
			l.save = unsaved
			return pass
		}
	case seq == "[6n":
		answer := place
		if l.corner {
			answer = size
		}
		l.corner = false
		l.answers.WriteString(answer)
	case final == 'm':
		if l.color {
			return pass
		}
	case final == 'K' && parameters == "2": // redraw the line: begin a new one
		if l.open {
			l.open = false
			return "\r\n"
		}
	case final == 'K':
		if l.dumb {
			return " \b"
		}
		return l.saveNow() + pass
	case final == 'D':
		return l.saveNow() + "\b"
	case final == 'C':
		return l.saveNow() + pass
	}
	return ""
}
