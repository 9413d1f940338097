package cmapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

func details(c *Client) error {
	_, err := c.Certificates.Details(context.Background(), "1")
	return err
}

func reinstate(c *Client) error {
	return c.Certificates.Reinstate(context.Background(), []string{"1"})
}

var okDetails = replyJSON(200, `{"error":0,"certificate":{"certid":"1","status":"active"}}`)

// versions is a name for each TLS version and HTTP version.
func versions(f func(name string, s setup)) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, h2 := range []bool{false, true} {
			f(fmt.Sprintf("%s, HTTP/2 %t", tls.VersionName(v), h2), setup{h2: h2, server: func(_ *http.Server, c *tls.Config) {
				c.MinVersion, c.MaxVersion = v, v
			}})
		}
	}
}

// TestOfficerRefused: a gateway that does not take the officer's certificate
// is exit 4 and never 7, however the refusal comes: in TLS 1.3 it arrives
// after the handshake, beside the request. Fifty times each, since the reset
// may outrun the alert.
func TestOfficerRefused(t *testing.T) {
	versions(func(name string, s setup) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, s, okDetails)
			foreign := newAuthority(t, "Foreign CA").officer(t, "officer")
			for i := range 50 {
				for kind, call := range map[string]func(*Client) error{"read": details, "write": reinstate} {
					c := b.connect(t, func(c *Config) {
						c.Certificate = func(context.Context) (*tls.Certificate, error) { return foreign, nil }
					})
					var e *Error
					err := call(c)
					if !errors.As(err, &e) || e.Fault != FaultRefused || exit.Of(err) != exit.Refused || e.Lost || exit.HintOf(err) == "" {
						t.Fatalf("%s %d: exit %d: %+v", kind, i, exit.Of(err), err)
					}
					c.Close()
				}
			}
			if n := len(b.requests()); n != 0 {
				t.Errorf("%d requests reached the gateway", n)
			}
		})
	})
}

// TestNoOfficer: no certificate at all is refused in the same way.
func TestNoOfficer(t *testing.T) {
	versions(func(name string, s setup) {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, s, okDetails)
			for what, none := range map[string]func(context.Context) (*tls.Certificate, error){
				"no getter": nil, "none got": func(context.Context) (*tls.Certificate, error) { return nil, nil },
			} {
				err := details(b.connect(t, func(c *Config) { c.Certificate = none }))
				if exit.Of(err) != exit.Refused {
					t.Errorf("%s: exit %d: %v", what, exit.Of(err), err)
				}
			}
		})
	})
}

// TestRefusedByReset: gateways that cut the connection right after the alert,
// so that a reset may be all that is left of it.
func TestRefusedByReset(t *testing.T) {
	b := newBench(t, setup{}, okDetails) // for its CA
	cfg := b.server.TLS.Clone()
	cfg.ClientCAs = newAuthority(t, "Foreign CA").pool()
	url := listen(t, func(conn net.Conn) {
		_ = tls.Server(conn, cfg).Handshake()
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	for i := range 50 {
		c := b.connect(t, func(c *Config) { c.BaseURL = url })
		err := reinstate(c)
		c.Close()
		if exit.Of(err) != exit.Refused {
			t.Fatalf("%d: exit %d: %v", i, exit.Of(err), err)
		}
	}
}

// listen serves connections one after the other and closes them.
func listen(t *testing.T, serve func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	return "https://" + l.Addr().String()
}

// TestCertificateSentWhateverHints: the officer's certificate goes also to a
// gateway whose list of CAs does not name its issuer.
func TestCertificateSentWhateverHints(t *testing.T) {
	versions(func(name string, s setup) {
		t.Run(name, func(t *testing.T) {
			set := s.server
			s.server = func(h *http.Server, c *tls.Config) {
				set(h, c)
				c.ClientAuth, c.ClientCAs = tls.RequireAnyClientCert, newAuthority(t, "Another CA").pool()
			}
			var got []string
			b := newBench(t, s, func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Proto+" "+r.TLS.PeerCertificates[0].Subject.CommonName)
				okDetails(w, r)
			})
			if err := details(b.client); err != nil {
				t.Fatal(err)
			}
			proto := "HTTP/1.1"
			if s.h2 {
				proto = "HTTP/2.0"
			}
			same(t, "got", got, []string{proto + " officer"})
		})
	})
}

// TestIdentity: a gateway that does not prove who it is ends 9, and a write is
// not lost: nothing was sent.
func TestIdentity(t *testing.T) {
	b := newBench(t, setup{}, okDetails)
	expired := b.ca.server(t)
	expired.Leaf.NotAfter = time.Now().Add(-time.Minute)
	for name, change := range map[string]func(*Config){
		"unknown CA":                 func(c *Config) { c.RootCAs = newAuthority(t, "Test CA").pool() },
		"no CA at all":               func(c *Config) { c.RootCAs = x509.NewCertPool() },
		"another name":               func(c *Config) { c.BaseURL = strings.Replace(c.BaseURL, "127.0.0.1", "localhost", 1) },
		"another name by ServerName": func(c *Config) { c.ServerName = "prod.example" },
	} {
		t.Run(name, func(t *testing.T) {
			for kind, call := range map[string]func(*Client) error{"read": details, "write": reinstate} {
				c := b.connect(t, change)
				err := call(c)
				var e *Error
				if !errors.As(err, &e) || e.Fault != FaultIdentity || exit.Of(err) != exit.Identity || e.Lost || !strings.Contains(exit.HintOf(err), "--ca-file") {
					t.Errorf("%s: exit %d: %v", kind, exit.Of(err), err)
				}
			}
		})
	}
	if n := len(b.requests()); n != 0 {
		t.Errorf("%d requests reached the gateway", n)
	}
	if err := details(b.connect(t, func(c *Config) { c.ServerName = "gateway.example" })); err != nil {
		t.Errorf("the name in the certificate: %v", err)
	}
}

// TestExpiredGateway: the gateway's certificate ran out.
func TestExpiredGateway(t *testing.T) {
	b := newBench(t, setup{}, okDetails)
	c := b.connect(t, nil)
	c.tls.Time = func() time.Time { return time.Now().Add(48 * time.Hour) }
	if err := details(c); exit.Of(err) != exit.Identity {
		t.Errorf("exit %d: %v", exit.Of(err), err)
	}
}

// TestNoCommonVersion: TLS 1.1 is below what is spoken.
func TestNoCommonVersion(t *testing.T) {
	b := newBench(t, setup{server: func(_ *http.Server, c *tls.Config) {
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	}}, okDetails)
	err := reinstate(b.client)
	var e *Error
	if !errors.As(err, &e) || exit.Of(err) != exit.Unavailable || e.Lost || !strings.Contains(exit.HintOf(err), "TLS 1.2") {
		t.Errorf("exit %d: %v (hint %q)", exit.Of(err), err, exit.HintOf(err))
	}
}

// TestPlainHTTP: a port that speaks http.
func TestPlainHTTP(t *testing.T) {
	var seen int
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen++ }))
	t.Cleanup(plain.Close)
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	b := newBench(t, setup{}, okDetails)
	err := reinstate(b.connect(t, func(c *Config) { c.BaseURL = strings.Replace(plain.URL, "http:", "https:", 1) }))
	var e *Error
	if !errors.As(err, &e) || exit.Of(err) != exit.Unavailable || e.Lost || !strings.Contains(exit.HintOf(err), "not with TLS") {
		t.Errorf("exit %d: %v (hint %q)", exit.Of(err), err, exit.HintOf(err))
	}
	if seen != 0 {
		t.Error("a request was sent in the clear")
	}
	for _, url := range []string{"http://h/api", "h:8444/api", "", "https://", "https://user:pw@h/api", "https://h/api?x=1", "https://h/api#x", "ftp://h", "https://h:port"} {
		if c, err := New(Config{BaseURL: url}); err == nil {
			t.Errorf("%q: %v", url, c.BaseURL())
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("the password is in %q", err)
		}
	}
}

// TestKeyFails: the officer's own key in the handshake is exit 8, or what its
// error says.
func TestKeyFails(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		code exit.Code
	}{
		{"plain", errors.New("the card is gone"), exit.Key},
		{"with a code of its own", exit.New(exit.Interrupted, "", "interrupted"), exit.Interrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, setup{client: func(cfg *Config) {
				cfg.Certificate = func(context.Context) (*tls.Certificate, error) { return nil, c.err }
			}}, okDetails)
			if err := reinstate(b.client); exit.Of(err) != c.code || !errors.Is(err, c.err) {
				t.Errorf("exit %d: %v", exit.Of(err), err)
			}
		})
	}
}

// openssl is `openssl s_server`, which shows on stdout what it receives and
// sends what it reads on stdin.
type openssl struct {
	url string
	in  io.Writer
	mu  sync.Mutex
	out bytes.Buffer // stdout and stderr
}

func (o *openssl) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.Write(p)
}

// wait waits until the output holds a text.
func (o *openssl) wait(t *testing.T, text string) (before, after string) {
	t.Helper()
	for range 2000 {
		o.mu.Lock()
		before, after, ok := strings.Cut(o.out.String(), text)
		o.mu.Unlock()
		if ok {
			return before, after
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("openssl does not say %q but\n%s", text, o.out.String())
	return "", ""
}

func newOpenSSL(t *testing.T, ca *authority, args ...string) *openssl {
	t.Helper()
	dir := t.TempDir()
	server := ca.server(t)
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"cert.pem": encode(t, "CERTIFICATE", server.Certificate[0]), "key.pem": encode(t, "PRIVATE KEY", key), "ca.pem": encode(t, "CERTIFICATE", ca.cert.Raw),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := &openssl{}
	cmd := exec.Command("openssl", append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem", "-CAfile", "ca.pem"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, o, o
	if o.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_, rest := o.wait(t, "ACCEPT ")
	addr, _, _ := strings.Cut(rest, "\n")
	o.url = "https://" + addr
	return o
}

// TestRenegotiation: a TLS 1.2 gateway that asks for the certificate only when
// it has seen the path, as Tomcat may, gets it. OpenSSL's test server asks when
// told R.
func TestRenegotiation(t *testing.T) {
	b := newBench(t, setup{}, okDetails)
	o := newOpenSSL(t, b.ca, "-tls1_2")
	c := b.connect(t, func(c *Config) { c.BaseURL = o.url })
	done := make(chan error, 1)
	go func() { done <- details(c) }()
	if before, _ := o.wait(t, "GET /certificates/1/details"); strings.Contains(before, "officer") {
		t.Fatalf("asked for at once, so that this test shows nothing:\n%s", before)
	}
	o.wait(t, "Accept: application/json")
	fmt.Fprint(o.in, "R\n")
	o.wait(t, "officer")
	const body = `{"certificate":{"certid":"1","status":"active"}}`
	fmt.Fprintf(o.in, "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: %d\n\n%s", len(body), body)
	if err := <-done; err != nil {
		t.Errorf("%v\n%s", err, o.out.String())
	}
}

// TestRefusedByOpenSSL: the refusal of another TLS implementation.
func TestRefusedByOpenSSL(t *testing.T) {
	b := newBench(t, setup{}, okDetails)
	foreign := newAuthority(t, "Foreign CA").officer(t, "officer")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			o := newOpenSSL(t, b.ca, version, "-www", "-Verify", "2", "-verify_return_error")
			for i := range 10 {
				for kind, call := range map[string]func(*Client) error{"read": details, "write": reinstate} {
					c := b.connect(t, func(c *Config) {
						c.BaseURL, c.Certificate = o.url, func(context.Context) (*tls.Certificate, error) { return foreign, nil }
					})
					err := call(c)
					c.Close()
					if exit.Of(err) != exit.Refused {
						t.Fatalf("%s %d: exit %d: %v", kind, i, exit.Of(err), err)
					}
				}
			}
		})
	}
}
