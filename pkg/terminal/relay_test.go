package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reader takes what is written when it is let.
type reader struct {
	let   chan struct{} // has one element while it is
	taken bytes.Buffer
}

func (r *reader) Write(p []byte) (int, error) {
	<-r.let
	defer func() { r.let <- struct{}{} }()
	return r.taken.Write(p)
}

func TestRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &reader{let: make(chan struct{}, 1)}
		out.let <- struct{}{}
		r := &relay{out: out}
		for i := range 3 { // taken at once: it is there when Write returns
			fmt.Fprintln(r, i)
			if got := out.taken.String(); !strings.HasSuffix(got, fmt.Sprintln(i)) {
				t.Fatalf("%q after %d", got, i)
			}
		}

		<-out.let // it stalls: the first write waits, the others do not, and nothing is lost
		start := time.Now()
		for i := range 100 {
			fmt.Fprintln(r, "kept", i)
		}
		if d := time.Since(start); d != relayPatience {
			t.Errorf("a hundred writes took %s", d)
		}
		long := strings.Repeat("drawn\n", relayKeeps/6)
		fmt.Fprint(r, long, "the last\n") // more than is kept
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		start = time.Now()
		if r.flush(ended); time.Since(start) != relayPatience {
			t.Errorf("given up after %s", time.Since(start))
		}

		out.let <- struct{}{}
		r.flush(t.Context())
		lines := strings.SplitAfter(out.taken.String(), "\n")
		if got := strings.Join(lines[:5], ""); !strings.HasPrefix(got, "0\n1\n2\nkept 0\nnote: ") || lines[5] != "drawn\n" || lines[len(lines)-2] != "the last\n" {
			t.Errorf("begins with %q, ends with %q", got, lines[len(lines)-2:])
		}
		var left, drawn int
		_, _ = fmt.Sscanf(lines[4], "note: %d bytes", &left)
		for _, l := range lines[5:] {
			drawn += len(l)
		}
		if all := 99*len("kept 00\n") - 9 + len(long) + len("the last\n"); left+drawn != all {
			t.Errorf("%d left out and %d taken of %d", left, drawn, all)
		}
		fmt.Fprintln(r, "again")
		if !strings.HasSuffix(out.taken.String(), "\nagain\n") {
			t.Error("it is not waited for any more")
		}
		r.flush(t.Context())
	})
}

func TestRelayClosed(t *testing.T) {
	in, out := io.Pipe()
	_ = in.CloseWithError(io.ErrClosedPipe)
	r := &relay{out: out}
	for range 2 {
		if n, err := r.Write([]byte("x")); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%d, %v", n, err)
		}
	}
	r.flush(t.Context())
}
