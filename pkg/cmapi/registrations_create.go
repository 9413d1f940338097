package cmapi

import (
	"context"
	"encoding/json"
	"fmt"
)

// NewCreateRegistration builds the request that creates a registration under
// the procedure of this id (createRegistration, createRegistrationScep,
// createRegistrationEst, createRegistrationCmp, createRegistrationAcme). The
// generic path alone takes and needs a RegType.
func NewCreateRegistration(kind RegistrationKind, procID string, in RegistrationInput) (Request, error) {
	op := kind.operations().create
	base, need := []string{"fqdn", "validity", "status"}, []string{"fqdn"}
	switch kind {
	case GenericRegistration:
		base, need = append(base, "regtype"), append(need, "regtype")
	case SCEPRegistration:
		need = append(need, "password")
	case ACMERegistration:
		need = append(need, "hmacKey")
	}
	return op.registration(kind, procID, in, base, need)
}

// Create creates a registration and returns its id, "" when the gateway does
// not say it (createRegistration and those of SCEP, EST, CMP and ACME).
func (s *Registrations) Create(ctx context.Context, kind RegistrationKind, procID string, in RegistrationInput) (regID string, err error) {
	r, err := NewCreateRegistration(kind, procID, in)
	if err != nil {
		return "", err
	}
	a, err := s.c.Do(ctx, r)
	if err != nil {
		return "", err
	}
	return RegistrationIDOf(a), nil
}

// registration builds a write. Always JSON: a file, which the API speaks of
// too, is declared nowhere (docs/api-notes.md, 16).
func (op Operation) registration(kind RegistrationKind, procID string, in RegistrationInput, base, need []string) (Request, error) {
	if err := kind.checkProcedure(procID); err != nil {
		return Request{}, fmt.Errorf("%s: %w", op.ID, err)
	}
	if err := in.check(kind, base...); err != nil {
		return Request{}, fmt.Errorf("%s: %w", op.ID, err)
	}
	given := in.given()
	for _, name := range need {
		if firstOf(given, []string{name}) == "" {
			return Request{}, fmt.Errorf("%s: %s is missing", op.ID, name)
		}
	}
	return op.json(in, acceptJSON, procID)
}

// RegistrationIDOf is the id in the answer to a creation or a change; "" when
// there is none.
func RegistrationIDOf(a *Answer) string {
	var out struct{ Registration Registration }
	if json.Unmarshal(trimBOM(a.Body), &out) != nil {
		return ""
	}
	return out.Registration.RegID
}
