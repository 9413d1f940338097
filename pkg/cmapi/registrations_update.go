package cmapi

import "context"

// NewUpdateRegistration builds the request that changes the registration
// in.RegID under the procedure of this id (updateRegistration,
// updateRegistrationScep, updateRegistrationEst, updateRegistrationCmp,
// updateRegistrationAcme). regid is called read-only and required at once: it
// is sent. regtype is read-only: it is not (docs/api-notes.md, 14, 15).
func NewUpdateRegistration(kind RegistrationKind, procID string, in RegistrationInput) (Request, error) {
	op := kind.operations().update
	return op.registration(kind, procID, in, []string{"regid", "fqdn", "validity", "status"}, []string{"regid"})
}

// Update changes a registration (updateRegistration and those of SCEP, EST,
// CMP and ACME).
func (s *Registrations) Update(ctx context.Context, kind RegistrationKind, procID string, in RegistrationInput) error {
	r, err := NewUpdateRegistration(kind, procID, in)
	if err != nil {
		return err
	}
	_, err = s.c.Do(ctx, r)
	return err
}
