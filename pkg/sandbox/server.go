// Package sandbox is a CM REST API gateway with a CA behind it, to try out,
// train, drill and test against: real X.509, mutual TLS, CMS checks and a
// database. It is written from the API description and held against OpenSSL;
// it shares nothing with cmctl's client, so that the two cannot agree on a
// mistake. Its keys lie about in the clear and its certificates are worth
// nothing: it is for loopback and for made-up names.
package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// closeWithin is how long Close waits for calls that are being answered.
const closeWithin = 2 * time.Second

// Server is a running sandbox.
type Server struct {
	Dir string // folder of the files, absolute
	URL string // base URL of the API

	temporary bool
	home      *home
	gateway   *gateway
	http      *http.Server
	closing   chan struct{}
	served    chan error
	once      sync.Once
	closeErr  error
}

// Start makes or opens a sandbox and serves it until Close. ctx bounds the
// start only.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", opts.Addr)
	if err != nil {
		return nil, exit.New(exit.Failure, "another sandbox may be running there; --addr takes another address, port 0 a free one", "cannot listen: %w", err)
	}
	s := &Server{closing: make(chan struct{}), served: make(chan error, 1)}
	if err := s.start(ctx, opts, listener); err != nil {
		return nil, errors.Join(err, listener.Close(), s.release())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, opts Options, listener net.Listener) error {
	if err := s.makeDir(opts.Dir); err != nil {
		return err
	}
	host := reachable(listener.Addr().(*net.TCPAddr), opts.Addr)
	s.URL = "https://" + host + opts.BasePath
	var err error
	if s.home, err = openHome(ctx, s.Dir, "https://"+host, &opts, s.temporary); err != nil {
		return err
	}
	if err := s.home.writeFiles(s.URL); err != nil {
		return err
	}
	s.gateway = &gateway{opts: opts, ca: s.home.ca, store: s.home.store, officers: s.home.officers,
		sealKey: s.home.sealKey, imports: s.home.imports, closing: s.closing}
	if s.gateway.log, err = openRequestLog(filepath.Join(s.Dir, "requests.jsonl")); err != nil {
		return err
	}
	s.gateway.prepare()
	s.http = &http.Server{
		Handler:           s.gateway,
		TLSConfig:         s.gateway.tlsConfig(s.home.server),
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // failed handshakes are the caller's to report
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	go func() { s.served <- s.http.ServeTLS(listener, "", "") }()
	return nil
}

// reachable is the host and port to put into URLs.
func reachable(at *net.TCPAddr, addr string) string {
	host, _, _ := net.SplitHostPort(addr) // it was listened on
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(at.String())
	return net.JoinHostPort(host, port)
}

// makeDir takes the folder named, or a new temporary one.
func (s *Server) makeDir(dir string) error {
	var err error
	if s.temporary = dir == ""; s.temporary {
		s.Dir, err = os.MkdirTemp("", "cmctl-sandbox-")
		return err
	}
	if s.Dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return exit.New(exit.Failure, "--dir names a folder of the sandbox's own", "cannot make the folder: %w", err)
	}
	return nil
}

// Done delivers the error that ended serving: http.ErrServerClosed after Close.
func (s *Server) Done() <-chan error { return s.served }

// Close stops serving, waits a little for calls that are being answered and
// removes the folder when it is a temporary one.
func (s *Server) Close() error {
	s.once.Do(func() {
		close(s.closing)
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			s.closeErr = s.http.Close()
		}
		s.closeErr = errors.Join(s.closeErr, s.release())
	})
	return s.closeErr
}

// release gives back what start took, however far it came.
func (s *Server) release() error {
	var errs []error
	if s.gateway != nil && s.gateway.log != nil {
		errs = append(errs, s.gateway.log.Close())
	}
	if s.home != nil && s.home.store != nil {
		errs = append(errs, s.home.store.Close())
	}
	if s.temporary && s.Dir != "" {
		errs = append(errs, os.RemoveAll(s.Dir))
	}
	return errors.Join(errs...)
}

// tlsCertificate is a server certificate with the chain that clients need.
func tlsCertificate(id identity) tls.Certificate {
	out := tls.Certificate{PrivateKey: id.key, Leaf: id.cert}
	for _, c := range id.chain() {
		out.Certificate = append(out.Certificate, c.Raw)
	}
	return out
}
