package sandbox

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/fault"
)

func TestFaultsInPlaceOfAnAnswer(t *testing.T) {
	for _, c := range []struct {
		what   string
		status int
		kind   string
		code   int // 999: no JSON object
		logged int // error in the log
	}{
		{"http503", 503, "text/plain; charset=utf-8", 999, 0},
		{"html", 200, "text/html; charset=utf-8", 999, 0},
		{"busy", 500, jsonType, codeTooMany, codeTooMany},
		{"truncate", 200, jsonType, 999, 0},
		{"garbage", 200, jsonType, 999, 0},
	} {
		r := newRig(t, Options{Faults: faults(t, "listProcedures:before:"+c.what+":nth=1")})
		a := r.get("/procedures")
		if a.status != c.status || a.header.Get("Content-Type") != c.kind || a.code() != c.code || len(a.body) == 0 {
			t.Errorf("%s: %d %v %q", c.what, a.status, a.header, a.body)
		}
		if rec := r.last(); rec.HTTP != c.status || rec.Error != c.logged {
			t.Errorf("%s: logged as %+v", c.what, rec)
		}
		whole := r.get("/procedures")
		if whole.code() != codeOK {
			t.Errorf("%s: the second call: %s", c.what, whole.body)
		}
		if c.what == "truncate" && !bytes.Equal(a.body, whole.body[:len(whole.body)/2]) {
			t.Errorf("not the first half: %q", a.body)
		}
		if c.what == "http503" && a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}

// isReset tells a reset from an orderly end.
func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

func TestReset(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		r := newRig(t, Options{Faults: faults(t, "listProcedures:before:reset:nth=2")})
		tr := &http.Transport{TLSClientConfig: r.tlsConfig("officer"), ForceAttemptHTTP2: h2}
		client := &http.Client{Transport: tr}
		defer tr.CloseIdleConnections()
		// POST is not tried again by net/http; GET over a connection used before would be.
		get := func() (*http.Response, error) {
			req := r.request("GET", "/procedures", "", "")
			req.Close = !h2
			return client.Do(req)
		}
		resp, err := get()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if (resp.ProtoMajor == 2) != h2 {
			t.Fatalf("HTTP/2 %v: got %s", h2, resp.Proto)
		}
		if resp, err = get(); err == nil {
			resp.Body.Close()
		}
		if !isReset(err) {
			t.Errorf("HTTP/2 %v: %v, want a reset", h2, err)
		}
		all := r.requests()
		if len(all) != 2 || all[1].HTTP != 0 || all[1].OperationID != "listProcedures" {
			t.Errorf("HTTP/2 %v: logged as %+v", h2, all)
		}
		if resp, err = get(); err != nil {
			t.Fatalf("the next call: %v", err)
		}
		resp.Body.Close()
	}
}

// after: the write is carried out, and its answer lost or broken.
func TestFaultAfterAWrite(t *testing.T) {
	for _, what := range []string{"reset", "http503", "html", "busy", "truncate", "garbage"} {
		r := newRig(t, Options{Faults: faults(t, "revokeCertificate:after:"+what+":nth=2")})
		first, second := r.issue("First"), r.issue("Second")
		if a := r.write(revoke, "certid", first, "reason", "6"); a.code() != codeOK {
			t.Errorf("%s: the first: %s", what, a.body)
		}
		// A refused one is not counted.
		if a := r.write(revoke, "certid", first, "reason", "6"); a.itemCodes() != first+"=906" {
			t.Errorf("%s: refused: %s", what, a.body)
		}
		sig := r.cms("officer", r.toSign(revoke, "certid", second, "reason", "1"))
		a, err := r.send("officer", r.request("POST", revoke, urlencoded, encode("certid", second, "reason", "1", "signature", sig)))
		if lost := err != nil; lost != (what == "reset") || !lost && a.code() == codeOK {
			t.Errorf("%s: %d %s, %v", what, a.status, a.body, err)
		}
		rec := r.last()
		if len(rec.Changed) != 1 || rec.Changed[0] != second || (rec.HTTP == 0) != (what == "reset") {
			t.Errorf("%s: logged as %+v", what, rec)
		}
		if got := r.state(second); got != "revoked 1" {
			t.Errorf("%s: state %q", what, got)
		}
	}
}

// before: nothing is carried out, and the same signature is good afterwards.
func TestFaultBeforeAWrite(t *testing.T) {
	for _, what := range []string{"reset", "http503", "html", "busy", "truncate", "garbage"} {
		r := newRig(t, Options{Faults: faults(t, "revokeCertificate:before:"+what+":first=1:signed")})
		id := r.issue("Before")
		body := encode("certid", id, "reason", "1", "signature", r.cms("officer", r.toSign(revoke, "certid", id, "reason", "1")))
		if a, err := r.send("officer", r.request("POST", revoke, urlencoded, body)); err == nil && a.code() == codeOK {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		if got := r.state(id); got != "active" {
			t.Errorf("%s: state %q", what, got)
		}
		if a := r.must("officer", r.request("POST", revoke, urlencoded, body)); a.code() != codeOK {
			t.Errorf("%s: again: %s", what, a.body)
		}
	}
}

func TestMaxParams(t *testing.T) {
	r := newRig(t, Options{Signing: SigningVRO, Faults: faults(t, "revokeCertificate:before:maxparams=3")})
	var ids []string
	pairs := []string{"reason", "1"}
	for range 4 {
		id := r.issue2(t, string(r.openssl(r.newRequest("/CN=Max"), "req", "-inform", "DER")))
		ids = append(ids, id)
		pairs = append(pairs, "certid", id)
	}
	if a := r.post(revoke, pairs...); a.code() != codeOK {
		t.Errorf("%s", a.body)
	}
	for i, id := range ids {
		want := "active"
		if i < 2 {
			want = "revoked 1"
		}
		if got := r.state(id); got != want {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
}

func TestSlowAndLatency(t *testing.T) {
	r := newRig(t, Options{Latency: 20 * time.Millisecond, Faults: faults(t, "listProcedures:before:slow=50ms:nth=1")})
	took := func() time.Duration {
		start := time.Now()
		r.get("/procedures")
		return time.Since(start)
	}
	// Only lower bounds: how slow a machine may be is nobody's promise.
	if d := took(); d < 70*time.Millisecond {
		t.Errorf("slow and latency took %v", d)
	}
	if d := took(); d < 20*time.Millisecond {
		t.Errorf("latency took %v", d)
	}
}

// A write that was begun is carried out though the caller has hung up.
func TestSlowWriteIsCarriedOutWithoutItsCaller(t *testing.T) {
	r := newRig(t, Options{Signing: SigningVRO, Faults: faults(t, "revokeCertificate:before:slow=300ms")})
	id := r.issue2(t, string(r.openssl(r.newRequest("/CN=Slow"), "req", "-inform", "DER")))
	tr := &http.Transport{TLSClientConfig: r.tlsConfig("officer")}
	hasty := &http.Client{Transport: tr, Timeout: 150 * time.Millisecond}
	if resp, err := hasty.Do(r.request("POST", revoke, urlencoded, encode("certid", id, "reason", "1"))); err == nil {
		resp.Body.Close()
		t.Error("an answer within the timeout")
	}
	for deadline := time.Now().Add(10 * time.Second); r.state(id) != "revoked 1"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was never carried out")
		}
	}
}

func TestRate(t *testing.T) {
	r := newRig(t, Options{Rate: 3})
	busy := 0
	for range 12 {
		if a := r.get("/procedures"); a.code() == codeTooMany {
			busy++
		} else if a.code() != codeOK {
			t.Errorf("%s", a.body)
		}
	}
	if busy == 0 {
		t.Error("twelve calls at once, and none was too many")
	}
}

func TestLimiter(t *testing.T) {
	allowed := func(l *limiter) (n int) {
		for range 9 {
			if l.allow() {
				n++
			}
		}
		return n
	}
	l := newLimiter(2)
	if n := allowed(l); n != 2 {
		t.Errorf("two a second are %d at once", n)
	}
	l.last = l.last.Add(-time.Hour)
	if n := allowed(l); n != 2 {
		t.Errorf("an hour later it is %d", n)
	}
	if n := allowed(newLimiter(0)); n != 9 {
		t.Errorf("without a limit it is %d of 9", n)
	}
}

// A middleware sees every call with an operation: its request, its answer, and
// whether a fault had a hand in it.
func TestMiddleware(t *testing.T) {
	type seen struct {
		op, body string
		status   int
		fault    string
		alters   bool
	}
	var mu sync.Mutex
	var all []seen
	mw := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(in))
			rec := &recorder{ResponseWriter: w}
			next.ServeHTTP(rec, r)
			s := seen{op: OperationFromContext(r.Context()), body: string(in), status: rec.status}
			if f, ok := FaultFromContext(r.Context()); ok {
				s.fault, s.alters = f.String(), f.AltersAnswer()
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, s)
		})
	}
	r := newRig(t, Options{Middleware: mw, Faults: faults(t, "listProcedures:before:html:nth=2", "listProcedures:before:reset:nth=3", "listProcedures:before:slow=1ms:nth=4")})
	r.get("/procedures")
	r.get("/procedures")
	if _, err := r.oneOff("/procedures"); err == nil {
		t.Error("no reset")
	}
	r.get("/procedures")
	r.post(revoke, "certid", "5", "reason", "1")
	r.must("guest", r.request("GET", "/procedures", "", ""))
	r.must("", r.request("GET", "/procedures", "", ""))
	r.get("/nowhere")
	want := []seen{
		{op: "listProcedures", status: 200},
		{op: "listProcedures", status: 200, fault: "listProcedures:before:html:nth=2", alters: true},
		{op: "listProcedures", status: 0, fault: "listProcedures:before:reset:nth=3", alters: true},
		{op: "listProcedures", status: 200, fault: "listProcedures:before:slow=1ms:nth=4"},
		{op: "revokeCertificate", body: "certid=5&reason=1", status: 200},
		{op: "listProcedures", status: 500},
	}
	if len(all) != len(want) {
		t.Fatalf("%d calls seen: %+v", len(all), all)
	}
	for i := range want {
		if all[i] != want[i] {
			t.Errorf("call %d: %+v, want %+v", i, all[i], want[i])
		}
	}
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func TestOperationIDs(t *testing.T) {
	ids := OperationIDs()
	if len(ids) != 29 || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) || !slices.Contains(ids, "listProcedures") {
		t.Errorf("%v", ids)
	}
	if _, err := fault.Parse("listProcedures:before:busy", ids); err != nil {
		t.Error(err)
	}
}
