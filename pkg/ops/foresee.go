package ops

import (
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// Foresee tells what a change would come to for a certificate as a look-up
// gives it: done, already, or failed and why. Nothing is sent. An error of the
// look-up other than that it is not known is Unknown.
func (w *StateChange) Foresee(certID string, c *cmapi.Certificate, err error) (Outcome, error) {
	switch {
	case exit.Of(err) == exit.NotFound:
		return Failed, &cmapi.ItemError{CertID: certID, Code: cmapi.ItemMissing}
	case err != nil:
		return Unknown, err
	case w.reached(c):
		return Already, nil
	}
	if barred := w.barred(c); barred != nil {
		barred.CertID = certID
		return Failed, barred
	}
	return Done, nil
}
