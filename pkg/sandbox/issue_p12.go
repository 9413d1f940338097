package sandbox

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// issueCertificatePkcs10ToPkcs12 makes a key and issues a certificate for it.
// The PKCS#12 is the only copy of the key: nothing here keeps it.
func (g *gateway) issueCertificatePkcs10ToPkcs12(c *call) (*request, error) {
	if _, err := chooseForm(c.r, kindPKCS12); err != nil {
		return nil, err
	}
	in, err := readIssue(c, forPKCS12)
	if err != nil {
		return nil, err
	}
	csr, err := ca.ParseKeyless(in.pkcs10)
	if err != nil {
		return nil, refuse(codeBadValue, "pkcs10: %v", err)
	}
	password, given, err := c.form.text("password")
	if err != nil {
		return nil, err
	}
	fields := in.fields(csr.Raw)
	switch {
	case !given:
		password = rand.Text() // which nobody learns: the API does not say how
	case password == "":
		return nil, refuse(codeBadValue, "password: empty")
	case strings.ContainsFunc(password, func(r rune) bool { return r > 0xffff }):
		return nil, refuse(codeBadValue, "password: a PKCS#12 takes characters up to U+FFFF")
	default:
		fields = append(fields, digestField("password", []byte(password)))
	}
	return &request{
		fields: fields,
		run: func(_ context.Context, tx *store.Tx) (result, error) {
			key, err := makeKey(csr)
			if err != nil {
				return result{}, err
			}
			cert, id, err := g.issue(tx, &in, csr)
			if err != nil {
				return result{}, err
			}
			var above []*x509.Certificate
			if in.proc.chain {
				above = g.ca.Chain(in.proc.issuer)
			}
			file, err := pkcs12.Modern2023.Encode(key, cert, above, password)
			if err != nil {
				return result{}, err
			}
			return issued(&answer{status: http.StatusOK, kind: kindPKCS12, body: file}, id), nil
		},
	}, nil
}

// makeKey makes the key that a request without one gets.
func makeKey(csr *x509.CertificateRequest) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err == nil {
		csr.PublicKey = key.Public()
	}
	return key, err
}
