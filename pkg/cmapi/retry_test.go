package cmapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

var (
	busy   = replyJSON(500, `{"error":-40,"msg":"too many"}`)
	sign   = replyJSON(200, `{"error":-19,"dataToSign":"AAEC"}`)
	done   = replyJSON(200, `{"error":0,"msg":"done"}`)
	html   = func(status int) http.HandlerFunc { return reply(status, "text/html", "<html>") }
	failed = func(code int) http.HandlerFunc { return replyJSON(500, fmt.Sprintf(`{"error":%d}`, code)) }
)

// TestReadsAreRetried: by the rules, and no more often.
func TestReadsAreRetried(t *testing.T) {
	for _, c := range []struct {
		name  string
		turns []http.HandlerFunc
		tries int
		code  exit.Code
	}{
		{"at once", []http.HandlerFunc{okDetails}, 1, 0},
		{"cut, then fine", []http.HandlerFunc{cut, cut, cut, okDetails}, 4, 0},
		{"cut for ever", []http.HandlerFunc{cut}, 4, exit.Unavailable},
		{"503, then fine", []http.HandlerFunc{html(503), html(502), html(504), okDetails}, 4, 0},
		{"429", []http.HandlerFunc{html(429), html(429), okDetails}, 3, 0},
		{"nonsense once", []http.HandlerFunc{replyJSON(200, `{"err`), okDetails}, 2, 0},
		{"nonsense twice", []http.HandlerFunc{html(200), html(200), okDetails}, 2, exit.Unavailable},
		{"nonsense, then 503", []http.HandlerFunc{html(200), html(503), okDetails}, 3, 0},
		{"-18, then fine", []http.HandlerFunc{failed(CodeConnection), okDetails}, 2, 0},
		{"-12, then fine", []http.HandlerFunc{failed(CodeNotInitialized), okDetails}, 2, 0},
		{"-12 for ever", []http.HandlerFunc{failed(CodeNotInitialized)}, 4, exit.Unavailable},
		{"-40 longer than others", []http.HandlerFunc{busy, busy, busy, busy, busy, busy, okDetails}, 7, 0},
		{"-40 for ever", []http.HandlerFunc{busy}, 12, exit.Unavailable},
		{"-14 is an answer", []http.HandlerFunc{failed(CodeBadValue), okDetails}, 1, exit.NotFound},
		{"-1 is an answer, whatever the status", []http.HandlerFunc{failed(CodeGeneral), okDetails}, 1, exit.Failure},
		{"-15 is an answer", []http.HandlerFunc{failed(CodePrivilege), okDetails}, 1, exit.Refused},
		{"403 is an answer", []http.HandlerFunc{html(403), okDetails}, 1, exit.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, setup{}, inTurn(c.turns...))
			err := details(b.client)
			if n := len(b.requests()); n != c.tries || exit.Of(err) != c.code {
				t.Errorf("%d tries, want %d; exit %d, want %d: %v", n, c.tries, exit.Of(err), c.code, err)
			}
			if len(b.waits) != c.tries-1 || len(b.notices) != c.tries-1 {
				t.Errorf("%d waits, %d notices for %d tries", len(b.waits), len(b.notices), c.tries)
			}
			for i, d := range b.waits {
				if d < 50*time.Millisecond || d > 100*time.Millisecond<<(i+1) {
					t.Errorf("wait %d is %s", i, d)
				}
			}
		})
	}
}

// TestWritesAreNotRetried: never after a lost answer, nor after any other but
// -40, which says that nothing was carried out; then with the same bytes.
func TestWritesAreNotRetried(t *testing.T) {
	for _, c := range []struct {
		name     string
		turns    []http.HandlerFunc
		unsigned int // requests without a signature
		signed   int
		code     exit.Code
		lost     bool
	}{
		{"signed and done", []http.HandlerFunc{sign, done}, 1, 1, 0, false},
		{"done at once", []http.HandlerFunc{done}, 1, 0, 0, false},
		{"first answer lost", []http.HandlerFunc{cut, sign, done}, 1, 0, exit.Unavailable, true},
		{"second answer lost", []http.HandlerFunc{sign, cut, done}, 1, 1, exit.Unavailable, true},
		{"second answer a page", []http.HandlerFunc{sign, html(502), done}, 1, 1, exit.Unavailable, true},
		{"second answer nonsense", []http.HandlerFunc{sign, replyJSON(200, "{"), done}, 1, 1, exit.Unavailable, true},
		{"-18 may have done it", []http.HandlerFunc{sign, failed(CodeConnection), done}, 1, 1, exit.Unavailable, true},
		{"-12 has not", []http.HandlerFunc{sign, failed(CodeNotInitialized), done}, 1, 1, exit.Unavailable, false},
		{"-1", []http.HandlerFunc{sign, failed(CodeGeneral), done}, 1, 1, exit.Failure, false},
		{"-17", []http.HandlerFunc{sign, failed(CodeBadSignature), done}, 1, 1, exit.Refused, false},
		{"asked to sign twice", []http.HandlerFunc{sign, sign, done}, 1, 1, exit.Refused, false},
		{"busy before", []http.HandlerFunc{busy, busy, sign, done}, 3, 1, 0, false},
		{"busy after", []http.HandlerFunc{sign, busy, busy, busy, done}, 1, 4, 0, false},
		{"busy for ever", []http.HandlerFunc{sign, busy}, 1, 12, exit.Unavailable, false},
		{"busy, then lost", []http.HandlerFunc{sign, busy, cut, done}, 1, 2, exit.Unavailable, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, setup{}, inTurn(c.turns...))
			err := reinstate(b.client)
			var e *Error
			if errors.As(err, &e); exit.Of(err) != c.code || e != nil && e.Lost != c.lost {
				t.Errorf("exit %d, want %d: %+v", exit.Of(err), c.code, err)
			}
			var unsigned, signed []request
			for _, r := range b.requests() {
				if strings.Contains(r.Body, "signature=") {
					signed = append(signed, r)
				} else {
					unsigned = append(unsigned, r)
				}
			}
			if len(unsigned) != c.unsigned || len(signed) != c.signed {
				t.Errorf("%d unsigned and %d signed, want %d and %d", len(unsigned), len(signed), c.unsigned, c.signed)
			}
			for _, rs := range [][]request{unsigned, signed} {
				for _, r := range rs[min(1, len(rs)):] {
					same(t, "sent again", r, rs[0])
				}
			}
			if want := min(1, c.signed); len(b.signed) != want {
				t.Errorf("the key signed %d times, want %d", len(b.signed), want)
			}
		})
	}
}

// TestWaits: no call waits longer than the ceiling in all, and Retry-After is
// heard within it.
func TestWaits(t *testing.T) {
	after := func(v string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", v)
			busy(w, r)
		}
	}
	t.Run("Retry-After in seconds", func(t *testing.T) {
		b := newBench(t, setup{}, inTurn(after("7"), okDetails))
		if err := details(b.client); err != nil || len(b.waits) != 1 || b.waits[0] != 7*time.Second {
			t.Errorf("%v, waited %v", err, b.waits)
		}
	})
	t.Run("Retry-After as a date", func(t *testing.T) {
		b := newBench(t, setup{}, inTurn(after(time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)), okDetails))
		if err := details(b.client); err != nil || len(b.waits) != 1 || b.waits[0] < 15*time.Second || b.waits[0] > 20*time.Second {
			t.Errorf("%v, waited %v", err, b.waits)
		}
	})
	t.Run("503 with Retry-After", func(t *testing.T) {
		b := newBench(t, setup{}, inTurn(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "3")
			html(503)(w, r)
		}, okDetails))
		if err := details(b.client); err != nil || len(b.waits) != 1 || b.waits[0] != 3*time.Second {
			t.Errorf("%v, waited %v", err, b.waits)
		}
	})
	for _, v := range []string{"-5", "0", "soon", "", "Mon, 02 Jan 2006 15:04:05 GMT"} {
		b := newBench(t, setup{}, inTurn(after(v), okDetails))
		if err := details(b.client); err != nil || len(b.waits) != 1 || b.waits[0] > 200*time.Millisecond {
			t.Errorf("Retry-After %q: %v, waited %v", v, err, b.waits)
		}
	}
	for name, h := range map[string]http.HandlerFunc{"an hour": after("3600"), "25 s each": after("25"), "none": busy} {
		b := newBench(t, setup{}, h)
		err := details(b.client)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeTooMany || b.waited() > maxWait {
			t.Errorf("%s: waited %v in all %s: %v", name, b.waits, b.waited(), err)
		}
		if want := map[string]int{"an hour": 1, "25 s each": 3, "none": maxBusyTries - 1}[name]; len(b.waits) != want || name != "none" && b.waited() != maxWait {
			t.Errorf("%s: waited %v, want %d waits up to %s", name, b.waits, want, maxWait)
		}
	}
}

// TestWaitEnds: a signal during a wait ends it as the signal says, and nothing
// is sent any more.
func TestWaitEnds(t *testing.T) {
	signal := exit.New(exit.Terminated, "", "terminated")
	for kind, call := range map[string]func(context.Context, *Client) error{
		"read":  func(ctx context.Context, c *Client) error { _, err := c.Procedures.List(ctx); return err },
		"write": func(ctx context.Context, c *Client) error { return c.Certificates.Reinstate(ctx, []string{"1"}) },
	} {
		b := newBench(t, setup{}, busy)
		ctx, cancel := context.WithCancelCause(t.Context())
		b.client.wait = func(ctx context.Context, _ time.Duration) error {
			time.AfterFunc(5*time.Millisecond, func() { cancel(signal) })
			return sleep(ctx, time.Hour) // the real one
		}
		err := call(ctx, b.client)
		var e *Error
		if exit.Of(err) != exit.Terminated || !errors.As(err, &e) || e.Lost {
			t.Errorf("%s: exit %d: %+v", kind, exit.Of(err), err)
		}
		if n := len(b.requests()); n > 1 {
			t.Errorf("%s: %d requests", kind, n)
		}
	}
}

// TestDrain: the answer to what was sent is waited for although the context
// has ended; after -40 nothing is sent again, for then nothing is under way.
func TestDrain(t *testing.T) {
	signal := exit.New(exit.Hangup, "", "hangup")
	for _, c := range []struct {
		name  string
		turns []http.HandlerFunc // the second ends the context
		code  exit.Code
		sends int
	}{
		{"done", []http.HandlerFunc{sign, done}, exit.OK, 2},
		{"busy", []http.HandlerFunc{sign, busy, done}, exit.Hangup, 2},
		{"lost", []http.HandlerFunc{sign, cut}, exit.Unavailable, 2},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		turns := append([]http.HandlerFunc(nil), c.turns...)
		turns[1] = func(w http.ResponseWriter, r *http.Request) {
			cancel(signal)
			c.turns[1](w, r)
		}
		b := newBench(t, setup{}, inTurn(turns...))
		err := b.client.Certificates.Reinstate(Drain(ctx), []string{"1"})
		var e *Error
		if errors.As(err, &e); exit.Of(err) != c.code || len(b.requests()) != c.sends || e != nil && e.Lost != (c.name == "lost") {
			t.Errorf("%s: exit %d, %d sends: %+v", c.name, exit.Of(err), len(b.requests()), err)
		}
	}
}
