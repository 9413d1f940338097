package ops

import (
	"context"
	"crypto/x509"
	"encoding/hex"
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
	want := &wanted{req: req}
	if !in.ValidFrom.IsZero() {
		if err := r.noteOlder(ctx, want, in.ValidFrom); err != nil {
			return nil, err
		}
	}
	sentAt, answer, err := r.exchange(ctx, call)
	if in.ValidFrom.IsZero() {
		want.since = sentAt.Add(-clockSkew)
	}
	ctx = context.WithoutCancel(ctx)
	var lost *cmapi.Error
	switch {
	case errors.As(err, &lost) && lost.Lost:
		return r.settleIssue(ctx, want, in.Media, lost)
	case err != nil:
		return nil, err
	}
	out := &Issuance{CertID: answer.CertID, Bytes: answer.Body, Media: answer.ContentType}
	if out.Leaf, err = leafOf(answer.Body, req); err != nil {
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

// leafOf finds the certificate of the request's key among those of an answer,
// which may hold the chain in any order (docs/api-notes.md, 24).
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
		blob, err := r.Client.Certificates.Download(ctx, c.CertID, media, 1)
		if err != nil {
			return nil, exit.New(exit.Of(err), "fetch it with `cmctl cert download "+c.CertID+"`", "the certificate was issued as certid %s, but it cannot be downloaded: %w", c.CertID, err)
		}
		leaf, err := leafOf(blob.Bytes, want.req)
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

// wanted is what tells the certificate that one request brought about from
// every other.
type wanted struct {
	req   *pki.Request
	since time.Time         // its validity began no earlier
	older map[string]bool   // certids that were there before the send
	leaf  *x509.Certificate // the certificate itself, when only its certid is sought
}

// filters are the searches that may find it: by key identifier in both ways
// that CAs make it, else by common name.
func (w *wanted) filters() ([]cmapi.CertificateFilter, error) {
	skis, err := pki.SKIs(w.req.CSR.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	if w.leaf != nil && len(w.leaf.SubjectKeyId) > 0 {
		skis = []string{hex.EncodeToString(w.leaf.SubjectKeyId)}
	}
	both := []string{"EE", "CA"}
	var filters []cmapi.CertificateFilter
	for _, ski := range skis {
		filters = append(filters, cmapi.CertificateFilter{SubjectKeyIdentifier: ski, SubjectType: both})
	}
	if cn := w.req.CSR.Subject.CommonName; cn != "" {
		f := cmapi.CertificateFilter{SubjectCommonName: cn, SubjectType: both}
		if w.leaf == nil {
			f.ValidFromTimeFrom = w.since
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// noteOlder notes what is there before a certificate with a wanted start of
// validity is asked for: its start then tells nothing of when it was issued.
func (r *Runner) noteOlder(ctx context.Context, w *wanted, start time.Time) error {
	w.since, w.older = start.Add(-time.Second), map[string]bool{}
	filters, err := w.filters()
	if err != nil {
		return err
	}
	for _, f := range filters {
		page, err := r.Client.Certificates.List(ctx, f, 0, 0)
		if err != nil {
			return err
		}
		for _, c := range page.Certificates {
			w.older[c.CertID] = true
		}
	}
	return nil
}

// findIssued searches for the wanted certificate. A CA that sets the start of
// validity further back than clocks lie apart is not believed: to take an
// older certificate of the same key for the new one would be worse than to say
// that nothing was found.
func (r *Runner) findIssued(ctx context.Context, w *wanted) (*cmapi.Certificate, error) {
	filters, err := w.filters()
	if err != nil {
		return nil, err
	}
	for _, f := range filters {
		page, err := r.Client.Certificates.List(ctx, f, 0, 0)
		if err != nil {
			return nil, err
		}
		for i := len(page.Certificates) - 1; i >= 0; i-- { // the newest first, as most gateways list
			c := &page.Certificates[i]
			same, err := r.isIssued(ctx, c, w)
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

// isIssued compares serial and issuer when the certificate is known, else the
// public keys of what is new.
func (r *Runner) isIssued(ctx context.Context, c *cmapi.Certificate, w *wanted) (bool, error) {
	if w.leaf != nil {
		_, err := pki.ParseName(c.Issuer) // no name to compare where it is shown as bare values (docs/api-notes.md, 27)
		return c.Serial.Equal(pki.SerialOf(w.leaf.SerialNumber)) && (err != nil || c.Issuer == "" || pki.SameName(c.Issuer, pki.DN(w.leaf.RawIssuer))), nil
	}
	if w.older[c.CertID] || !c.ValidFrom.IsZero() && c.ValidFrom.Before(w.since) {
		return false, nil
	}
	blob, err := r.Client.Certificates.Download(ctx, c.CertID, cmapi.MediaDER, 0)
	if err != nil {
		return false, err
	}
	cert, err := x509.ParseCertificate(blob.Bytes)
	if err != nil {
		return false, nil // not X.509: not ours
	}
	return string(cert.RawSubjectPublicKeyInfo) == string(w.req.CSR.RawSubjectPublicKeyInfo), nil
}
