package ops

import (
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Hold puts certificates on hold (revokeCertificate with certificateHold): on
// hold is already so, revoked cannot be held.
func Hold() *StateChange {
	return &StateChange{
		Verb:     "hold",
		Describe: "put on hold",
		Undo:     "cmctl cert reinstate",
		request:  func(ids []string) cmapi.Request { return cmapi.NewRevoke(ids, pki.CertificateHold) },
		reached:  (*cmapi.Certificate).OnHold,
		barred: func(c *cmapi.Certificate) *cmapi.ItemError {
			if c.Status != cmapi.StatusRevoked {
				return nil
			}
			return revokedOtherwise(c)
		},
		since:  revokedAt,
		reason: onHold(),
	}
}

func onHold() *pki.Reason {
	r := pki.CertificateHold
	return &r
}
