package cmapi

import "context"

// NewReinstate builds the reinstateCertificate request.
func NewReinstate(certIDs []string) Request {
	return opReinstate.form(nil, idFields(certIDs), acceptJSON)
}

// Reinstate lifts the hold of every named certificate (reinstateCertificate).
// When some fail, the error is an *Error with Items; the others may have been
// reinstated.
func (s *Certificates) Reinstate(ctx context.Context, certIDs []string) error {
	_, err := s.c.Do(ctx, NewReinstate(certIDs))
	return err
}
