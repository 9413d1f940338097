package sandbox

import (
	"context"
	"crypto/x509"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// issueCertificatePkcs10ToAttrCert issues an attribute certificate for the
// holder of the certificate in the path.
func (g *gateway) issueCertificatePkcs10ToAttrCert(c *call) (*request, error) {
	form, err := chooseForm(c.r, kindPKCS7, kindDER, kindPEM)
	if err != nil {
		return nil, err
	}
	in, err := readIssue(c, forAttr)
	if err != nil {
		return nil, err
	}
	csr, err := ca.ParseKeyless(in.pkcs10)
	if err != nil {
		return nil, refuse(codeBadValue, "pkcs10: %v", err)
	}
	row, err := g.named(c)
	if err != nil {
		return nil, err
	}
	der, err := g.bytesOf(c, &row)
	if err != nil {
		return nil, err
	}
	base, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, refuse(codeBadValue, "certid: %d is no X.509 certificate", row.ID)
	}
	if c.now.After(base.NotAfter) {
		return nil, refuse(codeBadValue, "certid: certificate %d has expired", row.ID)
	}
	if !in.ends && base.NotAfter.Before(in.to) {
		in.to = base.NotAfter
	}
	return &request{
		fields: append([]field{textField("certid", c.path["certid"])}, in.fields(csr.Raw)...),
		ids:    c.rec.IDs,
		run: func(_ context.Context, tx *store.Tx) (result, error) {
			if now, _, err := tx.Get(row.ID); err != nil {
				return result{}, err
			} else if now.Revoked {
				return result{}, refuse(codeBadValue, "certid: certificate %d is revoked", row.ID)
			}
			made, err := g.ca.Issuer(in.proc.issuer).IssueAttribute(ca.AttributeRequest{Base: base, CSR: csr, NotBefore: in.from, NotAfter: in.to})
			if err != nil {
				return result{}, refuse(codeBadValue, "pkcs10: %v", err)
			}
			id, err := in.add(tx, made)
			if err != nil {
				return result{}, err
			}
			return issued(certificateAnswer(form, made.DER, g.chainOf(&in)), id), nil
		},
	}, nil
}
