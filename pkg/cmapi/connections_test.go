package cmapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// TestOneHandshake: a hundred calls, one after the other or all at once, make
// one handshake: a slow card signs once. HTTP/2 shares the connection. Where a
// gateway takes fewer streams than servers do as they come, there may be more
// connections, but nothing waits for ever.
func TestOneHandshake(t *testing.T) {
	for _, c := range []struct {
		name    string
		h2      bool
		streams int
		most    int64 // at once
	}{
		{"HTTP/1.1", false, 0, 1},
		{"HTTP/2.0", true, 40, maxCalls},
		{"HTTP/2.0", true, 10, maxCalls},
	} {
		t.Run(fmt.Sprintf("%s, %d streams", c.name, c.streams), func(t *testing.T) {
			var now, most atomic.Int64
			b := newBench(t, setup{h2: c.h2, server: func(s *http.Server, _ *tls.Config) {
				s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: c.streams}
			}}, func(w http.ResponseWriter, r *http.Request) {
				n := now.Add(1)
				defer now.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if r.Proto != c.name {
					t.Errorf("protocol %s", r.Proto)
				}
				time.Sleep(time.Millisecond)
				if r.Header.Get("Accept") != acceptJSON {
					answer(w, 200, MediaDER, "\x30\x00")
					return
				}
				okDetails(w, r)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for i := range 100 {
				if _, err := b.client.Certificates.Download(ctx, fmt.Sprint(i), MediaDER, 0); err != nil {
					t.Fatal(err)
				}
			}
			if n := b.handshakes.Load(); n != 1 {
				t.Errorf("100 downloads in a row: %d handshakes", n)
			}
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if _, err := b.client.Certificates.Details(ctx, "1"); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := b.handshakes.Load(); n != 1 && c.streams != 10 {
				t.Errorf("100 at once: %d handshakes", n)
			}
			if m := most.Load(); m > c.most || c.h2 && m < 2 {
				t.Errorf("%d at once", m)
			}
		})
	}
}

// TestWaitForASlot: a call that waits for others ends with its context, and
// its time does not run before it starts.
func TestWaitForASlot(t *testing.T) {
	b := newBench(t, setup{client: func(c *Config) { c.Timeout = 200 * time.Millisecond }}, okDetails)
	for range maxCalls {
		b.client.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(exit.New(exit.Hangup, "", "hangup"))
	if _, err := b.client.Certificates.Details(ctx, "1"); exit.Of(err) != exit.Hangup {
		t.Errorf("%v", err)
	}
	time.AfterFunc(300*time.Millisecond, func() { <-b.client.slots })
	if err := details(b.client); err != nil || len(b.requests()) != 1 {
		t.Errorf("%v, %d requests", err, len(b.requests()))
	}
}

// TestAnotherConnectionResumes: where a further connection is due, the session
// is resumed, which costs the officer's key no signature.
func TestAnotherConnectionResumes(t *testing.T) {
	var resumed []bool
	b := newBench(t, setup{}, func(w http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.TLS.DidResume)
		w.Header().Set("Connection", "close")
		okDetails(w, r)
	})
	for range 3 {
		if err := details(b.client); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "resumed", resumed, []bool{false, true, true})
}
