package ops

import (
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Revoke is revocation with a reason (revokeCertificate): active or on hold
// becomes revoked; revoked for the same reason is already so; revoked for
// another cannot be changed. With certificateHold it is Hold.
func Revoke(reason pki.Reason) *StateChange {
	if reason == pki.CertificateHold {
		return Hold()
	}
	return &StateChange{
		Verb:     "revoke",
		Describe: "revoke with reason " + reason.String(),
		request:  func(ids []string) cmapi.Request { return cmapi.NewRevoke(ids, reason) },
		reached: func(c *cmapi.Certificate) bool {
			return c.Status == cmapi.StatusRevoked && reasonOf(c) == reason.String()
		},
		barred: func(c *cmapi.Certificate) *cmapi.ItemError {
			if c.Status != cmapi.StatusRevoked || c.OnHold() {
				return nil
			}
			return revokedOtherwise(c)
		},
		since:  revokedAt,
		reason: &reason,
	}
}

func revokedAt(c *cmapi.Certificate) time.Time { return c.RevocationTime }

// reasonOf reads no reason as unspecified, as RFC 5280, section 5.3.1, does.
func reasonOf(c *cmapi.Certificate) string {
	if c.Reason == "" {
		return pki.Unspecified.String()
	}
	return c.Reason
}

func revokedOtherwise(c *cmapi.Certificate) *cmapi.ItemError {
	e := &cmapi.ItemError{Code: cmapi.ItemAlreadyRevoked, Message: "for " + reasonOf(c)}
	if !c.RevocationTime.IsZero() {
		e.Message += " at " + pki.FormatTime(c.RevocationTime)
	}
	return e
}
