package cmapi

import (
	"context"
	"errors"
)

// MediaPKCS12 is the media type of a PKCS#12 file.
const MediaPKCS12 = "application/x-pkcs12"

// NewIssueP12 builds the issueCertificatePkcs10ToPkcs12 request. The key is
// made by the server and comes back in a PKCS#12 file under the password,
// which must not be empty: how a password that the server makes up reaches the
// caller is not stated (docs/api-notes.md, 39). The PKCS#10 may be its unsigned part alone.
// in.Media is not used.
func NewIssueP12(in IssueRequest, password string) (Request, error) {
	if password == "" {
		return Request{}, errors.New("a PKCS#12 file needs a password")
	}
	fields := pkcs10Parts(in)
	last := len(fields) - 1 // the request itself, the longest, stays last
	fields = append(fields[:last:last], part{name: "password", value: password}, fields[last])
	return opIssueP12.multipart(fields, MediaPKCS12)
}

// IssueP12 has the server make a key and issue a certificate for it
// (issueCertificatePkcs10ToPkcs12). The answer is the only copy of the key
// that the caller gets.
func (s *Certificates) IssueP12(ctx context.Context, in IssueRequest, password string) (*Blob, error) {
	r, err := NewIssueP12(in, password)
	if err != nil {
		return nil, err
	}
	return s.blob(ctx, r)
}
