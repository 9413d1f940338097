package cmdutil

import (
	"context"
	"crypto/x509"
	"os"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/revstatus"
)

// Checker asks CRLs and OCSP responders, without the officer's key. Empty URLs
// are those that certificates name. Over https, the CAs that the system knows
// count, and that of the context's ca-file.
func (f *Factory) Checker(crlURL, ocspURL string) (*revstatus.Checker, error) {
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	o := revstatus.Options{CRLURL: crlURL, OCSPURL: ocspURL, Timeout: s.Timeout, UserAgent: "cmctl/" + f.Version, Now: f.Now}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, exit.Usagef("", "the CA file of %s: %w", s.Origin("ca-file"), err)
		}
		if o.RootCAs, err = x509.SystemCertPool(); err != nil {
			o.RootCAs = x509.NewCertPool()
		}
		o.RootCAs.AppendCertsFromPEM(pem) // without any, the gateway's client says so
	}
	return revstatus.New(o)
}

// RevocationTarget fetches a certificate from the gateway, and its issuer's: from
// the gateway too or, where that has no chain, from where the certificate says.
func RevocationTarget(ctx context.Context, c *cmapi.Client, check *revstatus.Checker, certID string) (revstatus.Target, error) {
	blob, err := c.Certificates.Download(ctx, certID, cmapi.MediaDER, 0)
	if err != nil {
		return revstatus.Target{}, err
	}
	cert, err := x509.ParseCertificate(blob.Bytes)
	if err != nil {
		return revstatus.Target{}, exit.New(exit.Failure, "CRL and OCSP are asked about X.509 certificates; of others see `cmctl cert show`", "what the gateway has cannot be read as an X.509 certificate: %w", err)
	}
	if t := check.Target(cert, nil); t.Sourceless() {
		return t, nil
	}
	issuer := check.KnownIssuer(cert)
	if issuer == nil {
		if chain, err := c.Certificates.Download(ctx, certID, cmapi.MediaPEM, 0); err == nil {
			if certs, err := pki.ReadCertificates("the chain", chain.Bytes); err == nil {
				check.Know(certs...)
			}
		}
		if issuer, err = check.Issuer(ctx, cert); err != nil {
			return revstatus.Target{}, err
		}
	}
	return check.Target(cert, issuer), nil
}
