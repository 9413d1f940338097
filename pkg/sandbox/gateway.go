package sandbox

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/fault"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// gateway answers requests.
type gateway struct {
	opts     Options
	ca       *ca.Hierarchy
	store    *store.Store
	officers officers
	faults   *fault.Set
	limit    *limiter
	log      *requestLog
	router   *router
	sealKey  []byte
	imports  string // DN of the CA whose certificates p-import takes
	crls     crls
	closing  <-chan struct{} // ends what sleeps
	api      http.Handler    // serveAPI, with the middleware around it
}

func (g *gateway) prepare() {
	g.router = newRouter(g.operations())
	g.faults = fault.NewSet(g.opts.Faults)
	g.limit = newLimiter(g.opts.Rate)
	g.api = http.HandlerFunc(g.serveAPI)
	if g.opts.Middleware != nil {
		g.api = g.opts.Middleware(g.api)
	}
}

// call is one API call on its way through the gateway.
type call struct {
	ctx        context.Context // outlives the connection: what was begun is carried out
	r          *http.Request
	op         *operation
	path       map[string]string // path parameters
	officer    *officer          // of the TLS session; nil when the certificate is nobody's
	now        time.Time
	rec        *record
	form       form     // of a write, or
	body       jsonBody // of one whose fields are JSON
	bodyErr    error
	signatures [][]byte
	signer     *officer    // behind a sound signature
	fault      *fault.Rule // that altered this call
	cut        bool        // end with a connection reset
}

type callKey struct{}

// callFrom returns the call that a context belongs to, nil when there is none.
func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// OperationFromContext returns the operationId of the call that a middleware
// sees, "" outside of one.
func OperationFromContext(ctx context.Context) string {
	if c := callFrom(ctx); c != nil {
		return c.op.id
	}
	return ""
}

// FaultFromContext returns the fault that altered the answer of the call that
// a middleware has just seen. Ask after the wrapped handler has returned.
func FaultFromContext(ctx context.Context) (fault.Rule, bool) {
	if c := callFrom(ctx); c != nil && c.fault != nil {
		return *c.fault, true
	}
	return fault.Rule{}, false
}

// changed notes what a write did.
func (c *call) changed(res *result) {
	for _, id := range res.changed {
		c.rec.Changed = append(c.rec.Changed, idText(id))
	}
	c.rec.Changed = append(c.rec.Changed, res.regids...)
}

// ServeHTTP is the gateway's outer door: it tells the API from the rest, and
// keeps out who shows no certificate, as the servlet container does.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := g.opts.Clock()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	w.Header().Set("Server", "cmctl-sandbox (not a real gateway)")
	if g.servePoint(w, r, now) || g.serveOCSP(w, r, now) {
		return
	}
	c := &call{ctx: context.WithoutCancel(r.Context()), r: r, now: now, rec: &record{Time: stamp(now)}}
	c.rec.TLS = versionName(r.TLS.Version)
	c.rec.Scheme = clientScheme(r.TLS)
	if len(r.TLS.PeerCertificates) > 0 {
		leaf := r.TLS.PeerCertificates[0].Raw
		c.rec.Client, c.officer = fingerprint(leaf), g.officers.find(leaf)
	}
	below, inAPI := strings.CutPrefix(r.URL.EscapedPath(), g.opts.BasePath)
	var known bool
	if inAPI {
		c.op, c.path, known = g.router.find(r.Method, below)
	}
	switch {
	case c.rec.Client == "":
		g.finish(w, c, doorAnswer(http.StatusForbidden, codePrivilege, "no client certificate: the API wants that of an officer"))
	case !known:
		g.finish(w, c, doorAnswer(http.StatusNotFound, codeGeneral, "no such path"))
	case c.op == nil:
		g.finish(w, c, doorAnswer(http.StatusMethodNotAllowed, codeGeneral, "no such method on this path"))
	default:
		c.rec.OperationID = c.op.id
		// The handler's own request: the middleware may have changed its.
		g.api.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
		if c.cut {
			resetConnection(r)
		}
	}
}

// serveAPI is what the middleware surrounds: faults, rights, the operation.
func (g *gateway) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := callFrom(r.Context())
	c.r = r
	if c.op.write != nil {
		c.bodyErr = c.readBody()
		if errors.Is(c.bodyErr, errBodyTooLong) {
			g.finish(w, c, doorAnswer(http.StatusRequestEntityTooLarge, codeGeneral, c.bodyErr.Error()))
			return
		}
		c.rec.Signatures = len(c.signatures)
	}
	g.sleep(g.opts.Latency)
	signed := len(c.signatures) > 0
	a := g.strikeBefore(c, g.faults.Count(fault.Before, c.op.id, signed))
	if a == nil && !c.cut {
		a = g.answer(c)
		if len(c.rec.Changed) > 0 {
			a = g.strikeAfter(c, a, g.faults.Count(fault.After, c.op.id, signed))
		}
	}
	g.finish(w, c, a)
}

// answer is what the gateway says when nothing is wrong with it.
func (g *gateway) answer(c *call) *answer {
	a, err := g.operate(c)
	if err != nil {
		return errorAnswer(err)
	}
	return a
}

func (g *gateway) operate(c *call) (*answer, error) {
	if !g.limit.allow() {
		return nil, refuse(codeTooMany, "too many requests")
	}
	if !c.officer.mayAct() {
		return nil, refuse(codePrivilege, "no officer of this gateway, or one without rights")
	}
	if c.bodyErr != nil {
		return nil, c.bodyErr
	}
	if c.op.write != nil {
		return g.write(c)
	}
	return c.op.read(c)
}

// finish logs the answer and sends it; a cut call is logged with status 0 and
// left to ServeHTTP.
func (g *gateway) finish(w http.ResponseWriter, c *call, a *answer) {
	if a != nil {
		c.rec.Error = a.code
		if !c.cut {
			c.rec.HTTP = a.status
		}
	}
	if err := g.log.write(c.rec); err != nil && !c.cut {
		// Tests rely on the log: better no answer than one it does not have.
		a = doorAnswer(http.StatusInternalServerError, codeGeneral, "the request log cannot be written")
	}
	if !c.cut {
		a.write(w)
	}
}

// sleep waits, but not longer than the gateway lives.
func (g *gateway) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.closing:
	}
}
