package cmapi

import (
	"context"
	"strconv"

	"github.com/cmctl/cmctl/pkg/pki"
)

// MaxIDs is the most certificate ids that are put in one request: servlet
// containers drop form parameters past a limit, 1000 by default, silently.
const MaxIDs = 900

// NewRevoke builds the revokeCertificate request. reason goes first: what a
// container drops is at the end.
func NewRevoke(certIDs []string, reason pki.Reason) Request {
	return opRevoke.form([]field{{"reason", strconv.Itoa(int(reason))}}, idFields(certIDs), acceptJSON)
}

// Revoke revokes every named certificate (revokeCertificate), with reason
// CertificateHold to put it on hold. When some fail, the error is an *Error
// with Items; the others may have been revoked.
func (s *Certificates) Revoke(ctx context.Context, certIDs []string, reason pki.Reason) error {
	_, err := s.c.Do(ctx, NewRevoke(certIDs, reason))
	return err
}

func idFields(certIDs []string) []field {
	fs := make([]field, len(certIDs))
	for i, id := range certIDs {
		fs[i] = field{"certid", id}
	}
	return fs
}
