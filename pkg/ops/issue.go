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
	defer r.memory().alone(req.CSR.RawSubjectPublicKeyInfo)()
	out, err := r.issue(ctx, req, in)
	if err == nil && out.CertID != "" { // another of the same key may follow within the same second
		r.memory().noteIssued(out.CertID)
	}
	return out, err
}

func (r *Runner) issue(ctx context.Context, req *pki.Request, in cmapi.IssueRequest) (*Issuance, error) {
	in.PKCS10 = req.DER
	call, err := cmapi.NewIssue(in)
	if err != nil {
		return nil, err
	}
	want := &wanted{spki: req.CSR.RawSubjectPublicKeyInfo, cn: req.CSR.Subject.CommonName, older: r.memory().issuedSoFar()}
	if !in.ValidFrom.IsZero() {
		if err := r.noteOlder(ctx, want, in.ValidFrom); err != nil {
			return nil, err
		}
	}
	answer, err := r.exchangeFor(ctx, want, call, in)
	ctx = context.WithoutCancel(ctx)
	switch lost := lostAnswer(err); {
	case lost != nil:
		return r.settleIssue(ctx, want, in.Media, lost)
	case err != nil:
		return nil, err
	}
	out := &Issuance{CertID: answer.CertID, Bytes: answer.Body, Media: answer.ContentType}
	if out.Leaf, err = leafOf(answer.Body, want.spki); err != nil {
		// issued, but the answer does not hold it: as good as lost
		return r.settleIssue(ctx, want, in.Media, err)
	}
	if out.CertID == "" {
		want.leaf = out.Leaf
		if c, err := r.findIssued(ctx, want); err == nil && c != nil {
			out.CertID = c.CertID
		}
	}
	return out, nil
}

// IssuedSince looks for the certificate that a request brought about which was
// sent at a time, without asking for anything; nil when there is none.
func (r *Runner) IssuedSince(ctx context.Context, req *pki.Request, in cmapi.IssueRequest, sent time.Time) (*Issuance, error) {
	defer r.memory().alone(req.CSR.RawSubjectPublicKeyInfo)()
	want := &wanted{spki: req.CSR.RawSubjectPublicKeyInfo, cn: req.CSR.Subject.CommonName, since: sent.Add(-clockSkew), older: r.memory().issuedSoFar()}
	if !in.ValidFrom.IsZero() {
		want.since = in.ValidFrom.Add(-time.Second)
	}
	c, err := r.findIssued(ctx, want)
	if c == nil || err != nil {
		return nil, err
	}
	r.memory().noteIssued(c.CertID)
	return r.fetchIssued(ctx, c, want, in.Media)
}

// leafOf finds the certificate of the request's key among those of an answer,
// which may hold the chain in any order (docs/api-notes.md, 24).
func leafOf(body, spki []byte) (*x509.Certificate, error) {
	certs, err := pki.ReadCertificates("the gateway's answer", body)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if string(c.RawSubjectPublicKeyInfo) == string(spki) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("none of the %d certificates in the gateway's answer has the request's public key", len(certs))
}

// settleIssue looks for what a lost answer may have brought about.
func (r *Runner) settleIssue(ctx context.Context, want *wanted, media string, cause error) (*Issuance, error) {
	r.notice("issue: the answer was lost; looking for the certificate")
	var searchErr error
	for _, wait := range settleWaits {
		if wait > 0 && r.pause(ctx, wait) != nil {
			break
		}
		var c *cmapi.Certificate
		c, searchErr = r.findIssued(ctx, want)
		if c == nil {
			continue
		}
		return r.fetchIssued(ctx, c, want, media)
	}
	return nil, &UnsettledError{"certificate of this key", errors.Join(cause, searchErr)}
}

// fetchIssued downloads the certificate of an answer that was lost.
func (r *Runner) fetchIssued(ctx context.Context, c *cmapi.Certificate, want *wanted, media string) (*Issuance, error) {
	blob, err := r.Client.Certificates.Download(ctx, c.CertID, media, 1)
	if err != nil {
		return nil, exit.New(exit.Of(err), "fetch it with `cmctl cert download "+c.CertID+"`", "the certificate was issued as certid %s, but it cannot be downloaded: %w", c.CertID, err)
	}
	leaf, err := leafOf(blob.Bytes, want.spki)
	if err != nil {
		return nil, err
	}
	return &Issuance{CertID: c.CertID, Leaf: leaf, Bytes: blob.Bytes, Media: blob.ContentType, Settled: true}, nil
}

// UnsettledError says that a write was sent, its answer lost, and nothing of
// it found so far.
type UnsettledError struct {
	What string // what was looked for: "certificate of this key"
	Err  error
}

// Error tells the cause.
func (e *UnsettledError) Error() string {
	return fmt.Sprintf("the answer was lost and no new %s is found so far: %v", e.What, e.Err)
}

// Unwrap returns the cause.
func (e *UnsettledError) Unwrap() error { return e.Err }

// ExitCode is Unavailable.
func (e *UnsettledError) ExitCode() exit.Code { return exit.Unavailable }

// Hint says how to find out.
func (e *UnsettledError) Hint() string {
	return "before asking again, search for it with `cmctl cert search --cn ...`: a second request issues a second certificate"
}
