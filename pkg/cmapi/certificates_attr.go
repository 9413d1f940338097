package cmapi

import "context"

// NewIssueAttrCert builds the issueCertificatePkcs10ToAttrCert request: an
// attribute certificate bound to the base certificate baseCertID. The PKCS#10
// may be its unsigned part alone; its public key is dropped.
func NewIssueAttrCert(baseCertID string, in IssueRequest) (Request, error) {
	return opIssueAttr.multipart(pkcs10Parts(in), in.Media, baseCertID)
}

// IssueAttrCert issues an attribute certificate for a base certificate
// (issueCertificatePkcs10ToAttrCert) and returns it in the wanted media type,
// of which the API names those of X.509. The bytes need not parse as X.509
// (docs/api-notes.md, 23).
func (s *Certificates) IssueAttrCert(ctx context.Context, baseCertID string, in IssueRequest) (*Blob, error) {
	r, err := NewIssueAttrCert(baseCertID, in)
	if err != nil {
		return nil, err
	}
	return s.blob(ctx, r)
}
