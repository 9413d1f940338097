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

// AttrIssuance is what came of a request for an attribute certificate.
type AttrIssuance struct {
	Issuance // Leaf is nil: an attribute certificate is no X.509 certificate
	// Cert is the attribute certificate; nil when the bytes are of a form that
	// is not known here, which is no failure (docs/api-notes.md, 23).
	Cert *pki.AttrCert
}

// Base fetches the certificate that attribute certificates are to be bound to.
func (r *Runner) Base(ctx context.Context, certID string) (*x509.Certificate, error) {
	blob, err := r.Client.Certificates.Download(ctx, certID, cmapi.MediaDER, 0)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(blob.Bytes)
	if err != nil {
		return nil, exit.New(exit.WrongState, "the base is an X.509 certificate", "certificate %s cannot be a base: %w", certID, err)
	}
	return c, nil
}

// IssueAttr issues an attribute certificate for the base certificate
// (issueCertificatePkcs10ToAttrCert). A lost answer is settled by search: the
// new attribute certificate whose holder is the base is the one. One that
// comes with another holder is an *UnusableError.
func (r *Runner) IssueAttr(ctx context.Context, baseID string, base *x509.Certificate, req *pki.Request, in cmapi.IssueRequest) (*AttrIssuance, error) {
	in.PKCS10 = req.DER
	call, err := cmapi.NewIssueAttrCert(baseID, in)
	if err != nil {
		return nil, err
	}
	want := &wanted{} // without a name: which subject it is listed under is not stated
	if err := r.noteArrived(ctx, want, in.ValidFrom); err != nil {
		return nil, err
	}
	answer, err := r.exchangeFor(ctx, want, call, in)
	ctx = context.WithoutCancel(ctx)
	switch lost := lostAnswer(err); {
	case lost != nil:
		return r.settleAttr(ctx, want, base, in.Media, lost)
	case err != nil:
		return nil, err
	}
	out := &AttrIssuance{Issuance: Issuance{CertID: answer.CertID, Bytes: answer.Body, Media: answer.ContentType}}
	if certs, err := pki.ReadAttrCerts(answer.Body); err == nil && len(certs) > 0 {
		out.Cert = certs[0]
	}
	if out.CertID == "" {
		if id, _, err := r.findAttr(ctx, want, base); err == nil {
			out.CertID = id
		}
	}
	if out.Cert != nil && !out.Cert.Holder.Digest && !out.Cert.Holder.Is(base) {
		return nil, &UnusableError{&out.Issuance, fmt.Errorf("the attribute certificate that came is not bound to certificate %s", baseID)}
	}
	return out, nil
}

func (r *Runner) settleAttr(ctx context.Context, want *wanted, base *x509.Certificate, media string, cause error) (*AttrIssuance, error) {
	r.notice("issue-attr: the answer was lost; looking for the attribute certificate")
	var searchErr error
	for _, wait := range settleWaits {
		if wait > 0 && r.pause(ctx, wait) != nil {
			break
		}
		var id string
		var cert *pki.AttrCert
		if id, cert, searchErr = r.findAttr(ctx, want, base); id == "" {
			continue
		}
		return r.fetchAttr(ctx, id, cert, media)
	}
	return nil, &UnsettledError{"attribute certificate of this base", errors.Join(cause, searchErr)}
}

// AttrSince looks for the attribute certificate of a base that came since a
// request was sent, without asking for anything; nil when there is none.
func (r *Runner) AttrSince(ctx context.Context, base *x509.Certificate, in cmapi.IssueRequest, sent time.Time) (*AttrIssuance, error) {
	id, cert, err := r.findAttr(ctx, r.leftBehind("", in.ValidFrom, sent), base)
	if id == "" || err != nil {
		return nil, err
	}
	return r.fetchAttr(ctx, id, cert, in.Media)
}

// fetchAttr downloads the attribute certificate of an answer that was lost.
func (r *Runner) fetchAttr(ctx context.Context, id string, cert *pki.AttrCert, media string) (*AttrIssuance, error) {
	blob, err := r.Client.Certificates.Download(ctx, id, media, 1)
	if err != nil {
		return nil, exit.New(exit.Of(err), "fetch it with `cmctl cert download "+id+"`", "the attribute certificate was issued as certid %s, but it cannot be downloaded: %w", id, err)
	}
	return &AttrIssuance{Issuance{CertID: id, Bytes: blob.Bytes, Media: blob.ContentType, Settled: true}, cert}, nil
}

// findAttr looks through what came since the send for an attribute certificate
// of the base.
func (r *Runner) findAttr(ctx context.Context, want *wanted, base *x509.Certificate) (string, *pki.AttrCert, error) {
	found, err := r.arrivals(ctx, want)
	if err != nil {
		return "", nil, err
	}
	for _, c := range found {
		blob, err := r.Client.Certificates.Download(ctx, c.CertID, cmapi.MediaDER, 0)
		if err != nil {
			return "", nil, err
		}
		certs, err := pki.ReadAttrCerts(blob.Bytes)
		if err == nil && len(certs) > 0 && certs[0].Holder.Is(base) {
			return c.CertID, certs[0], nil
		}
	}
	return "", nil, nil
}
