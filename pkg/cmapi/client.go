package cmapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Signer makes the CMS SignedData (DER, content encapsulated) over the octets
// of a `dataToSign`. It is called once for each signed request and may ask for
// a PIN; ctx ends the wait.
type Signer interface {
	SignCMS(ctx context.Context, dataToSign []byte) (der []byte, err error)
}

// Config is what a Client needs. Only BaseURL is required.
type Config struct {
	// BaseURL is the API's address, such as https://host:8444/pgwy/api, with an
	// instance segment if the gateway has one. https only.
	BaseURL string

	// Certificate returns the officer's TLS certificate. It is called when a
	// handshake wants one, so an absent smart card breaks no command that
	// makes no call, and is sent whatever CAs the gateway hints at. nil: none.
	Certificate func(context.Context) (*tls.Certificate, error)

	// MaxTLS is the highest TLS version that the officer's key can serve; 0: any.
	MaxTLS uint16

	RootCAs    *x509.CertPool // trust for the gateway's certificate; nil: the system's
	ServerName string         // name to expect in it; empty: the host of BaseURL
	Signer     Signer         // nil: a gateway that leaves signing to the caller is an error

	Timeout   time.Duration // for one exchange, answer read to its end; 0: 60 s
	MaxAnswer int64         // most bytes of one answer; 0: 32 MiB
	MaxConns  int           // connections at most; 0: 1 (HTTP/2 shares it)
	UserAgent string
	Trace     io.Writer // exchanges with values masked; nil: none

	// Notice is told, in words for people, that a call waits to be sent again.
	Notice func(string)
}

// Client calls one gateway. It is safe for use by several goroutines.
type Client struct {
	Certificates  *Certificates
	Procedures    *Procedures
	Registrations *Registrations

	cfg     Config
	base    *url.URL
	http    *http.Client
	tls     *tls.Config
	traceMu sync.Mutex
	key     keyWitness
	shake   atomic.Pointer[tls.ConnectionState]
	lead    atomic.Int64  // of the gateway's clock over ours, as of its last answer
	dated   atomic.Bool   // an answer told
	asked   sync.Once     // for LearnTime
	slots   chan struct{} // one for each call under way
	wait    func(ctx context.Context, d time.Duration) error
}

const (
	defaultTimeout   = 60 * time.Second
	defaultMaxAnswer = 32 << 20

	// maxCalls is how many calls are under way at most; others wait before
	// their Timeout starts. Past the gateway's limit of HTTP/2 streams, 100 or
	// more in servers as they come, net/http opens further connections, and
	// each would cost a slow card a handshake.
	maxCalls = 32
)

// New checks the configuration and makes a client. It opens no connection.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(cfg.BaseURL, "/"))
	if err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	if base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("base URL %q: expected https://host[:port]/path", base.Redacted())
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.MaxAnswer <= 0 {
		cfg.MaxAnswer = defaultMaxAnswer
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 1
	}
	if cfg.Notice == nil {
		cfg.Notice = func(string) {}
	}
	c := &Client{cfg: cfg, base: base, slots: make(chan struct{}, maxCalls), wait: sleep}
	c.tls = c.tlsConfig()
	c.http = &http.Client{Transport: c.transport(), CheckRedirect: c.checkRedirect}
	c.Certificates = &Certificates{c}
	c.Procedures = &Procedures{c}
	c.Registrations = &Registrations{c}
	return c, nil
}

// BaseURL is the address that the client calls.
func (c *Client) BaseURL() string { return c.base.String() }

// Handshake is what TLS came to in the last handshake, nil before the first.
func (c *Client) Handshake() *tls.ConnectionState { return c.shake.Load() }

// Now is the gateway's time, as far as its answers tell; ours before the first.
func (c *Client) Now() time.Time { return time.Now().Add(time.Duration(c.lead.Load())).UTC() }

// LearnTime makes Now the gateway's time: it asks for something cheap, one time,
// when there was no answer yet. What goes wrong is told by the request that matters.
func (c *Client) LearnTime(ctx context.Context) {
	c.asked.Do(func() {
		if !c.dated.Load() {
			_, _ = c.once(ctx, opListProcedures.read(nil, acceptJSON))
		}
	})
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
