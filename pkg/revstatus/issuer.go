package revstatus

import (
	"bytes"
	"context"
	"crypto/x509"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Know offers certificates that may be issuers, as a downloaded chain has them.
func (c *Checker) Know(certs ...*x509.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cert := range certs {
		c.know(cert)
	}
}

func (c *Checker) know(cert *x509.Certificate) {
	name := string(cert.RawSubject)
	for _, k := range c.issuers[name] {
		if bytes.Equal(k.Raw, cert.Raw) {
			return
		}
	}
	c.issuers[name] = append(c.issuers[name], cert)
}

// KnownIssuer is the issuer among the certificates seen so far, proven by the
// certificate's signature; nil when it is not among them.
func (c *Checker) KnownIssuer(cert *x509.Certificate) *x509.Certificate {
	c.mu.Lock()
	candidates := c.issuers[string(cert.RawIssuer)]
	c.mu.Unlock()
	for _, k := range candidates {
		if cert.CheckSignatureFrom(k) == nil {
			return k
		}
	}
	return nil
}

// Issuer is the certificate's issuer: one that is known, else from the URLs
// that the certificate names (caIssuers).
func (c *Checker) Issuer(ctx context.Context, cert *x509.Certificate) (*x509.Certificate, error) {
	if bytes.Equal(cert.RawIssuer, cert.RawSubject) && cert.CheckSignatureFrom(cert) == nil {
		return cert, nil
	}
	if k := c.KnownIssuer(cert); k != nil {
		return k, nil
	}
	if len(cert.IssuingCertificateURL) == 0 {
		return nil, exit.New(exit.Failure, "put the issuer's certificate behind it in the file", "the certificate names no place to fetch its issuer's certificate from")
	}
	issuer, _, err := firstOf(cert.IssuingCertificateURL, func(url string) (*x509.Certificate, error) {
		got, err := c.fetch.get(ctx, url, "application/pkix-cert, application/pkcs7-mime, */*;q=0.5", maxSmall, nil)
		if err != nil {
			return nil, err
		}
		found, err := pki.ReadCertificates("the answer", got.body)
		if err != nil {
			return nil, exit.New(exit.Unavailable, "", "%w", err)
		}
		c.Know(found...)
		if k := c.KnownIssuer(cert); k != nil {
			return k, nil
		}
		return nil, exit.New(exit.Failure, "", "what is there did not sign the certificate")
	})
	if err != nil {
		return nil, exit.New(exit.Of(err), exit.HintOf(err), "the issuer's certificate: %w", err)
	}
	return issuer, nil
}
