package cmapi

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// authority is a CA made for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serials atomic.Int64

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{}
	c := a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.cert, a.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// issue makes a certificate by a template; without a CA yet, a root.
func (a *authority) issue(t testing.TB, c *x509.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(serials.Add(1)), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) server(t testing.TB) *tls.Certificate {
	return a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"gateway.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

func (a *authority) officer(t testing.TB, name string) *tls.Certificate {
	return a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// bench is a gateway over mutual TLS, a client of it, and what each saw.
type bench struct {
	ca         *authority
	officer    *tls.Certificate
	server     *httptest.Server
	client     *Client
	handshakes atomic.Int64

	mu      sync.Mutex
	seen    []request
	waits   []time.Duration
	notices []string
	signed  [][]byte
}

// request is what the handler got.
type request struct {
	Method, URI, Accept, ContentType, Body string
}

type setup struct {
	h2     bool
	server func(*http.Server, *tls.Config)
	client func(*Config)
}

// newBench starts a gateway. The client's waits are noted and not slept.
func newBench(t testing.TB, s setup, handler http.HandlerFunc) *bench {
	t.Helper()
	b := &bench{ca: newAuthority(t, "Test CA")}
	b.officer = b.ca.officer(t, "officer")
	b.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		b.mu.Lock()
		b.seen = append(b.seen, request{r.Method, r.RequestURI, r.Header.Get("Accept"), r.Header.Get("Content-Type"), string(body)})
		b.mu.Unlock()
		handler(w, r)
	}))
	b.server.EnableHTTP2 = s.h2
	b.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.server.TLS = &tls.Config{
		Certificates: []tls.Certificate{*b.ca.server(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: b.ca.pool(),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			b.handshakes.Add(1)
			return nil, nil
		},
	}
	if s.server != nil {
		s.server(b.server.Config, b.server.TLS)
	}
	b.server.StartTLS()
	t.Cleanup(b.server.Close)
	b.client = b.connect(t, s.client)
	return b
}

// connect makes one more client of the gateway.
func (b *bench) connect(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		BaseURL: b.server.URL + "/pgwy/api", RootCAs: b.ca.pool(), Timeout: 20 * time.Second, UserAgent: "cmctl/test",
		Certificate: func(context.Context) (*tls.Certificate, error) { return b.officer, nil },
		Signer:      b,
		Notice: func(s string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.notices = append(b.notices, s)
		},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.wait = func(ctx context.Context, d time.Duration) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.waits = append(b.waits, d)
		return ctx.Err()
	}
	t.Cleanup(c.Close)
	return c
}

// SignCMS makes a signature that tells what it is over.
func (b *bench) SignCMS(_ context.Context, data []byte) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.signed = append(b.signed, data)
	return append([]byte("\xfb\xff signed:"), data...), nil
}

func (b *bench) requests() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]request(nil), b.seen...)
}

func (b *bench) waited() (total time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.waits {
		total += d
	}
	return total
}

// answer writes one answer.
func answer(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// inTurn answers with the handlers one after the other, the last one for ever.
func inTurn(hs ...http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		hs[min(int(n.Add(1)), len(hs))-1](w, r)
	}
}

func reply(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, status, contentType, body) }
}

func replyJSON(status int, body string) http.HandlerFunc {
	return reply(status, "application/json", body)
}

// cut reads the request and cuts the connection without an answer.
func cut(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

// same compares whole values and shows both.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.MarshalIndent(got, "", " ")
		w, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("%s:\ngot  %s\n     %+v\nwant %s\n     %+v", what, g, got, w, want)
	}
}
