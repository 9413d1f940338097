package ops

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pkcs12"
)

// IssueP12 has the server make a key and issue a certificate for it
// (issueCertificatePkcs10ToPkcs12). The PKCS#12 is opened with the password
// before success is said. A lost answer is a *LostKeyError, one that does not
// open an *UnusableError.
func (r *Runner) IssueP12(ctx context.Context, req *pki.Request, in cmapi.IssueRequest, password []byte) (*Issuance, error) {
	in.PKCS10 = req.DER
	call, err := cmapi.NewIssueP12(in, string(password))
	if err != nil {
		return nil, err
	}
	answer, want, err := r.issueKeyed(ctx, call, req, in)
	if err != nil {
		return nil, err
	}
	out := &Issuance{CertID: answer.CertID, Bytes: answer.Body, Media: answer.ContentType}
	if out.Leaf, err = OpenP12(answer.Body, password); err != nil {
		out.CertID = r.certIDOfKeyed(ctx, out.CertID, want)
		return nil, &UnusableError{out, err}
	}
	if out.CertID == "" {
		want.leaf = out.Leaf
		if c, err := r.findIssued(context.WithoutCancel(ctx), want); err == nil && c != nil {
			out.CertID = c.CertID
		}
	}
	return out, nil
}

// issueKeyed sends a request whose answer holds keys that the server made.
func (r *Runner) issueKeyed(ctx context.Context, call cmapi.Request, req *pki.Request, in cmapi.IssueRequest) (*cmapi.Answer, *wanted, error) {
	want := &wanted{cn: req.CSR.Subject.CommonName}
	if err := r.noteArrived(ctx, want, in.ValidFrom); err != nil {
		return nil, nil, err
	}
	answer, err := r.exchangeFor(ctx, want, call, in)
	switch lost := lostAnswer(err); {
	case lost != nil:
		return nil, nil, r.settleLostKey(context.WithoutCancel(ctx), want, lost)
	case err != nil:
		return nil, nil, err
	}
	return answer, want, nil
}

// certIDOfKeyed finds the certid of what was just issued, where the gateway
// did not name it and the answer does not help: when one new certificate fits.
func (r *Runner) certIDOfKeyed(ctx context.Context, named string, want *wanted) string {
	if named != "" {
		return named
	}
	found, err := r.arrivals(context.WithoutCancel(ctx), want)
	if err != nil || len(found) != 1 {
		return ""
	}
	return found[0].CertID
}

// OpenP12 opens a PKCS#12 file and returns the certificate of its key.
func OpenP12(der, password []byte) (*x509.Certificate, error) {
	f, err := pkcs12.Read("of the answer", der)
	if err != nil {
		return nil, fmt.Errorf("the certificate was issued, but what came cannot be checked: %w", err)
	}
	key, certs, err := f.Open(password)
	switch {
	case errors.Is(err, pkcs12.ErrWrongPassword):
		return nil, errors.New("the certificate was issued, but the PKCS#12 file that came does not open with the password that was sent")
	case err != nil:
		return nil, fmt.Errorf("the certificate was issued, but the PKCS#12 file that came cannot be opened: %w", err)
	}
	if signer, ok := key.(crypto.Signer); ok {
		for _, c := range certs {
			if pub, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && pub.Equal(signer.Public()) {
				return c, nil
			}
		}
	}
	return nil, errors.New("the certificate was issued, but the PKCS#12 file that came holds no certificate of its private key")
}
