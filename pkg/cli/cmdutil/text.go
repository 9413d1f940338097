package cmdutil

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// textReader reads UTF-8 text from its first line that is neither blank nor a
// comment. A byte order mark is taken off, what is no text refused.
type textReader struct {
	*bufio.Reader
	name    string
	skipped int // lines before the first
}

const textBuffer = 64 << 10

// openText goes to the first line. name is for messages.
func openText(name string, in io.Reader) (*textReader, error) {
	b := bufio.NewReaderSize(in, textBuffer)
	if head, _ := b.Peek(3); string(head) == "\xef\xbb\xbf" {
		_, _ = b.Discard(3)
	}
	t := &textReader{Reader: bufio.NewReaderSize(&noZeros{in: b, name: name}, textBuffer), name: name}
	for {
		line, ended, err := t.peekLine()
		if err != nil || ended && len(line) == 0 {
			return t, err
		}
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' && !isSeparator(text) {
			return t, nil
		}
		if err := t.skipLine(); err != nil {
			return t, err
		}
	}
}

// isSeparator tells the line sep=; that spreadsheets take for a word on what
// parts the columns below: the header shows it as well.
func isSeparator(line []byte) bool {
	return len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep="))
}

// peekLine is the line that comes, or as much of it as the buffer holds.
func (t *textReader) peekLine() (line []byte, ended bool, err error) {
	for want := 256; ; want = min(4*want, textBuffer) {
		head, err := t.Peek(want)
		if i := bytes.IndexByte(head, '\n'); i >= 0 {
			return head[:i], false, nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return head, true, nil
		case err != nil:
			return nil, false, t.wrap(err)
		case want == textBuffer:
			return head, false, nil
		}
	}
}

func (t *textReader) skipLine() error {
	for {
		_, err := t.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil:
			t.skipped++
			return nil
		case errors.Is(err, io.EOF):
			return nil
		}
		return t.wrap(err)
	}
}

// firstLine is the line that comes, without blanks around it; "" at the end.
func (t *textReader) firstLine() string {
	line, _, _ := t.peekLine()
	return strings.TrimSpace(string(line))
}

// lines calls fn for each line but blank ones and comments, without blanks
// around it; the line is good until fn returns.
func (t *textReader) lines(fn func(n int, line []byte) error) error {
	sc := bufio.NewScanner(t)
	sc.Buffer(make([]byte, textBuffer), maxLine)
	n := t.skipped
	for sc.Scan() {
		n++
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := fn(n, line); err != nil {
			return err
		}
	}
	if errors.Is(sc.Err(), bufio.ErrTooLong) {
		return exit.Usagef("", "%sthe line is longer than %d MiB", place(t.name, n+1), maxLine>>20)
	}
	return t.wrap(sc.Err())
}

// contains reads to the end, or to where s is.
func (t *textReader) contains(s string) (bool, error) {
	for {
		chunk, err := t.Peek(textBuffer)
		switch {
		case bytes.Contains(chunk, []byte(s)):
			return true, nil
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, t.wrap(err)
		}
		_, _ = t.Discard(len(chunk) - len(s) + 1)
	}
}

// wrap puts the name in front of what the file cannot be read for.
func (t *textReader) wrap(err error) error {
	var known *exit.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return exit.Usagef("", "%s: %w", t.name, err)
}

// noZeros refuses what is no text. What it cannot read it says again whenever it
// is asked: a bufio.Reader forgets the error that came with what it looked ahead
// at, and what stands behind it would pass for the end.
type noZeros struct {
	in   io.Reader
	name string
	at   int
	err  error
}

func (z *noZeros) Read(p []byte) (int, error) {
	if z.err != nil {
		return 0, z.err
	}
	n, err := z.in.Read(p)
	if i := bytes.IndexByte(p[:n], 0); i >= 0 {
		hint, guess := "save it as UTF-8 text", ""
		switch at := z.at + i; {
		case z.at == 0 && bytes.HasPrefix(p[:n], []byte("\x1f\x8b")):
			hint = "it is compressed: unpack it first, such as by zcat"
		case at < 4:
			guess = " (UTF-16?)"
		}
		n, err = i, exit.Usagef(hint, "%s: this is no text: byte 0 at offset %d%s", z.name, z.at+i, guess)
	}
	z.at += n
	z.err = err
	return n, err
}
