package ops

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// cert is one certificate of the fake gateway.
type cert struct {
	status, reason string
	at             time.Time // of the revocation
	hidden         bool      // 909 on a write, though it can be read
	changes        int

	// for certificates that were issued
	der, ski  []byte
	cn        string
	serial    string
	issuer    string
	validFrom time.Time
	ca        bool
}

// mode is how the fake gateway treats a batch with a bad id.
type mode string

const (
	partial mode = "what can be done is, the others are named"
	named   mode = "all or nothing, the bad ones are named"
	mute    mode = "all or nothing, no one is named"
	lenient mode = "no id is ever refused, missing ones are passed over"
)

// gateway is a state machine behind real TLS and real HTTP. Its state changes
// are counted, so that a write that is carried out twice is seen.
type gateway struct {
	mode      mode
	vro       bool
	code      int           // of an answer that names ids
	maxParams int           // form parameters past it are dropped without a word; 0: none
	skew      time.Duration // its clock less ours
	linger    int           // a write takes effect after so many further reads
	windows   bool          // searches by time of revocation work
	granted   time.Duration // what those times are cut to

	// fault is asked before and after each write is carried out; what it
	// returns takes the place of the answer.
	fault func(n int, signed, after bool) http.HandlerFunc
	// read is asked before each look at a certificate.
	read func(n int) http.HandlerFunc

	issuing *issuing

	mu      sync.Mutex
	certs   map[string]*cert
	writes  []write
	signed  int // with a signature
	reads   int
	lists   int
	pending []func()
	wait    int

	server *httptest.Server
}

type write struct {
	path   string
	ids    []string
	reason string
	signed bool
	body   string
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{mode: partial, code: -1, certs: map[string]*cert{}}
	g.server = httptest.NewUnstartedServer(g)
	g.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	g.server.StartTLS()
	t.Cleanup(g.server.Close)
	return g
}

func (g *gateway) now() time.Time { return time.Now().Add(g.skew).UTC().Truncate(time.Second) }

// signer counts signatures and makes one that the gateway checks.
type signer struct {
	mu    sync.Mutex
	count int
	hook  func(n int) error
}

func (s *signer) SignCMS(_ context.Context, data []byte) ([]byte, error) {
	s.mu.Lock()
	s.count++
	n := s.count
	s.mu.Unlock()
	if s.hook != nil {
		if err := s.hook(n); err != nil {
			return nil, err
		}
	}
	return append([]byte("signed: "), data...), nil
}

// runner calls the gateway; pauses are noted, not slept.
func (g *gateway) runner(t *testing.T, change func(*cmapi.Config)) (*testRunner, *signer) {
	t.Helper()
	cfg := cmapi.Config{
		BaseURL: g.server.URL + "/pgwy/api", RootCAs: g.server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Certificate: func(context.Context) (*tls.Certificate, error) { return nil, nil },
		Timeout:     20 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	client, err := cmapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s := &signer{}
	return &testRunner{Runner: &Runner{Client: client, Signer: s, sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}}, s
}

// testRunner is a Runner whose runs have batches of a size; 0: 100.
type testRunner struct {
	*Runner
	batch int
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", g.now().Format(http.TimeFormat))
	path := strings.TrimPrefix(r.URL.Path, "/pgwy/api")
	switch {
	case r.Method == http.MethodPost:
		g.write(w, r, path)
	case path == "/certificates":
		g.list(w, r.URL.Query())
	case strings.HasSuffix(path, "/details"):
		g.details(w, r, strings.Split(path, "/")[2])
	case strings.HasSuffix(path, "/download"):
		g.download(w, r, strings.Split(path, "/")[2])
	default:
		http.NotFound(w, r)
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

type obj = map[string]any

func fail(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { reply(w, 500, obj{"error": code, "msg": "no"}) }
}

func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func (g *gateway) details(w http.ResponseWriter, r *http.Request, id string) {
	g.mu.Lock()
	g.reads++
	n := g.reads
	g.mu.Unlock()
	if g.read != nil {
		if h := g.read(n); h != nil {
			h(w, r)
			return
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait > 0 {
		if g.wait--; g.wait == 0 {
			for _, f := range g.pending {
				f()
			}
			g.pending = nil
		}
	}
	c := g.certs[id]
	if c == nil {
		reply(w, 500, obj{"error": -14, "msg": "none"})
		return
	}
	reply(w, 200, obj{"error": 0, "certificate": c.json(id)})
}

func (c *cert) json(id string) obj {
	o := obj{"certid": id, "status": c.status, "subject": c.cn, "certificateserialnumber": c.serial, "issuer": c.issuer}
	if c.status == "revoked" {
		o["reason"] = c.reason
		if !c.at.IsZero() {
			o["revocationtime"] = c.at.UnixMilli()
		}
	}
	if !c.validFrom.IsZero() {
		o["validfrom"] = c.validFrom.UnixMilli()
	}
	return o
}

// write is every POST: ask for a signature, check it, carry out, answer.
func (g *gateway) write(w http.ResponseWriter, r *http.Request, path string) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var values url.Values
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		_ = r.ParseMultipartForm(1 << 20)
		values = url.Values(r.MultipartForm.Value)
	} else {
		pairs := strings.Split(string(body), "&")
		if g.maxParams > 0 && len(pairs) > g.maxParams {
			pairs = pairs[:g.maxParams]
		}
		values, _ = url.ParseQuery(strings.Join(pairs, "&"))
	}
	signature := values.Get("signature")
	delete(values, "signature")
	toSign := path + "?" + values.Encode()
	wr := write{path, values["certid"], values.Get("reason"), signature != "", string(body)}
	g.mu.Lock()
	g.writes = append(g.writes, wr)
	if wr.signed {
		g.signed++
	}
	n := len(g.writes)
	g.mu.Unlock()
	fault := func(after bool) bool {
		if g.fault == nil {
			return false
		}
		h := g.fault(n, wr.signed, after)
		if h != nil {
			h(w, r)
		}
		return h != nil
	}
	if fault(false) {
		return
	}
	if !g.vro {
		der, _ := base64.StdEncoding.DecodeString(signature)
		switch {
		case !wr.signed:
			reply(w, 200, obj{"error": -19, "msg": "sign and resend", "dataToSign": base64.StdEncoding.EncodeToString([]byte(toSign))})
			return
		case string(der) != "signed: "+toSign && g.maxParams == 0:
			reply(w, 500, obj{"error": -17, "msg": "the signature is over something else"})
			return
		}
	}
	answer := g.carryOut(wr, values)
	if !fault(true) {
		answer(w, r)
	}
}

func (g *gateway) carryOut(wr write, values url.Values) http.HandlerFunc {
	g.mu.Lock()
	defer g.mu.Unlock()
	if wr.path == "/certificates/pkcs10" {
		return g.issue(values)
	}
	var errs []obj
	var effects []func()
	for _, id := range wr.ids {
		code, effect := g.change(wr, id)
		if code != 0 && g.mode != lenient {
			errs = append(errs, obj{"certid": id, "errorcode": code, "errormessage": "no"})
		} else if effect != nil {
			effects = append(effects, effect)
		}
	}
	if len(errs) > 0 && (g.mode == named || g.mode == mute) {
		effects = nil
	}
	if g.linger > 0 {
		g.pending, g.wait = append(g.pending, effects...), g.linger
	} else {
		for _, f := range effects {
			f()
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case len(errs) == 0:
			reply(w, 200, obj{"error": 0, "msg": "done"})
		case g.mode == mute:
			reply(w, 500, obj{"error": -1, "msg": "failed"})
		default:
			reply(w, 500, obj{"error": g.code, "msg": "failed", "errors": errs})
		}
	}
}

// change says whether an id can be changed, and how.
func (g *gateway) change(wr write, id string) (code int, effect func()) {
	c := g.certs[id]
	switch {
	case c == nil:
		return cmapi.ItemMissing, nil
	case c.hidden:
		return cmapi.ItemNotVisible, nil
	}
	onHold := c.status == "revoked" && c.reason == "certificateHold"
	now := g.now()
	if wr.path == "/certificates/reinstate" {
		if !onHold {
			return cmapi.ItemNotOnHold, nil
		}
		return 0, func() { *c = cert{status: "active", changes: c.changes + 1} }
	}
	reason := map[string]string{"1": "keyCompromise", "4": "superseded", "6": "certificateHold"}[wr.reason]
	switch {
	case c.status == "revoked" && !onHold:
		return cmapi.ItemAlreadyRevoked, nil
	case onHold && reason == "certificateHold":
		return cmapi.ItemAlreadyOnHold, nil
	}
	return 0, func() { *c = cert{status: "revoked", reason: reason, at: now, changes: c.changes + 1} }
}

// twice names the ids that were changed more than once.
func (g *gateway) twice() (out []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, c := range g.certs {
		if c.changes > 1 {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (g *gateway) signedWrites() (out []write) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.writes {
		if w.signed {
			out = append(out, w)
		}
	}
	return out
}

// fill makes n active certificates with ids from 1.
func (g *gateway) fill(n int) (items []Item) {
	for i := 1; i <= n; i++ {
		id := fmt.Sprint(i)
		g.certs[id] = &cert{status: "active"}
		items = append(items, Item{Key: id})
	}
	return items
}

func itemsOf(ids ...string) (items []Item) {
	for _, id := range ids {
		items = append(items, Item{Key: id})
	}
	return items
}

// ended is how a run ended: the outcomes by id, one word and code each, and
// how often each was reported.
func run(ctx context.Context, t *testing.T, r *testRunner, w *StateChange, items []Item) (outcomes map[string]string, results []Result, stop error) {
	t.Helper()
	outcomes = map[string]string{}
	stop = runJob(ctx, t, r.Changes(One(w)), items, r.batch, func(res Result) {
		if old, twice := outcomes[res.Key]; twice {
			t.Errorf("%s is reported twice: %s, then %s", res.Key, old, res.Outcome)
		}
		text := string(res.Outcome)
		if reason := ReasonOf(res.Err); reason != nil && reason.Code != 0 {
			text += fmt.Sprintf(" %d", reason.Code)
		}
		if (res.Err != nil) != (res.Outcome != Done && res.Outcome != Already) {
			t.Errorf("%s: %s with error %v", res.Key, res.Outcome, res.Err)
		}
		outcomes[res.Key] = text
		results = append(results, res)
	})
	for _, it := range items {
		if outcomes[it.Key] == "" {
			t.Errorf("%s is not reported", it.Key)
		}
	}
	return outcomes, results, stop
}

// runJob carries a write out one batch after the other, without a journal.
func runJob(ctx context.Context, t *testing.T, w bulk.Write, items []Item, batch int, report func(Result)) error {
	t.Helper()
	if len(items) == 0 {
		return nil
	}
	j, err := bulk.Draft("", "", "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if j.Header.Batch = batch; batch == 0 {
		j.Header.Batch = 100
	}
	for _, it := range items {
		if _, err := j.Plan().Add(it, bulk.Facts{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Freeze(); err != nil {
		t.Fatal(err)
	}
	return j.Run(ctx, w, bulk.Options{Parallel: 1}, report)
}

// exitCode is what results come to.
func exitCode(results []Result, stop error) exit.Code {
	t := bulk.NewTally()
	for _, r := range results {
		t.Add(r)
	}
	return t.ExitCode(stop)
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

func all(items []Item, outcome string) map[string]string {
	m := map[string]string{}
	for _, it := range items {
		m[it.Key] = outcome
	}
	return m
}
