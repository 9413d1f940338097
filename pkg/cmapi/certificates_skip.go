package cmapi

import "context"

// NewSKIP builds the secureKeyInjectionPackage request. The PKCS#10 needs a
// subject and the first public key only; it may be its unsigned part alone.
// in.Media is not used.
func NewSKIP(in IssueRequest) (Request, error) {
	return opSKIP.multipart(pkcs10Parts(in), MediaPKCS7)
}

// SKIP has the server make the key pairs of a device
// (secureKeyInjectionPackage). The answer is PKCS#7 whose content is
// KeyPairContainers, the only copy of the keys that the caller gets.
func (s *Certificates) SKIP(ctx context.Context, in IssueRequest) (*Blob, error) {
	r, err := NewSKIP(in)
	if err != nil {
		return nil, err
	}
	return s.blob(ctx, r)
}
