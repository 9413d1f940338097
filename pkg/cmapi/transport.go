package cmapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

const dialTimeout = 15 * time.Second

func (c *Client) tlsConfig() *tls.Config {
	name := c.cfg.ServerName
	if name == "" {
		name = c.base.Hostname()
	}
	t := &tls.Config{
		MinVersion: tls.VersionTLS12,
		MaxVersion: c.cfg.MaxTLS,
		RootCAs:    c.cfg.RootCAs,
		ServerName: name,
		// Tomcat may ask for the client certificate only when a protected path
		// is met, by renegotiation (TLS 1.2).
		Renegotiation: tls.RenegotiateOnceAsClient,
		// A further connection then costs no further signature of a slow card.
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	t.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if asked, ok := info.Context().Value(askedKey{}).(*atomic.Bool); ok {
			asked.Store(true)
		}
		none := &tls.Certificate{}
		if c.cfg.Certificate == nil {
			return none, nil
		}
		cert, err := c.cfg.Certificate(info.Context())
		switch {
		case err != nil:
			return nil, &keyError{err}
		case cert == nil:
			return none, nil
		}
		return c.key.watch(cert), nil
	}
	t.VerifyConnection = func(state tls.ConnectionState) error {
		c.shake.Store(&state)
		return nil
	}
	return t
}

// askedKey is where a call's context notes that the gateway asked for the
// officer's certificate: version and cipher are agreed on by then, and a
// failure of the handshake is about the certificate.
type askedKey struct{}

func (c *Client) transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     c.tls,
		TLSHandshakeTimeout: c.cfg.Timeout,
		ForceAttemptHTTP2:   true,
		MaxConnsPerHost:     c.cfg.MaxConns,
		MaxIdleConnsPerHost: c.cfg.MaxConns,
		IdleConnTimeout:     90 * time.Second,
		// An answer is counted as it is sent; a small one unpacking to a huge
		// one is a trap without a use here.
		DisableCompression: true,
	}
}

// keyError marks a failure of the officer's own key among TLS errors.
type keyError struct{ err error }

func (e *keyError) Error() string { return e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

type redirectError struct{ to, why string }

func (e *redirectError) Error() string { return fmt.Sprintf("%s (%s)", e.to, e.why) }

// checkRedirect follows a redirect only for a read and only on the same host
// by https: a write is never sent to where it was not aimed.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	to := &url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path}
	switch {
	case via[0].Method != http.MethodGet:
		return &redirectError{to.String(), "never for a write"}
	case req.URL.Scheme != "https" || req.URL.Host != via[0].URL.Host:
		return &redirectError{to.String(), "never to another host"}
	case len(via) >= 5:
		return &redirectError{to.String(), "five redirects in a row"}
	}
	return nil
}

// transportError turns an error of net/http into an *Error. sent says whether
// the request, or part of it, may have left.
func (c *Client) transportError(ctx context.Context, r Request, err error, sent bool) error {
	e := &Error{Operation: r.Operation, Fault: FaultUnreachable, Err: rootCause(err), sent: sent, Lost: sent && r.Write}
	var (
		key      *keyError
		redirect *redirectError
		netErr   net.Error
		dns      *net.DNSError
		record   tls.RecordHeaderError
	)
	alert, hasAlert := remoteAlert(err)
	if cause := c.key.cause(err); cause != nil {
		err = &keyError{cause}
	}
	switch {
	case errors.As(err, &key):
		if !errors.As(key.err, new(exit.Coder)) {
			e.Fault, e.Err, e.Lost = FaultKey, key.err, false
			return e
		}
		return key.err // it knows best what is wrong and what to do
	case errors.As(err, &redirect):
		e.Fault, e.Err, e.Lost = FaultRedirect, redirect, false
	case isIdentity(err):
		e.Fault, e.Lost = FaultIdentity, false
	case hasAlert && (certificateAlert(alert) || alert == handshakeFailure && asked(ctx)):
		e.Fault, e.Lost = FaultRefused, false
	case hasAlert && negotiationAlert(alert):
		e.Lost = false
		e.hint = "client and gateway agree on no TLS version or cipher; TLS 1.2 is the least"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		e.hint = "the port answers, but not with TLS"
	case errors.As(err, &dns):
		e.hint = "is the host name in --server right?"
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		e.Fault, e.Err = FaultEnded, context.Cause(ctx)
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		// Whatever the broken connection is called when the time is up: it is up.
		e.Fault = FaultTimeout
	}
	return e
}

func isIdentity(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		roots   x509.SystemRootsError
	)
	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid) || errors.As(err, &roots)
}

// certificateAlert tells the alerts (RFC 8446, section 6.2) by which a server
// says that it does not accept a client's certificate.
func certificateAlert(a tls.AlertError) bool {
	switch a {
	case 42, 43, 44, 45, 46, 48, 49, 51, 116: // bad_certificate ... unknown_ca, access_denied, decrypt_error, certificate_required
		return true
	}
	return false
}

const handshakeFailure tls.AlertError = 40

func asked(ctx context.Context) bool {
	b, ok := ctx.Value(askedKey{}).(*atomic.Bool)
	return ok && b.Load()
}

// negotiationAlert tells the alerts by which a server ends a handshake before
// it looked at the client.
func negotiationAlert(a tls.AlertError) bool {
	switch a {
	case handshakeFailure, 70, 71, 86, 112, 120: // protocol_version, insufficient_security, inappropriate_fallback, unrecognized_name, no_application_protocol
		return true
	}
	return false
}

// rootCause drops the URL that url.Error repeats; the request is named once.
func rootCause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// connected tells whether a connection was there before the error.
func connected(err error) bool {
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}

// diagnose tells a broken connection from a refused officer certificate. In
// TLS 1.3 the refusal arrives after the handshake, beside the request, and a
// reset can outrun it: a handshake that sends nothing more hears it clearly.
func (c *Client) diagnose(ctx context.Context) (tls.AlertError, bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	host := c.base.Host
	if c.base.Port() == "" {
		host = net.JoinHostPort(c.base.Hostname(), "443")
	}
	cfg := c.tls.Clone()
	cfg.ClientSessionCache = nil
	start := time.Now()
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", host)
	if err == nil {
		if conn.(*tls.Conn).ConnectionState().Version >= tls.VersionTLS13 {
			now := time.Now() // the alert is on its way back; the handshake tells how long that takes
			_ = conn.SetReadDeadline(now.Add(min(max(100*time.Millisecond, 4*now.Sub(start)), 500*time.Millisecond)))
			_, err = conn.Read(make([]byte, 1))
		}
		_ = conn.Close()
	}
	alert, ok := remoteAlert(err)
	return alert, ok && certificateAlert(alert)
}

// remoteAlert finds the alert that the gateway sent. crypto/tls keeps the type
// of a received alert to itself; it is a uint8 like tls.AlertError.
func remoteAlert(err error) (tls.AlertError, bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return tls.AlertError(v.Uint()), true
}
