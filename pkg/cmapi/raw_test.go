package cmapi

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// rawGateway keeps every byte that clients send inside TLS, by connection.
// HTTP/1.1 only.
type rawGateway struct {
	*bench
	mu    sync.Mutex
	conns []*tee
}

type tee struct {
	net.Conn
	mu       sync.Mutex
	got, put bytes.Buffer
}

func (c *tee) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got.Write(p[:n])
	return n, err
}

func (c *tee) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.put.Write(p)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

type teeListener struct {
	net.Listener
	g *rawGateway
}

func (l teeListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t := &tee{Conn: c}
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	l.g.conns = append(l.g.conns, t)
	return t, nil
}

func newRawGateway(t *testing.T, handler http.HandlerFunc) *rawGateway {
	t.Helper()
	g := &rawGateway{bench: &bench{ca: newAuthority(t, "Test CA")}}
	g.officer = g.ca.officer(t, "officer")
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inTLS := tls.NewListener(inner, &tls.Config{
		Certificates: []tls.Certificate{*g.ca.server(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: g.ca.pool(),
	})
	g.server = &httptest.Server{
		Listener: teeListener{inTLS, g},
		Config:   &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)},
	}
	g.server.Start()
	t.Cleanup(g.server.Close)
	g.server.URL = "https://" + inner.Addr().String()
	g.client = g.connect(t, nil)
	return g
}

// sent are the bytes of all connections so far.
func (g *rawGateway) sent() (out []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.mu.Lock()
		out = append(out, c.got.String())
		c.mu.Unlock()
	}
	return out
}

func (g *rawGateway) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.mu.Lock()
		c.got.Reset()
		c.put.Reset()
		c.mu.Unlock()
	}
}

var hostLine = regexp.MustCompile(`(?m)^Host: .*\r$`)

// withoutHost replaces what differs from run to run.
func withoutHost(s string) string {
	return hostLine.ReplaceAllString(s, "Host: gateway.example:8444\r")
}

// split takes requests that stand behind each other apart: heads and bodies.
func split(t *testing.T, raw string) (heads, bodies []string) {
	t.Helper()
	for raw != "" {
		head, rest, ok := strings.Cut(raw, "\r\n\r\n")
		if !ok {
			t.Fatalf("no end of the head in %q", raw)
		}
		n := 0
		if _, after, ok := strings.Cut(head, "\r\nContent-Length: "); ok {
			if _, err := fmt.Sscan(after, &n); err != nil {
				t.Fatal(err)
			}
		}
		heads, bodies = append(heads, head), append(bodies, rest[:n])
		raw = rest[n:]
	}
	return heads, bodies
}
