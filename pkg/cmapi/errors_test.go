package cmapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// TestCodes drives every code of the API through a call to the program's exit
// code. A new code needs a row here, in codeMeanings and in the help pages.
func TestCodes(t *testing.T) {
	call := map[int]exit.Code{
		CodeGeneral: exit.Failure, CodeMissingField: exit.Failure, CodeEncoding: exit.Failure, CodeNotInitialized: exit.Unavailable,
		CodeBadValue: exit.Failure, CodePrivilege: exit.Refused, CodeBadSignature: exit.Refused, CodeConnection: exit.Unavailable,
		CodeTooMany: exit.Unavailable, -99: exit.Failure, 42: exit.Failure,
	}
	item := map[int]exit.Code{
		ItemAlreadyRevoked: exit.WrongState, ItemAccessDenied: exit.Refused, ItemIncorrectPassword: exit.Failure, ItemFreeText: exit.Failure,
		ItemAlreadyOnHold: exit.WrongState, ItemMissing: exit.NotFound, ItemNotSigned: exit.Refused, ItemNotVisible: exit.Refused,
		ItemNotOnHold: exit.WrongState, ItemNoRevocation: exit.Failure, CodeGeneral: exit.Failure, 905: exit.Failure,
	}
	unhinted := map[int]bool{-99: true, 42: true, 905: true}
	var code int
	b := newBench(t, setup{}, func(w http.ResponseWriter, _ *http.Request) {
		if code > 0 && code != 42 {
			answer(w, 500, "application/json", fmt.Sprintf(`{"error":-1,"errors":[{"certid":"1","errorcode":%d,"errormessage":"in its words"}]}`, code))
			return
		}
		answer(w, 500, "application/json", fmt.Sprintf(`{"error":%d,"msg":"in its words"}`, code))
	})
	for c, want := range call {
		code = c
		err := b.client.Certificates.Revoke(t.Context(), []string{"1"}, pki.Superseded)
		var e *Error
		if !errors.As(err, &e) || e.Code != c || exit.Of(err) != want || e.Lost != (c == CodeConnection) {
			t.Errorf("%d: exit %d, want %d: %+v", c, exit.Of(err), want, e)
			continue
		}
		if text := err.Error(); !strings.Contains(text, fmt.Sprint(c)) || !strings.Contains(text, CodeText(c)) || !strings.Contains(text, "in its words") {
			t.Errorf("%d: %q names neither code nor meaning nor the gateway's words", c, text)
		}
		if (exit.HintOf(err) == "") != unhinted[c] {
			t.Errorf("%d: hint %q", c, exit.HintOf(err))
		}
		if want := "POST " + b.client.BaseURL() + "/certificates/revoke"; e.Request != want {
			t.Errorf("%d: request %q, want %q", c, e.Request, want)
		}
	}
	for c, want := range item {
		if code = c; c < 0 {
			continue
		}
		err := b.client.Certificates.Revoke(t.Context(), []string{"1"}, pki.Superseded)
		var e *Error
		if !errors.As(err, &e) || len(e.Items) != 1 {
			t.Errorf("%d: %v", c, err)
			continue
		}
		it := &e.Items[0]
		if it.ExitCode() != want || (it.Hint() == "") != unhinted[c] || !strings.Contains(it.Error(), fmt.Sprint(c)) || !strings.Contains(it.Error(), CodeText(c)) || !strings.Contains(it.Error(), "in its words") {
			t.Errorf("%d: exit %d, want %d: %q, hint %q", c, it.ExitCode(), want, it, it.Hint())
		}
	}
	for c, m := range codeMeanings {
		if _, inCall := call[c]; !inCall && c != CodeSignatureRequired {
			if _, inItem := item[c]; !inItem {
				t.Errorf("%d, %s, is in no test", c, m.text)
			}
		}
	}
}

func TestItemErrorText(t *testing.T) {
	for want, e := range map[string]ItemError{
		"certificate missing (907)":                             {Code: 907},
		"certificate missing (907): no such row":                {Code: 907, Message: "Certificate missing", ServerMessage: "no such row"},
		"code 999 (999): eh":                                    {Code: 999, Message: "eh"},
		"already revoked (901): for superseded: seen by the CA": {Code: 901, Message: "for superseded", ServerMessage: "seen by the CA"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// faults is what a call met, in a form that can be compared.
type faults struct {
	Fault string
	HTTP  int
	Exit  exit.Code
	Lost  bool
	Tries int
}

func met(t *testing.T, err error, tries int) faults {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("no *Error: %v", err)
	}
	if err.Error() == "" || exit.HintOf(err) == "" {
		t.Errorf("text %q, hint %q", err, exit.HintOf(err))
	}
	return faults{faultNames[e.Fault], e.HTTP, exit.Of(err), e.Lost, tries}
}

// TestBadAnswers: what is no answer of the API, for a read and for a write.
func TestBadAnswers(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := []byte(`{"error":0,"x":"` + strings.Repeat("x", 1<<16))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	short := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"error":0`))
		panic(http.ErrAbortHandler)
	}
	for _, c := range []struct {
		name        string
		answer      http.HandlerFunc
		read, write faults
	}{
		{"HTML 200", reply(200, "text/html", "<html>hi"), faults{"nonsense", 200, 7, false, 2}, faults{"nonsense", 200, 7, true, 1}},
		{"HTML 503", reply(503, "text/html", "<html>hi"), faults{"nonsense", 503, 7, false, 4}, faults{"nonsense", 503, 7, true, 1}},
		{"HTML 404", reply(404, "text/html", "<html>hi"), faults{"nonsense", 404, 7, false, 2}, faults{"nonsense", 404, 7, false, 1}},
		{"HTML 408", reply(408, "text/html", "<html>hi"), faults{"nonsense", 408, 7, false, 2}, faults{"nonsense", 408, 7, true, 1}},
		{"401", reply(401, "text/html", "<html>hi"), faults{"refused", 401, 4, false, 1}, faults{"refused", 401, 4, false, 1}},
		{"403", reply(403, "text/html", "<html>hi"), faults{"refused", 403, 4, false, 1}, faults{"refused", 403, 4, false, 1}},
		{"truncated JSON", replyJSON(200, `{"error":0,"cert`), faults{"nonsense", 200, 7, false, 2}, faults{"nonsense", 200, 7, true, 1}},
		{"garbage", replyJSON(200, "\x00\xff"), faults{"nonsense", 200, 7, false, 2}, faults{"nonsense", 200, 7, true, 1}},
		{"a list", replyJSON(200, `[1]`), faults{"nonsense", 200, 7, false, 2}, faults{"nonsense", 200, 7, true, 1}},
		{"endless", endless, faults{"nonsense", 200, 7, false, 2}, faults{"nonsense", 200, 7, true, 1}},
		{"broken off", short, faults{"unreachable", 0, 7, false, 4}, faults{"unreachable", 0, 7, true, 1}},
		{"cut", cut, faults{"unreachable", 0, 7, false, 4}, faults{"unreachable", 0, 7, true, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, h2 := range []bool{false, true} {
				b := newBench(t, setup{h2: h2, client: func(cfg *Config) { cfg.MaxAnswer = 1 << 20 }}, c.answer)
				err := details(b.client)
				same(t, fmt.Sprintf("read, HTTP/2 %t", h2), met(t, err, len(b.requests())), c.read)
				before := len(b.requests())
				err = reinstate(b.client)
				same(t, fmt.Sprintf("write, HTTP/2 %t", h2), met(t, err, len(b.requests())-before), c.write)
			}
		})
	}
}

// TestNoAnswer: a gateway that takes the request and says nothing. The time is
// made short only when the connection stands.
func TestNoAnswer(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		for kind, call := range map[string]func(*Client) error{"read": details, "write": reinstate} {
			b := newBench(t, setup{h2: h2}, inTurn(okDetails, func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			}))
			if err := details(b.client); err != nil {
				t.Fatal(err)
			}
			b.client.cfg.Timeout = 100 * time.Millisecond
			same(t, fmt.Sprintf("%s, HTTP/2 %t", kind, h2), met(t, call(b.client), len(b.waits)), faults{"timeout", 0, 7, kind == "write", 0})
		}
	}
}

// TestResetBeforeRequest: the connection is gone before anything was sent.
func TestResetBeforeRequest(t *testing.T) {
	b := newBench(t, setup{}, okDetails)
	for name, serve := range map[string]func(net.Conn){
		"closed at once": func(net.Conn) {},
		"reset at once":  func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) },
		"closed in the handshake": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := listen(t, serve)
			c := b.connect(t, func(c *Config) { c.BaseURL = url })
			same(t, "write", met(t, reinstate(c), 0), faults{"unreachable", 0, 7, false, 0})
		})
	}
}

func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "https://" + l.Addr().String()
	_ = l.Close()
	b := newBench(t, setup{}, okDetails)
	c := b.connect(t, func(c *Config) { c.BaseURL = url })
	for kind, call := range map[string]func(*Client) error{"read": details, "write": reinstate} {
		same(t, kind, met(t, call(c), 0), faults{"unreachable", 0, 7, false, 0})
	}
	if len(b.waits) != 0 {
		t.Errorf("a gateway that is not there was tried again: %v", b.waits)
	}
	c = b.connect(t, func(c *Config) { c.BaseURL = "https://" + strings.Repeat("x", 64) + ".example" }) // no name server is asked for such a label
	err = reinstate(c)
	same(t, "unknown host", met(t, err, 0), faults{"unreachable", 0, 7, false, 0})
	if hint := exit.HintOf(err); !strings.Contains(hint, "host name") {
		t.Errorf("hint %q", hint)
	}
}

// TestRedirect: never for a write; for a read on the same host only.
func TestRedirect(t *testing.T) {
	elsewhere := 0
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere++
		okDetails(w, r)
	}))
	t.Cleanup(other.Close)
	var to string
	var status int
	b := newBench(t, setup{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			okDetails(w, r)
			return
		}
		if to != "" {
			w.Header().Set("Location", to)
		}
		w.WriteHeader(status)
	})
	for _, c := range []struct {
		name, to    string
		read, write faults
		reads       int
	}{
		{"same host", "/moved?session=s3cret", faults{}, faults{"redirect", 0, 7, false, 1}, 2},
		{"another host", other.URL + "/moved?session=s3cret", faults{"redirect", 0, 7, false, 1}, faults{"redirect", 0, 7, false, 1}, 1},
		{"plain http", strings.Replace(b.server.URL, "https", "http", 1) + "/moved?session=s3cret", faults{"redirect", 0, 7, false, 1}, faults{"redirect", 0, 7, false, 1}, 1},
		{"a circle", "?session=s3cret", faults{"redirect", 0, 7, false, 5}, faults{"redirect", 0, 7, false, 1}, 5},
	} {
		for _, status = range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprintf("%s, %d", c.name, status), func(t *testing.T) {
				to = c.to
				before := len(b.requests())
				err := details(b.client)
				reads := len(b.requests()) - before
				if c.read == (faults{}) {
					if err != nil {
						t.Errorf("read: %v", err)
					}
				} else {
					same(t, "read", met(t, err, reads), c.read)
				}
				if reads != c.reads {
					t.Errorf("%d requests of the read, want %d", reads, c.reads)
				}
				for _, r := range b.requests()[before:] {
					if r.Accept != acceptJSON {
						t.Errorf("followed without its Accept: %+v", r)
					}
				}
				before = len(b.requests())
				werr := reinstate(b.client)
				same(t, "write", met(t, werr, len(b.requests())-before), c.write)
				if text := fmt.Sprint(err, werr); strings.Contains(text, "s3cret") {
					t.Errorf("the query of the new place is shown: %s", text)
				}
			})
		}
	}
	if elsewhere != 0 {
		t.Error("the other host was asked")
	}
	to, status = "", 302
	same(t, "a redirect to nowhere", met(t, reinstate(b.client), 1), faults{"redirect", 302, 7, false, 1})
}

// TestEnded: a call whose context ended, by a signal for one, ends as the cause
// says; a write that was sent stays lost.
func TestEnded(t *testing.T) {
	signal := exit.New(exit.Interrupted, "", "interrupted")
	ctx, cancel := context.WithCancelCause(context.Background())
	b := newBench(t, setup{}, func(_ http.ResponseWriter, r *http.Request) {
		cancel(signal)
		<-r.Context().Done()
	})
	_, err := b.client.Certificates.Details(ctx, "1")
	if exit.Of(err) != exit.Interrupted || err.Error() != "interrupted" {
		t.Errorf("read: exit %d: %v", exit.Of(err), err)
	}
	ctx, cancel = context.WithCancelCause(context.Background())
	defer cancel(nil)
	var e *Error
	if err := b.client.Certificates.Reinstate(ctx, []string{"1"}); exit.Of(err) != exit.Interrupted || !errors.As(err, &e) || !e.Lost {
		t.Errorf("write: exit %d, %+v", exit.Of(err), err)
	}
	if err := b.client.Certificates.Reinstate(ctx, []string{"1"}); exit.Of(err) != exit.Interrupted || !errors.As(err, &e) || e.Lost {
		t.Errorf("a write after the end: exit %d, %+v", exit.Of(err), err)
	}
	if n := len(b.requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
	late, stop := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer stop()
	if _, err := b.client.Certificates.Details(late, "1"); !errors.As(err, &e) || e.Fault != FaultTimeout || exit.Of(err) != exit.Unavailable {
		t.Errorf("past the deadline: %v", err)
	}
}
