package ops

import (
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// Reinstate lifts a hold (reinstateCertificate): active is already so, revoked
// for another reason cannot be reinstated.
func Reinstate() *StateChange {
	return &StateChange{
		Verb:     "reinstate",
		Describe: "reinstate",
		Undo:     "cmctl cert hold",
		request:  cmapi.NewReinstate,
		reached:  func(c *cmapi.Certificate) bool { return c.Status == cmapi.StatusActive },
		barred: func(c *cmapi.Certificate) *cmapi.ItemError {
			if c.Status != cmapi.StatusRevoked || c.OnHold() {
				return nil
			}
			e := revokedOtherwise(c)
			e.Code, e.Message = cmapi.ItemNotOnHold, "revoked "+e.Message
			return e
		},
		// nothing tells when a certificate became active again
		since: func(*cmapi.Certificate) time.Time { return time.Time{} },
	}
}
