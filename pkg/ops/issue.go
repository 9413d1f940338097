package ops

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Issuance is what came of one certificate request. CertID may be empty when
// the gateway did not name the new certificate and no search found it; the
// certificate is there all the same.
type Issuance struct {
	CertID  string
	Leaf    *x509.Certificate // the new certificate
	Bytes   []byte            // as the gateway sent it, in the wanted form
	Media   string
	Settled bool // the answer was lost and the certificate found by search
}

// Issue issues one certificate from a PKCS#10 request
// (issueCertificatePkcs10). A lost answer is settled by search, never by
// asking again: the certificate whose public key is the request's and whose
// validity began since the send is the one. The error of an answer that could
// not be settled says that a certificate may have been issued.
func (r *Runner) Issue(ctx context.Context, req *pki.Request, in cmapi.IssueRequest) (*Issuance, error) {
	in.PKCS10 = req.DER
	call, err := cmapi.NewIssue(in)
	if err != nil {
		return nil, err
	}
	sentAt, answer, err := r.exchange(ctx, call)
	ctx = context.WithoutCancel(ctx)
	var lost *cmapi.Error
	switch {
	case errors.As(err, &lost) && lost.Lost:
		return r.settleIssue(ctx, req, in, sentAt, lost)
	case err != nil:
		return nil, err
	}
	out := &Issuance{CertID: answer.CertID, Bytes: answer.Body, Media: answer.ContentType}
	if out.Leaf, err = leafOf(answer.Body, req); err != nil {
		// issued, but the answer does not hold it: as good as lost
		return r.settleIssue(ctx, req, in, sentAt, err)
	}
	if out.CertID == "" {
		if c, err := r.findIssued(ctx, req, in, sentAt, out.Leaf); err == nil && c != nil {
			out.CertID = c.CertID
		}
	}
	return out, nil
}

// leafOf finds the certificate of the request's key among those of an answer,
// which may hold the chain in any order (NOTES 24).
func leafOf(body []byte, req *pki.Request) (*x509.Certificate, error) {
	certs, err := pki.ReadCertificates("the gateway's answer", body)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if string(c.RawSubjectPublicKeyInfo) == string(req.CSR.RawSubjectPublicKeyInfo) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("none of the %d certificates in the gateway's answer has the request's public key", len(certs))
}

// settleIssue looks for what a lost answer may have brought about.
func (r *Runner) settleIssue(ctx context.Context, req *pki.Request, in cmapi.IssueRequest, sentAt time.Time, cause error) (*Issuance, error) {
	r.notice("issue: the answer was lost; looking for the certificate")
	var searchErr error
	for _, wait := range settleWaits {
		if wait > 0 && r.pause(ctx, wait) != nil {
			break
		}
		var c *cmapi.Certificate
		c, searchErr = r.findIssued(ctx, req, in, sentAt, nil)
		if c == nil {
			continue
		}
		blob, err := r.Client.Certificates.Download(ctx, c.CertID, in.Media, 1)
		if err != nil {
			return nil, exit.New(exit.Of(err), "fetch it with `cmctl cert download "+c.CertID+"`", "the certificate was issued as certid %s, but it cannot be downloaded: %w", c.CertID, err)
		}
		leaf, err := leafOf(blob.Bytes, req)
		if err != nil {
			return nil, err
		}
		return &Issuance{CertID: c.CertID, Leaf: leaf, Bytes: blob.Bytes, Media: blob.ContentType, Settled: true}, nil
	}
	return nil, &UnsettledError{Err: errors.Join(cause, searchErr)}
}

// UnsettledError says that a write was sent, its answer lost, and nothing of
// it found so far.
type UnsettledError struct{ Err error }

// Error tells the cause.
func (e *UnsettledError) Error() string {
	return fmt.Sprintf("the answer was lost and no new certificate of this key is found so far: %v", e.Err)
}

// Unwrap returns the cause.
func (e *UnsettledError) Unwrap() error { return e.Err }

// ExitCode is Unavailable.
func (e *UnsettledError) ExitCode() exit.Code { return exit.Unavailable }

// Hint says how to find out.
func (e *UnsettledError) Hint() string {
	return "before asking again, search for it with `cmctl cert search --cn ...`: a second request issues a second certificate"
}

// findIssued searches for the certificate of the request's key: by key
// identifier in both ways that CAs make it, else by common name, among those
// whose validity began since the send. known, when there, is the certificate
// itself; without it candidates are downloaded and keys compared.
func (r *Runner) findIssued(ctx context.Context, req *pki.Request, in cmapi.IssueRequest, sentAt time.Time, known *x509.Certificate) (*cmapi.Certificate, error) {
	skis, err := pki.SKIs(req.CSR.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	since := began(in, sentAt)
	if known != nil {
		since = time.Time{} // its serial says more
	}
	both := []string{"EE", "CA"}
	filters := make([]cmapi.CertificateFilter, 0, 3)
	for _, ski := range skis {
		filters = append(filters, cmapi.CertificateFilter{SubjectKeyIdentifier: ski, SubjectType: both})
	}
	if cn := req.CSR.Subject.CommonName; cn != "" {
		filters = append(filters, cmapi.CertificateFilter{SubjectCommonName: cn, SubjectType: both, ValidFromTimeFrom: since})
	}
	for _, f := range filters {
		page, err := r.Client.Certificates.List(ctx, f, 0, 0)
		if err != nil {
			return nil, err
		}
		for i := len(page.Certificates) - 1; i >= 0; i-- { // the newest first, as most gateways list
			c := &page.Certificates[i]
			if !c.ValidFrom.IsZero() && c.ValidFrom.Before(since) {
				continue
			}
			same, err := r.isIssued(ctx, c, req, known)
			if err != nil {
				return nil, err
			}
			if same {
				return c, nil
			}
		}
	}
	return nil, nil
}

// began is the earliest start of validity that a certificate issued by this
// request can have. A CA that sets it back further is not believed: to take an
// older certificate of the same key for the new one would be worse than to say
// that nothing was found.
func began(in cmapi.IssueRequest, sentAt time.Time) time.Time {
	if !in.ValidFrom.IsZero() {
		return in.ValidFrom.Add(-time.Second)
	}
	return sentAt.Add(-clockSkew)
}

func (r *Runner) isIssued(ctx context.Context, c *cmapi.Certificate, req *pki.Request, known *x509.Certificate) (bool, error) {
	if known != nil {
		return c.Serial.Equal(pki.SerialOf(known.SerialNumber)) && (c.Issuer == "" || pki.SameName(c.Issuer, pki.DN(known.RawIssuer))), nil
	}
	blob, err := r.Client.Certificates.Download(ctx, c.CertID, cmapi.MediaDER, 0)
	if err != nil {
		return false, err
	}
	cert, err := x509.ParseCertificate(blob.Bytes)
	if err != nil {
		return false, nil // not X.509: not ours
	}
	return string(cert.RawSubjectPublicKeyInfo) == string(req.CSR.RawSubjectPublicKeyInfo), nil
}
