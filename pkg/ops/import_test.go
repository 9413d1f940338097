package ops

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// importer's counterpart: a gateway that takes certificates in, with odd ways.
type importGateway struct {
	limit    int             // most entries at a time; 0: any number
	whole    bool            // with one bad entry none is taken in
	mute     bool            // and no entry is named
	lies     map[string]bool // serials that it says are done and does not take in
	bad      map[string]bool // serials that it refuses
	bare     bool            // issuers are shown as bare values
	unread   int             // so many searches fail
	code     int             // the answer's code when an entry fails; 0: -1
	procname string          // the one that it takes; "": any

	mu    sync.Mutex
	certs []row
	sizes []int // entries of each request carried out or refused
}

type row struct {
	cert   *x509.Certificate
	reason *int
	at     string
}

func (g *importGateway) start(t *testing.T) (*testRunner, *signer) {
	t.Helper()
	fake := &gateway{server: httptest.NewUnstartedServer(g)}
	fake.server.StartTLS()
	t.Cleanup(fake.server.Close)
	return fake.runner(t, nil)
}

func (g *importGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case r.Method == http.MethodPost:
		g.take(w, r)
	case strings.HasSuffix(r.URL.Path, "/certificates"):
		g.search(w, r.URL.Query().Get("certificateSerialNumber"))
	case !strings.HasSuffix(r.URL.Path, "/download"):
		http.NotFound(w, r)
	default:
		var n int
		_, _ = fmt.Sscanf(strings.Split(r.URL.Path, "/")[4], "%d", &n)
		w.Header().Set("Content-Type", cmapi.MediaDER)
		_, _ = w.Write(g.certs[n].cert.Raw)
	}
}

func (g *importGateway) search(w http.ResponseWriter, serial string) {
	if g.unread > 0 {
		g.unread--
		reply(w, 500, obj{"error": -14, "msg": "no"})
		return
	}
	found := []obj{}
	for i, c := range g.certs {
		if !pki.SerialOf(c.cert.SerialNumber).Equal(pki.Serial(serial)) {
			continue
		}
		o := obj{"certid": fmt.Sprint(i), "status": "active", "certificateserialnumber": serial, "issuer": pki.DN(c.cert.RawIssuer)}
		if c.reason != nil {
			o["status"], o["reason"], o["revocationtime"] = "revoked", fmt.Sprint(*c.reason), c.at
		}
		if g.bare {
			o["issuer"] = "Demo, Issuing CA, Demo"
		}
		found = append(found, o)
	}
	reply(w, 200, obj{"error": 0, "searchHits": len(found), "certificates": found})
}

func (g *importGateway) take(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Procname, Signature string
		Importdata          []struct {
			Certificate    string
			Reason         *int
			Revocationtime string
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	if in.Signature == "" {
		reply(w, 200, obj{"error": -19, "dataToSign": "AAEC"})
		return
	}
	g.sizes = append(g.sizes, len(in.Importdata))
	if g.procname != "" && in.Procname != g.procname {
		reply(w, 500, obj{"error": -14, "msg": "bad procedure"})
		return
	}
	var errs []obj
	var fresh []row
	for i, e := range in.Importdata {
		der, _ := base64.StdEncoding.DecodeString(e.Certificate)
		c, err := x509.ParseCertificate(der)
		serial := ""
		if err == nil {
			serial = pki.SerialOf(c.SerialNumber).String()
		}
		known := slices.ContainsFunc(g.certs, func(r row) bool { return r.cert.Equal(c) })
		switch {
		case g.limit > 0 && i >= g.limit:
			errs = append(errs, obj{"arrayindex": i, "errorcode": -40, "errormessage": "over the limit", "limit": g.limit})
		case err != nil || g.bad[serial]:
			errs = append(errs, obj{"arrayindex": i, "errorcode": -14, "errormessage": "bad entry"})
		case known:
			errs = append(errs, obj{"arrayindex": i, "errorcode": -14, "errormessage": "here already"})
		case !g.lies[serial]:
			fresh = append(fresh, row{c, e.Reason, e.Revocationtime})
		}
	}
	if errs == nil || !g.whole {
		g.certs = append(g.certs, fresh...)
	}
	code := g.code
	if code == 0 {
		code = -1
	}
	switch {
	case errs == nil:
		reply(w, 200, obj{"error": 0})
	case g.mute:
		reply(w, 500, obj{"error": code, "msg": "failed"})
	default:
		reply(w, 500, obj{"error": code, "msg": "failed", "errors": errs})
	}
}

// foreign makes n certificates to import, with serials from 1.
func foreign(t *testing.T, n int) (items []*ImportItem) {
	t.Helper()
	ca := newIssuing(t, &gateway{certs: map[string]*cert{}})
	for i := range n {
		c := ca.leaf(t, int64(i+1), fmt.Sprintf("device %d", i+1), ca.key.Public())
		items = append(items, &ImportItem{Certificate: c})
	}
	return items
}

// packed are the items of a plan.
func packed(t *testing.T, items []*ImportItem) (out []Item) {
	t.Helper()
	for i, it := range items {
		data, err := it.Pack()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Item{Key: fmt.Sprint(i), Line: i + 1, Input: "f", Data: data})
	}
	return out
}

func runImports(t *testing.T, ctx context.Context, r *testRunner, procedure string, items []*ImportItem) (outcomes string, results []Result, stop error) { //nolint:revive // as run
	t.Helper()
	words := make([]string, len(items))
	results = make([]Result, len(items))
	stop = runJob(ctx, t, r.Imports(procedure), packed(t, items), r.batch, func(res Result) {
		i := res.Index
		if words[i] != "" {
			t.Errorf("%d is reported twice: %s, then %s", i, words[i], res.Outcome)
		}
		if (res.Err != nil) != (res.Outcome != Done && res.Outcome != Already) {
			t.Errorf("%d: %s with error %v", i, res.Outcome, res.Err)
		}
		words[i], results[i] = string(res.Outcome), res
	})
	for i, w := range words {
		if w == "" {
			t.Errorf("%d is not reported", i)
		}
	}
	return strings.Join(words, " "), results, stop
}

func TestImport(t *testing.T) {
	times := func(word string, n int) string { return strings.TrimSpace(strings.Repeat(word+" ", n)) }
	for _, c := range []struct {
		name     string
		gateway  *importGateway
		n, batch int
		want     string
		sizes    []int
		stop     string
	}{
		{"all at once", &importGateway{}, 5, 0, times("done", 5), []int{5}, ""},
		{"in batches", &importGateway{}, 5, 2, times("done", 5), []int{2, 2, 1}, ""},
		{"the limit is learned", &importGateway{limit: 3}, 10, 10, times("done", 10), []int{10, 3, 3, 1}, ""},
		{"the limit, none taken in", &importGateway{limit: 3, whole: true, code: -40}, 7, 7, times("done", 7), []int{7, 3, 3, 1}, ""},
		{"a limit of one", &importGateway{limit: 1}, 3, 3, times("done", 3), []int{3, 1, 1}, ""},
		{"one bad", &importGateway{bad: map[string]bool{"02": true}}, 3, 0, "done failed done", []int{3}, ""},
		{"one bad, none taken in", &importGateway{bad: map[string]bool{"02": true}, whole: true}, 3, 0, "done failed done", []int{3, 2}, ""},
		{"one bad, none named", &importGateway{bad: map[string]bool{"02": true}, whole: true, mute: true}, 4, 0, "done failed done done", []int{4, 2, 1, 1, 2}, ""},
		{"it says done and is not", &importGateway{lies: map[string]bool{"03": true}}, 4, 0, "done done failed done", []int{4, 1}, ""},
		{"issuers as bare values", &importGateway{bare: true}, 3, 0, times("done", 3), []int{3}, ""},
		{"another procedure", &importGateway{procname: "other"}, 200, 100, times("failed", 4) + " " + times("skipped", 196), nil, "bad procedure"},
		{"unread for a while", &importGateway{unread: 2}, 1, 0, "done", []int{1}, ""},
		{"never read", &importGateway{unread: 99}, 1, 0, "unknown", []int{1}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.gateway
			r, s := g.start(t)
			r.batch = c.batch
			got, _, stop := runImports(t, t.Context(), r, "p", foreign(t, c.n))
			if c.stop != "" {
				if stop == nil || !strings.Contains(stop.Error(), c.stop) || strings.Contains(got, "done") || s.count > 2*maxFruitless {
					t.Errorf("stopped by %v after %d signatures: %s", stop, s.count, got)
				}
				return
			}
			if got != c.want || stop != nil || !slices.Equal(g.sizes, c.sizes) {
				t.Errorf("%s in requests of %v, %v\nwant %s in %v", got, g.sizes, stop, c.want, c.sizes)
			}
		})
	}
}

// What is there already counts as done when it is as wished for; a revocation
// is part of the wish.
func TestImportOfWhatIsThere(t *testing.T) {
	one, four := 1, 4
	items := foreign(t, 5)
	g := &importGateway{certs: []row{{items[0].Certificate, nil, ""}, {items[1].Certificate, &one, "2026-01-01T00:00:00Z"}, {items[2].Certificate, &four, ""}, {items[3].Certificate, nil, ""}}}
	for i := range items[1:] {
		items[i+1].Revoked, items[i+1].Reason = true, pki.KeyCompromise
	}
	r, _ := g.start(t)
	got, results, stop := runImports(t, t.Context(), r, "", items)
	if got != "already already failed failed done" || stop != nil {
		t.Fatalf("%s, %v", got, stop)
	}
	if ids := results[1].ID + results[4].ID; ids != "14" {
		t.Errorf("certids %s", ids)
	}
	if code := ReasonOf(results[2].Err).Code; code != cmapi.CodeBadValue {
		t.Errorf("code %d of %v", code, results[2].Err)
	}
	// Refused as a whole: what is there was there before.
	mute := &importGateway{whole: true, mute: true, certs: []row{{items[0].Certificate, nil, ""}}}
	r, _ = mute.start(t)
	if got, _, stop := runImports(t, t.Context(), r, "", []*ImportItem{items[0], foreign(t, 2)[1]}); got != "already done" || stop != nil {
		t.Errorf("%s, %v", got, stop)
	}
	// The same serial from another issuer, neither shown as a name.
	bare := &importGateway{bare: true, certs: []row{{foreign(t, 1)[0].Certificate, nil, ""}}}
	r, _ = bare.start(t)
	if got, results, _ := runImports(t, t.Context(), r, "", items[:1]); got != "done" || results[0].ID != "1" {
		t.Errorf("%s as %s", got, results[0].ID)
	}
	// Taken in, but in another state than wished for.
	sloppy := &importGateway{}
	r, _ = sloppy.start(t)
	_, _, _ = runImports(t, t.Context(), r, "", items[:1])
	it := *items[0]
	im := &importer{items: []Item{{}}, certs: []*ImportItem{&it}}
	it.Revoked, it.Reason = true, pki.Superseded
	if res, settled := im.judge(0, &cmapi.Certificate{CertID: "7", Status: "active"}, nil, nil); !settled || exit.Of(res.Err) != exit.WrongState || !strings.Contains(exit.HintOf(res.Err), "cert revoke 7") {
		t.Errorf("%+v", res)
	}
	it.Revoked = false
	if res, settled := im.judge(0, &cmapi.Certificate{CertID: "7", Status: "revoked", Reason: "superseded"}, nil, nil); !settled || exit.Of(res.Err) != exit.WrongState {
		t.Errorf("%+v", res)
	}
}

// A run that is broken off sends nothing more and accounts for everything.
func TestImportInterrupted(t *testing.T) {
	g := &importGateway{}
	r, s := g.start(t)
	r.batch = 2
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	s.hook = func(n int) error {
		if n == 2 {
			cancel(why)
		}
		return nil
	}
	got, _, stop := runImports(t, ctx, r, "", foreign(t, 6))
	if got != "done done skipped skipped skipped skipped" || !errors.Is(stop, why) || !slices.Equal(g.sizes, []int{2}) {
		t.Errorf("%s, %v, %v", got, stop, g.sizes)
	}
}
