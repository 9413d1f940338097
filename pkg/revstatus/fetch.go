package revstatus

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// The most that is read. A CRL of a million entries has about 40 MB.
const (
	maxCRL   = 256 << 20
	maxSmall = 1 << 20 // an OCSP response, an issuer's certificate
)

// fetcher gets what certificates point at. The URLs come from certificates, so
// it is a client of its own: no officer's certificate, no cookies, http and
// https only, and an end to every answer.
type fetcher struct {
	client  *http.Client
	timeout time.Duration
	agent   string
}

func newFetcher(o Options) fetcher {
	return fetcher{timeout: o.Timeout, agent: o.UserAgent, client: &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: o.Timeout,
			MaxIdleConnsPerHost:   parallelOCSP,
			IdleConnTimeout:       90 * time.Second,
			DisableCompression:    true, // a small answer that unpacks to a huge one
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("more than three redirects")
			}
			return checkURL(req.URL.String())
		},
	}}
}

// content is an answer, and by what to ask whether it changed.
type content struct {
	body         []byte
	etag         string
	lastModified string
	unchanged    bool // since the content that was asked with
}

// get fetches a URL; known is what it gave before, nil for nothing.
func (f fetcher) get(ctx context.Context, url, accept string, most int64, known *content) (*content, error) {
	return f.do(ctx, most, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", accept)
		if known != nil && known.etag != "" {
			req.Header.Set("If-None-Match", known.etag)
		}
		if known != nil && known.lastModified != "" {
			req.Header.Set("If-Modified-Since", known.lastModified)
		}
		return req, nil
	})
}

// post sends a body and fetches the answer.
func (f fetcher) post(ctx context.Context, url, kind string, body []byte) (*content, error) {
	return f.do(ctx, maxSmall, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", kind)
		}
		return req, err
	})
}

func (f fetcher) do(ctx context.Context, most int64, request func(context.Context) (*http.Request, error)) (*content, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	req, err := request(ctx)
	if err != nil {
		return nil, exit.New(exit.Failure, "", "%w", err)
	}
	if f.agent != "" {
		req.Header.Set("User-Agent", f.agent)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, f.unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	c := &content{etag: resp.Header.Get("ETag"), lastModified: resp.Header.Get("Last-Modified")}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		c.unchanged = true
		return c, nil
	default:
		return nil, exit.New(exit.Unavailable, "", "answers HTTP %d", resp.StatusCode)
	}
	// The length is believed as far as it spares growing step by step.
	var body bytes.Buffer
	if n, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64); err == nil && n > 0 && n <= most {
		body.Grow(int(min(n, 8<<20)) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return nil, f.unreachable(ctx, err)
	case n > most:
		return nil, exit.New(exit.Failure, "", "answers more than %d MiB", most>>20)
	}
	c.body = body.Bytes()
	return c, nil
}

// unreachable says why there is no answer; the URL is told elsewhere.
func (f fetcher) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return exit.New(exit.Unavailable, "", "does not answer within %v", f.timeout)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return exit.New(exit.Identity, "its TLS certificate must come from the context's ca-file or a CA the system knows", "%w", err)
	}
	return exit.New(exit.Unavailable, "", "%w", err)
}

// firstOf tries the URLs of one source in turn; the error names the last one,
// which is url too.
func firstOf[T any](urls []string, try func(url string) (T, error)) (found T, url string, err error) {
	for _, u := range urls {
		if e := checkURL(u); e != nil {
			if err == nil {
				url, err = u, e
			}
			continue
		}
		url = u
		if found, err = try(u); err == nil {
			return found, u, nil
		}
		err = fmt.Errorf("%s: %w", u, err)
	}
	return found, url, err
}
