package cmapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Prepared is a write that the gateway has asked to be signed: the request as
// it was sent and the octets to sign. It can be stored, signed elsewhere and
// submitted by another process.
type Prepared struct {
	Server     string    `json:"server"` // base URL the octets were fetched from
	Request    Request   `json:"request"`
	DataToSign []byte    `json:"dataToSign"`
	FetchedAt  time.Time `json:"fetchedAt"`
	ServerTime time.Time `json:"serverTime"` // the gateway's Date then; FetchedAt when it sent none
}

// Prepare sends a write without a signature. A gateway that leaves signing to
// the caller answers with the octets to sign, and nothing is changed: the
// result is a *Prepared. One that signs itself (VRO) carries the write out:
// the result is its *Answer. Exactly one of the two is not nil without error.
func (c *Client) Prepare(ctx context.Context, r Request) (*Prepared, *Answer, error) {
	if err := r.check(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.Operation, err)
	}
	a, err := c.send(ctx, r)
	var sign *signatureRequired
	switch {
	case err == nil:
		return nil, a, nil
	case !errors.As(err, &sign):
		return nil, nil, err
	case len(sign.dataToSign) == 0:
		return nil, nil, &Error{Operation: r.Operation, Fault: FaultNonsense, HTTP: 200, Err: errors.New("it asks for a signature but sends no dataToSign")}
	}
	p := &Prepared{Server: c.BaseURL(), Request: r}
	p.fetched(sign)
	return p, nil, nil
}

func (p *Prepared) fetched(s *signatureRequired) {
	p.DataToSign, p.FetchedAt, p.ServerTime = s.dataToSign, time.Now().UTC(), s.date
	if p.ServerTime.IsZero() {
		p.ServerTime = p.FetchedAt
	}
}

// StaleError is the error of Submit when the gateway asks for a signature
// again: the octets signed are no longer good for it. Fresh is what it wants
// signed now.
type StaleError struct {
	Fresh *Prepared
	Err   *Error
}

// Error is that of the call.
func (e *StaleError) Error() string { return e.Err.Error() }

// Unwrap gives the *Error, so that its exit code and hint are found.
func (e *StaleError) Unwrap() error { return e.Err }

// Submit sends a prepared write again, byte for byte, with the signature: a
// CMS SignedData in DER over its DataToSign. When the gateway is too busy to
// look at it (-40), the same signature is sent again.
func (c *Client) Submit(ctx context.Context, p *Prepared, signature []byte) (*Answer, error) {
	if p.Server != "" && p.Server != c.BaseURL() {
		return nil, fmt.Errorf("%s was prepared for %s, not for %s", p.Request.Operation, p.Server, c.BaseURL())
	}
	if err := p.Request.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Request.Operation, err)
	}
	if !p.Request.Write || !p.Request.Shape.signable() {
		return nil, fmt.Errorf("%s: a request of shape %q takes no signature", p.Request.Operation, p.Request.Shape)
	}
	a, err := c.send(ctx, p.Request.WithSignature(signature))
	var sign *signatureRequired
	if errors.As(err, &sign) {
		stale := &Error{Operation: p.Request.Operation, Fault: FaultGateway, HTTP: 200, Code: CodeSignatureRequired, Message: sign.msg}
		fresh := *p
		fresh.fetched(sign)
		return nil, &StaleError{&fresh, stale}
	}
	return a, err
}

// Do carries a request out: a read, or a write with its signature. The octets
// are signed as soon as they are fetched, so a second request for a signature
// is an error and no loop.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	if !r.Write {
		return c.send(ctx, r)
	}
	p, a, err := c.Prepare(ctx, r)
	if err != nil || a != nil {
		return a, err
	}
	if c.cfg.Signer == nil {
		return nil, &Error{Operation: r.Operation, Fault: FaultKey, Err: errors.New("the gateway wants the request signed and there is no signing key")}
	}
	signature, err := c.cfg.Signer.SignCMS(ctx, p.DataToSign)
	if err != nil {
		return nil, err
	}
	return c.Submit(ctx, p, signature)
}

// Retries of one call: how often and how long in all, waits included.
const (
	maxReadTries = 4
	maxBusyTries = 12
	maxWait      = 60 * time.Second
)

// send repeats once as long as the rules allow.
func (c *Client) send(ctx context.Context, r Request) (*Answer, error) {
	var waited time.Duration
	end := ctx // when nothing is sent again any more
	if d, ok := ctx.Value(drainKey{}).(context.Context); ok {
		end = d
	}
	for try := 1; ; try++ {
		a, err := c.once(ctx, r)
		if err == nil {
			return a, nil
		}
		var e *Error
		if !errors.As(err, &e) {
			return nil, err
		}
		e.Request = r.Method + " " + c.base.String() + r.Path
		d, why := retryIn(r, e, try, waited)
		if d < 0 {
			return nil, err
		}
		if end.Err() != nil {
			return nil, ended(end, e)
		}
		c.cfg.Notice(fmt.Sprintf("%s: %s; trying again in %s", r.Operation, why, d.Round(10*time.Millisecond)))
		if c.wait(end, d) != nil {
			return nil, ended(end, e)
		}
		waited += d
	}
}

type drainKey struct{}

// Drain is a context for a write that is under way when ctx ends: its answer is
// waited for all the same, and after one that says that nothing was carried
// out (-40) it is not sent again.
func Drain(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), drainKey{}, ctx)
}

// ended is the error of a call that would be sent again if ctx had not ended.
// Nothing was carried out: only such calls are sent again.
func ended(ctx context.Context, last *Error) *Error {
	e := &Error{Operation: last.Operation, Request: last.Request, Fault: FaultEnded, Err: context.Cause(ctx)}
	if errors.Is(e.Err, context.DeadlineExceeded) {
		e.Fault = FaultTimeout
	}
	return e
}

// retryIn decides whether a failed call is sent again, and after how long; a
// negative wait means no. A write is sent again only when the gateway said
// that it was too busy to carry it out. A gateway that cannot be reached at
// all is told at once.
func retryIn(r Request, e *Error, try int, waited time.Duration) (wait time.Duration, why string) {
	const no = time.Duration(-1)
	busy := e.Fault == FaultGateway && e.Code == CodeTooMany && e.limit() == 0
	switch {
	case waited >= maxWait:
		return no, ""
	case busy:
		if try >= maxBusyTries {
			return no, ""
		}
		why = "the gateway is busy (-40)"
	case r.Write || try >= maxReadTries:
		return no, ""
	case e.Fault == FaultUnreachable && e.sent:
		why = "the connection broke"
	case e.Fault == FaultNonsense && (e.HTTP >= 500 || e.HTTP == 429):
		why = fmt.Sprintf("HTTP %d", e.HTTP)
	case e.Fault == FaultNonsense && try == 1:
		why = "the answer makes no sense" // once more: it may have been damaged on its way
	case e.Fault == FaultGateway && (e.Code == CodeConnection || e.Code == CodeNotInitialized):
		why = CodeText(e.Code)
	default:
		return no, ""
	}
	d := 100 * time.Millisecond << min(try-1, 6)
	d = max(d/2+rand.N(d), e.RetryAfter)
	return min(d, maxWait-waited), why
}

// decodeJSON reads a JSON answer into v and names the operation when it fails.
func decodeJSON(r Request, a *Answer, v any) error {
	if o, ok := v.(*object); ok && a.fields != nil {
		o.members = slices.Clone(a.fields.members) // read once already
		return nil
	}
	if err := json.Unmarshal(trimBOM(a.Body), v); err != nil {
		return nonsense(r, a, err)
	}
	return nil
}
