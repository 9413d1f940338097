package cmdutil

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestPatientWriterGivesUp(t *testing.T) {
	r, out := io.Pipe() // nobody reads
	defer func() { _ = r.Close() }()
	w := newPatientWriter(out)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = w.Write([]byte("x"))
	}()
	cancel()
	if err := w.wait(ctx, ended); !errors.Is(err, errUnread) {
		t.Fatalf("wait says %v, want %v", err, errUnread)
	}
}

func TestPatientWriterWritesAll(t *testing.T) {
	var b bytes.Buffer
	w := newPatientWriter(&b)
	text := strings.Repeat("0123456789", 1300)
	if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("Write: %d, %v; want %d", n, err, len(text))
	}
	if b.String() != text {
		t.Error("what came is not what was written")
	}
	r, out := io.Pipe()
	_ = r.Close()
	if n, err := newPatientWriter(out).Write([]byte(text)); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write to a closed pipe: %d, %v", n, err)
	}
}

// No write ends in the middle of a line that fits into one.
func TestPatientWriterWritesLines(t *testing.T) {
	text := strings.Repeat(strings.Repeat("x", 99)+"\n", 200) + strings.Repeat("y", 5000) + "\n" + "z"
	var got strings.Builder
	torn := 0
	out := writerFunc(func(p []byte) (int, error) {
		if got.Write(p); !bytes.HasSuffix(p, []byte("\n")) {
			torn++
		}
		return len(p), nil
	})
	if n, err := newPatientWriter(out).Write([]byte(text)); n != len(text) || err != nil || got.String() != text {
		t.Errorf("%d of %d, %v", n, len(text), err)
	}
	if torn != 2 { // the line that is too long, and the last
		t.Errorf("%d writes end within a line", torn)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
