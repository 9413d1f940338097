package sandbox

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
)

// ocspPath is where the responder of all issuers is, for everybody.
const ocspPath = "/pgwy/ocsp"

const (
	// ocspLife is how long an answer may be kept. The next one may differ at
	// any time.
	ocspLife    = time.Hour
	ocspMost    = 64 << 10
	ocspRequest = "application/ocsp-request"
	ocspAnswer  = "application/ocsp-response"
)

// serveOCSP answers OCSP requests (RFC 6960, appendix A); false when the path
// is not the responder's.
func (g *gateway) serveOCSP(w http.ResponseWriter, r *http.Request, now time.Time) bool {
	path := r.URL.EscapedPath()
	if path != ocspPath && !strings.HasPrefix(path, ocspPath+"/") {
		return false
	}
	var der []byte
	var err error
	switch r.Method {
	case http.MethodPost:
		if r.Header.Get("Content-Type") != ocspRequest {
			doorAnswer(http.StatusUnsupportedMediaType, codeGeneral, "expected "+ocspRequest).write(w)
			return true
		}
		if der, err = io.ReadAll(http.MaxBytesReader(w, r.Body, ocspMost)); err != nil {
			err = malformedError{err}
		}
	case http.MethodGet:
		der, err = readGetOCSP(strings.TrimPrefix(strings.TrimPrefix(path, ocspPath), "/"))
	default:
		doorAnswer(http.StatusMethodNotAllowed, codeGeneral, "no such method on this path").write(w)
		return true
	}
	var body []byte
	if err == nil {
		body, err = g.ocsp(r, der, now)
	}
	var malformed malformedError
	switch {
	case errors.As(err, &malformed):
		body = ocsp.MalformedRequestErrorResponse
	case err != nil:
		body = ocsp.InternalErrorErrorResponse
	}
	(&answer{status: http.StatusOK, kind: ocspAnswer, body: body}).write(w)
	return true
}

// malformedError is a request that cannot be read.
type malformedError struct{ error }

// readGetOCSP reads a request from the path: URL-encoded Base64.
func readGetOCSP(path string) ([]byte, error) {
	text, err := url.PathUnescape(path)
	if err != nil {
		return nil, malformedError{err}
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, malformedError{err}
	}
	return der, nil
}

// ocsp answers at once what the gateway knows, whatever the delay of CRLs.
func (g *gateway) ocsp(r *http.Request, der []byte, now time.Time) ([]byte, error) {
	request, err := ca.ParseOCSP(der)
	if err != nil {
		return nil, malformedError{err}
	}
	issuer := g.ca.AskedFor(request)
	if issuer == nil {
		return ocsp.UnauthorizedErrorResponse, nil
	}
	cert, known, err := g.store.BySerial(r.Context(), issuer.ID, request.Serial)
	if err != nil {
		return nil, err
	}
	return issuer.AnswerOCSP(request, ca.OCSPAnswer{
		Known: known, Revoked: cert.Revoked, Reason: cert.Reason, RevokedAt: cert.RevokedAt,
		ThisUpdate: now, NextUpdate: now.Add(ocspLife),
	})
}
