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
	text := strings.Repeat("0123456789", 3*piece/10+1)
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
