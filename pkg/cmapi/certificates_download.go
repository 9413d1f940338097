package cmapi

import (
	"context"
	"strconv"
)

// Media types of certificates, as sent in Accept.
const (
	MediaDER   = "application/pkix-cert"
	MediaPKCS7 = "application/pkcs7-mime"
	MediaPEM   = "application/pem-certificate-chain"
)

// Blob is a binary answer: a certificate, a chain, a package.
type Blob struct {
	ContentType string
	CertID      string // of a new certificate, when the gateway names it
	Bytes       []byte
}

// Download fetches a certificate (downloadCertificate) as media, one of the
// Media constants. depth counts for PEM only: 0 is the whole chain, 1 the
// certificate alone, N that many certificates of the chain. An attribute
// certificate comes as the gateway stores it; the bytes are not parsed.
func (s *Certificates) Download(ctx context.Context, certID, media string, depth int) (*Blob, error) {
	if media == MediaPEM && depth > 0 {
		media += ";depth=" + strconv.Itoa(depth)
	}
	return s.blob(ctx, opDownload.read(nil, media, certID))
}

// blob sends a request that is answered by bytes.
func (s *Certificates) blob(ctx context.Context, r Request) (*Blob, error) {
	a, err := s.c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Blob{ContentType: a.ContentType, CertID: a.CertID, Bytes: a.Body}, nil
}
