package sandbox

import (
	"crypto/tls"
	"net"
	"net/http"

	"github.com/cmctl/cmctl/pkg/sandbox/fault"
)

// strikeBefore applies the faults that come before the call is carried out. A
// non-nil answer, or c.cut, means that it is not carried out.
func (g *gateway) strikeBefore(c *call, rules []fault.Rule) *answer {
	for i := range rules {
		switch r := &rules[i]; r.Kind {
		case fault.Slow:
			g.sleep(r.Delay)
			c.noteFault(r)
		case fault.MaxParams:
			if len(c.form) > r.Max {
				c.form = c.form[:r.Max]
				c.signatures = c.form.all("signature")
				c.noteFault(r)
			}
		case fault.Truncate:
			c.noteFault(r)
			if g.wouldWrite(c) {
				return truncated(doorAnswer(http.StatusOK, codeOK, "done"))
			}
			// A call that changes nothing can be answered, and then cut.
			return truncated(g.answer(c))
		default:
			return c.strike(r, nil)
		}
	}
	return nil
}

// wouldWrite reports whether a call might be carried out as a write.
func (g *gateway) wouldWrite(c *call) bool {
	return c.op.write != nil && (g.opts.Signing == SigningVRO || len(c.signatures) > 0)
}

// strikeAfter applies the faults that come after a write was carried out.
func (g *gateway) strikeAfter(c *call, a *answer, rules []fault.Rule) *answer {
	for i := range rules {
		r := &rules[i]
		if r.Kind == fault.Slow {
			g.sleep(r.Delay)
			c.noteFault(r)
			continue
		}
		return c.strike(r, a)
	}
	return a
}

// noteFault remembers the fault that a contract test has to know: the last one
// is the one that ended the call.
func (c *call) noteFault(r *fault.Rule) { c.fault = r }

// strike makes the answer a fault gives in place of a, which is nil when the
// call was not carried out.
func (c *call) strike(r *fault.Rule, a *answer) *answer {
	c.noteFault(r)
	code := codeOK
	if a != nil {
		code = a.code
	}
	switch r.Kind {
	case fault.Reset:
		c.cut = true
		return a
	case fault.HTTP503:
		return &answer{status: http.StatusServiceUnavailable, kind: "text/plain; charset=utf-8", code: code,
			header: map[string]string{"Retry-After": "1"}, body: []byte("Service Unavailable\n")}
	case fault.HTML:
		return &answer{status: http.StatusOK, kind: "text/html; charset=utf-8", code: code,
			body: []byte("<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>\n")}
	case fault.Busy:
		return errorAnswer(refuse(codeTooMany, "too many requests"))
	case fault.Truncate:
		return truncated(a)
	}
	return &answer{status: http.StatusOK, kind: jsonType, code: code, body: garbage()}
}

// truncated is the first half of an answer under the same headers: what a
// proxy makes of an answer that it buffers and does not finish.
func truncated(a *answer) *answer {
	t := *a
	t.body = a.body[:len(a.body)/2]
	return &t
}

// garbage is neither JSON nor ASN.1 nor UTF-8, and always the same.
func garbage() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i*167 + 13)
	}
	return b
}

// connKey finds the connection of a request in its context.
type connKey struct{}

// resetConnection ends the TCP connection of a request with a reset, for
// HTTP/2 with all that goes over it.
func resetConnection(r *http.Request) {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		// Lingering zero seconds turns the close into a reset.
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
	panic(http.ErrAbortHandler) // nothing may be sent in place of the answer
}
