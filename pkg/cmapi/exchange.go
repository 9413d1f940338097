package cmapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Answer is one successful answer of the gateway, body read to its end.
type Answer struct {
	HTTP        int
	ContentType string // media type without parameters, lower case
	CertID      string // the `certId` header some gateways send when issuing
	Date        time.Time
	Body        []byte

	fields *object // of a JSON body, as judged
}

// json tells whether the body is JSON: by Content-Type or, where a gateway
// sends one that does not fit, by its first byte, which no certificate has
// (docs/api-notes.md, 13).
func (a *Answer) json() bool {
	return strings.HasSuffix(a.ContentType, "json") || bytes.HasPrefix(a.start(), []byte("{"))
}

// markup tells HTML and XML, the pages of containers and proxies.
func (a *Answer) markup() bool {
	return strings.Contains(a.ContentType, "html") || strings.Contains(a.ContentType, "xml") || bytes.HasPrefix(a.start(), []byte("<"))
}

// start is the body from its first character on.
func (a *Answer) start() []byte { return bytes.TrimLeft(a.Body, " \t\r\n\ufeff") }

// envelope is what every JSON answer may carry beside its payload.
type envelope struct {
	code       int
	msg        string
	dataToSign []byte
	items      []ItemError
}

// once sends a request one time and reads the answer. A non-nil *Answer has
// `error` 0 or none; the error is a *signatureRequired when the gateway asks
// to sign.
func (c *Client) once(ctx context.Context, r Request) (*Answer, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ended(ctx, &Error{Operation: r.Operation})
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var sent, reused atomic.Bool
	ctx = context.WithValue(ctx, askedKey{}, &atomic.Bool{})
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(i httptrace.GotConnInfo) { reused.Store(i.Reused) },
		WroteHeaders: func() { sent.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base.String()+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Operation, err)
	}
	if len(r.Body) == 0 {
		req.Body, req.GetBody, req.ContentLength = http.NoBody, nil, 0
	}
	req.Header.Set("Accept", r.Accept)
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	if c.cfg.UserAgent != "" {
		req.Header.Set("User-Agent", c.cfg.UserAgent)
	}
	trace := c.traceStart(req, r)
	resp, err := c.http.Do(req)
	if err != nil {
		trace.failed(err)
		out := c.transportError(ctx, r, err, sent.Load())
		var e *Error
		if errors.As(out, &e) && e.Fault == FaultUnreachable && e.hint == "" && !reused.Load() && ctx.Err() == nil && connected(err) {
			if alert, refused := c.diagnose(ctx); refused {
				e.Fault, e.Err, e.Lost = FaultRefused, alert, false
			}
		}
		return nil, out
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readBody(resp, c.cfg.MaxAnswer+1)
	trace.answered(resp, body, err)
	a := &Answer{HTTP: resp.StatusCode, Body: body, CertID: resp.Header.Get("certId")}
	a.ContentType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if a.Date, _ = http.ParseTime(resp.Header.Get("Date")); !a.Date.IsZero() {
		lead := time.Until(a.Date)
		if lead.Abs() <= 2*time.Second { // a Date is cut to seconds
			lead = 0
		}
		c.lead.Store(int64(lead))
		c.dated.Store(true)
	}
	switch {
	case err != nil:
		return nil, c.transportError(ctx, r, fmt.Errorf("the answer broke off after %d bytes: %w", len(body), err), true)
	case int64(len(body)) > c.cfg.MaxAnswer:
		a.Body = body[:c.cfg.MaxAnswer]
		return nil, nonsense(r, a, fmt.Errorf("it is longer than %d MiB", c.cfg.MaxAnswer>>20))
	}
	a, err = c.judge(r, a, retryAfter(resp))
	var e *Error
	if errors.As(err, &e) && e.Fault == FaultNonsense && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Fault = FaultTimeout // what servers say into a connection that was given up
	}
	return a, err
}

// mostAtOnce is up to where the length that an answer claims is believed.
const mostAtOnce = 4 << 20

// readBody reads up to limit bytes. The length that the answer claims saves
// growing step by step.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	var body bytes.Buffer
	if n := min(resp.ContentLength, limit, mostAtOnce); n > 0 {
		body.Grow(int(n) + bytes.MinRead)
	}
	_, err := body.ReadFrom(io.LimitReader(resp.Body, limit))
	return body.Bytes(), err
}

// judge decides what an answer means: body first, status second.
func (c *Client) judge(r Request, a *Answer, after time.Duration) (*Answer, error) {
	if !a.json() {
		switch {
		case refusesOfficer(a.HTTP):
			return nil, &Error{Operation: r.Operation, Fault: FaultRefused, HTTP: a.HTTP}
		case a.HTTP/100 == 3:
			return nil, &Error{Operation: r.Operation, Fault: FaultRedirect, HTTP: a.HTTP, Err: fmt.Errorf("HTTP %d", a.HTTP)}
		case a.HTTP/100 != 2 || wantsJSON(r) || a.markup():
			e := nonsense(r, a, errors.New(contentTypeWords(a.ContentType)))
			e.RetryAfter = after
			return nil, e
		case len(a.Body) == 0:
			return nil, nonsense(r, a, errors.New("it is empty"))
		}
		return a, nil
	}
	env, fields, err := readEnvelope(a.Body)
	a.fields = fields
	if env != nil {
		for i := range env.items {
			env.items[i].HTTP = a.HTTP
		}
	}
	switch {
	case err != nil && refusesOfficer(a.HTTP):
		return nil, &Error{Operation: r.Operation, Fault: FaultRefused, HTTP: a.HTTP}
	case err != nil:
		return nil, nonsense(r, a, fmt.Errorf("its JSON cannot be read: %w", err))
	case env.code == CodeSignatureRequired && r.Write:
		return nil, &signatureRequired{env.dataToSign, env.msg, a.Date}
	case env.code != CodeOK:
		return nil, &Error{
			Operation: r.Operation, Fault: FaultGateway, HTTP: a.HTTP, Code: env.code, Message: env.msg, Items: env.items, RetryAfter: after, hint: hintFor(r, env.code),
			// the gateway lost CM in the middle: CM may have done it all the same
			Lost: r.Write && env.code == CodeConnection,
		}
	case refusesOfficer(a.HTTP):
		return nil, &Error{Operation: r.Operation, Fault: FaultRefused, HTTP: a.HTTP}
	case a.HTTP/100 != 2 || len(env.items) > 0:
		return nil, &Error{Operation: r.Operation, Fault: FaultGateway, HTTP: a.HTTP, Code: CodeGeneral, Message: env.msg, Items: env.items, RetryAfter: after}
	case !wantsJSON(r):
		return nil, nonsense(r, a, errors.New("JSON without an error where a certificate was due"))
	}
	return a, nil
}

// manyFields is from how many fields of a request on some may have been dropped
// on the way: what arrived is then not what was signed.
const manyFields = 10

// hintFor is what helps against a refusal of this very request; "": what helps
// against its code.
func hintFor(r Request, code int) string {
	if fields := bytes.Count(r.Body, []byte("&")) + 1; code == CodeBadSignature && r.Shape == ShapeForm && fields >= manyFields {
		return fmt.Sprintf("is the signing certificate that of an officer? If it is: the request had %d fields, and a servlet container may drop those past a limit of its own: try --batch with a smaller number", fields)
	}
	return ""
}

// signatureRequired is the -19 answer.
type signatureRequired struct {
	dataToSign []byte
	msg        string
	date       time.Time
}

func (*signatureRequired) Error() string { return "the gateway asks for a signature" }

func wantsJSON(r Request) bool { return r.Accept == acceptJSON }

const acceptJSON = "application/json"

func contentTypeWords(ct string) string {
	if ct == "" {
		return "no content type"
	}
	return "content type " + ct
}

func refusesOfficer(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// nonsense is an answer that says nothing. A write may have been carried out,
// unless the status says that the request was turned away (4xx). Only what is
// meant for people is shown: JSON cut short may hold a secret.
func nonsense(r Request, a *Answer, err error) *Error {
	e := &Error{Operation: r.Operation, Fault: FaultNonsense, HTTP: a.HTTP, Err: err}
	e.Lost = r.Write && (a.HTTP/100 != 4 || a.HTTP == http.StatusRequestTimeout)
	if a.markup() || strings.HasPrefix(a.ContentType, "text/") {
		e.Excerpt = excerpt(a.Body)
	}
	return e
}

// readEnvelope also gives all members of the body.
func readEnvelope(body []byte) (*envelope, *object, error) {
	all := &object{}
	if err := decode(body, all); err != nil {
		return nil, nil, err
	}
	o := &object{slices.Clone(all.members)}
	env, err := o.envelope()
	return env, all, err
}

// decode reads a whole answer.
func decode(body []byte, o *object) error {
	body = trimBOM(body)
	if valid(body) {
		return o.UnmarshalJSON(body)
	}
	return json.Unmarshal(body, o) // which knows what is wrong
}

func (o *object) envelope() (*envelope, error) {
	env := &envelope{}
	var err error
	if env.code, err = o.integer("error", CodeOK); err != nil {
		return nil, err
	}
	if env.msg, err = o.text("msg"); err != nil {
		return nil, err
	}
	data, err := o.text("dataToSign")
	if err != nil {
		return nil, err
	}
	if env.dataToSign, err = DecodeBase64(data); err != nil {
		return nil, fmt.Errorf("member %q: %w", "dataToSign", err)
	}
	raw, ok := o.take("errors")
	if !ok {
		return env, nil
	}
	var list []object
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("member %q: %w", "errors", err)
	}
	for _, it := range list {
		item, err := readItem(it)
		if err != nil {
			return nil, err
		}
		env.items = append(env.items, item)
	}
	return env, nil
}

func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\ufeff")) }

func readItem(o object) (item ItemError, err error) {
	if item.CertID, err = o.text("certid"); err != nil {
		return item, err
	}
	if item.Index, err = o.integer("arrayindex", -1); err != nil {
		return item, err
	}
	if item.Code, err = o.integer("errorcode", CodeGeneral); err != nil {
		return item, err
	}
	if item.Message, err = o.text("errormessage"); err != nil {
		return item, err
	}
	if item.ServerMessage, err = o.text("servererrormessage"); err != nil {
		return item, err
	}
	item.Limit, err = o.integer("limit", 0)
	return item, err
}

// DecodeBase64 reads Base64 in either alphabet, padded or not, with or without
// white space.
func DecodeBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, s)
	return base64.RawStdEncoding.DecodeString(s)
}

func retryAfter(resp *http.Response) time.Duration {
	v := resp.Header.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		if d := time.Until(t); d > 0 {
			return d
		}
	}
	return 0
}
