package sandbox

import (
	"encoding/pem"
	"net/http"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// downloadCertificate gives the certificate itself, in the form of Accept.
func (g *gateway) downloadCertificate(c *call) (*answer, error) {
	form, err := chooseForm(c.r, kindDER, kindPKCS7, kindPEM)
	if err != nil {
		return nil, err
	}
	cert, err := g.named(c)
	if err != nil {
		return nil, err
	}
	leaf, err := g.bytesOf(c, &cert)
	if err != nil {
		return nil, err
	}
	return certificateAnswer(form, leaf, g.chainAbove(&cert)), nil
}

// bytesOf returns a certificate's DER. That of a seeded one is made when it is
// first asked for and kept.
func (g *gateway) bytesOf(c *call, cert *store.Cert) ([]byte, error) {
	if cert.DER != nil {
		return cert.DER, nil
	}
	der, err := g.ca.Materialise(*cert)
	if err != nil {
		return nil, err
	}
	return g.store.SetDER(c.ctx, cert.ID, der)
}

// chainAbove returns the CA certificates from the issuer up to the root; none
// for the root itself and for imported certificates.
func (g *gateway) chainAbove(cert *store.Cert) [][]byte {
	var out [][]byte
	for _, above := range g.ca.Chain(cert.IssuerID) {
		if string(above.Raw) != string(cert.DER) {
			out = append(out, above.Raw)
		}
	}
	return out
}

// certificateAnswer renders a certificate and the chain above it.
func certificateAnswer(form wantedForm, leaf []byte, above [][]byte) *answer {
	chain := append([][]byte{leaf}, above...)
	a := &answer{status: http.StatusOK, kind: form.kind}
	switch form.kind {
	case kindPKCS7:
		a.body = certsOnly(chain)
	case kindPEM:
		if form.depth > 0 && form.depth < len(chain) {
			chain = chain[:form.depth]
		}
		for _, der := range chain {
			a.body = append(a.body, pemOf(der)...)
		}
	default:
		a.body = leaf
	}
	return a
}

func pemOf(der []byte) []byte {
	kind := "CERTIFICATE"
	if ca.IsAttribute(der) {
		kind = "ATTRIBUTE CERTIFICATE"
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
