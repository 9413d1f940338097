package cmapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/pki"
)

// canaryOp is a JSON write whose path and fields hold what real ones hold.
var canaryOp = Operation{"createRegistrationScep", "POST", "/registrations/{procid}/scep", true, ""}

const canaryAnswer = `{"error":0,"msg":"done","searchHits":1,"secretTop":"CANARY-a","list":["CANARY-b",["CANARY-c",{"error":"CANARY-d"}]],
	"registrations":[{"regid":"1","encryptedpassword":"CANARY-e","certids":["7"],"hmacKey":"CANARY-f"}],
	"certificates":[{"certid":"7","subject":"shown subject","future":{"certid":"CANARY-g","deep":["CANARY-h"]},"password":"CANARY-i"}]}`

// canaries are exchanges full of secrets.
func canaries(t *testing.T, c *Client) (errs []string) {
	t.Helper()
	note := func(_ any, err error) {
		if err != nil {
			errs = append(errs, err.Error())
		}
	}
	form := canaryOp.form([]field{{"reason", "1"}}, []field{{"password", "CANARY-j"}, {"unknown", "CANARY-k"}, {"certid", "7"}}, acceptJSON, "3")
	note(c.Do(t.Context(), form))
	multi, err := canaryOp.multipart([]part{
		{"procname", "", "shown procedure"}, {"password", "", "CANARY-l"}, {"pkcs10", "application/pkcs10", "CANARY-m"}, {"unknown", "", "CANARY-n"},
	}, MediaDER, "3")
	if err != nil {
		t.Fatal(err)
	}
	note(c.Do(t.Context(), multi))
	js, err := canaryOp.json(map[string]any{"fqdn": "x", "password": "CANARY-o", "hmacKey": "CANARY-p", "base": map[string]any{"secret": "CANARY-q"}, "certid": "7"}, acceptJSON, "3")
	if err != nil {
		t.Fatal(err)
	}
	note(c.Do(t.Context(), js))
	note(c.Certificates.List(t.Context(), CertificateFilter{SubjectCommonName: "shown cn", Extra: map[string][]string{"token": {"CANARY-r"}}}, 5, 0))
	note(nil, c.Certificates.Revoke(t.Context(), []string{"10003"}, pki.Superseded))
	return errs
}

// canaryGateway answers with secrets too: in headers, in JSON of every depth,
// in damaged JSON and in bytes.
func canaryGateway(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Set-Cookie", "session=CANARY-s")
	w.Header().Set("X-Unknown", "CANARY-t")
	body, _ := io.ReadAll(r.Body)
	signed := bytes.Contains(body, []byte("signature"))
	switch {
	case r.Method != http.MethodGet && !signed:
		answer(w, 200, "application/json", `{"error":-19,"msg":"sign and resend","dataToSign":"Q0FOQVJZ"}`)
	case strings.HasSuffix(r.URL.Path, "/revoke"):
		answer(w, 500, "application/json", `{"error":-1,"encryptedpassword":"CANARY-u`)
	case r.Header.Get("Accept") == MediaDER:
		answer(w, 200, MediaDER, "\x30\x80CANARY-v")
	default:
		answer(w, 200, "application/json", canaryAnswer)
	}
}

// TestTraceMasks: everything that is not on the list of what may be shown is
// masked, so that a secret stays hidden without being known.
func TestTraceMasks(t *testing.T) {
	var trace strings.Builder
	b := newBench(t, setup{client: func(c *Config) { c.Trace = &trace }}, canaryGateway)
	errs := canaries(t, b.client)
	if len(errs) != 1 {
		t.Errorf("errors %q", errs)
	}
	out := trace.String() + strings.Join(errs, "\n")
	for _, secret := range []string{"CANARY", "Q0FOQVJZ", "session=", "officer.key"} {
		if i := strings.Index(out, secret); i >= 0 {
			t.Errorf("%q is shown: ...%s", secret, out[max(0, i-60):min(len(out), i+60)])
		}
	}
	for i, signed := range b.signed {
		if strings.Contains(out, string(signed)) {
			t.Errorf("the octets of signature %d are shown", i)
		}
	}
	for _, shown := range []string{
		"> POST " + b.server.URL + "/pgwy/api/registrations/3/scep (createRegistrationScep)", "reason=1", "certid=7", "signature=***", "procname: shown procedure",
		"password: ***", "subjectCommonName=shown+cn", "token=***", "shown subject", `"searchHits":1`, `"error":-19`, "< HTTP/1.1 200 OK", "TLS 1.3", "User-Agent: cmctl/test",
	} {
		if !strings.Contains(out, shown) {
			t.Errorf("%q is not shown", shown)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestTraceMasksLocation: the place of a redirect is shown, a token in it not.
func TestTraceMasksLocation(t *testing.T) {
	var trace strings.Builder
	status := 302
	b := newBench(t, setup{client: func(c *Config) { c.Trace = &trace }}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://login.example/start?token=CANARY")
		w.WriteHeader(status)
	})
	err := details(b.client)
	if out := trace.String() + err.Error(); strings.Contains(out, "CANARY") || !strings.Contains(out, "https://login.example/start") {
		t.Error(out)
	}
	trace.Reset()
	status = 200 // not followed, but shown
	err = details(b.client)
	if out := trace.String() + err.Error(); strings.Contains(out, "CANARY") || !strings.Contains(out, "Location: https://login.example/start") {
		t.Error(out)
	}
}

// TestTraceChangesNothing: the bytes on the wire, both ways, and what callers
// get are the same with and without a trace.
func TestTraceChangesNothing(t *testing.T) {
	g := newRawGateway(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		canaryGateway(w, r)
	})
	run := func(out io.Writer) (sent, got []string, results string) {
		g.forget()
		c := g.connect(t, func(c *Config) { c.Trace = out })
		defer c.Close()
		results = fmt.Sprint(canaries(t, c))
		blob, err := c.Certificates.Download(t.Context(), "1", MediaDER, 0)
		results += fmt.Sprintf("%x %v", blob.Bytes, err)
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, c := range g.conns {
			c.mu.Lock()
			if c.got.Len() > 0 {
				sent, got = append(sent, c.got.String()), append(got, c.put.String())
			}
			c.mu.Unlock()
		}
		return sent, got, results
	}
	sent, got, results := run(nil)
	var trace strings.Builder
	tracedSent, tracedGot, tracedResults := run(&trace)
	if trace.Len() == 0 || len(sent) == 0 {
		t.Fatal("nothing traced or nothing sent")
	}
	same(t, "sent", tracedSent, sent)
	same(t, "answered", tracedGot, got)
	same(t, "results", tracedResults, results)
}

// TestTraceOfFailures: a call without an answer is traced with its cause.
func TestTraceOfFailures(t *testing.T) {
	var trace strings.Builder
	b := newBench(t, setup{client: func(c *Config) { c.Trace, c.ServerName = &trace, "prod.example" }}, okDetails)
	if err := details(b.client); err == nil {
		t.Fatal("no error")
	}
	if out := trace.String(); !strings.Contains(out, "< no answer after ") || !strings.Contains(out, "prod.example") {
		t.Errorf("%s", out)
	}
	trace.Reset()
	b = newBench(t, setup{client: func(c *Config) { c.Trace = &trace }}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		answer(w, 200, "application/json", `{"error":0`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	_ = details(b.client)
	if out := trace.String(); !strings.Contains(out, "< broken off: ") {
		t.Errorf("%s", out)
	}
	same(t, "an error of the trace's writer is no error of the call", details(b.connect(t, func(c *Config) { c.Trace = brokenWriter{}; c.ServerName = "" })) != nil, true)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }
