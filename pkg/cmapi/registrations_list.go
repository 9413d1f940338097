package cmapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
)

// RegistrationFilter narrows a list of registrations; the zero value lists
// all. These are the only parameters that are ever sent: the API declares ten
// more that no operation uses, and some would put a secret into a URL
// (docs/api-notes.md, 33).
type RegistrationFilter struct {
	RegID    string
	FQDN     string
	Status   string
	Validity string
	Officer  string
	RegType  string // generic path only
}

func (f RegistrationFilter) query() url.Values {
	q := url.Values{}
	setUnlessEmpty(q, "regid", f.RegID)
	setUnlessEmpty(q, "fqdn", f.FQDN)
	setUnlessEmpty(q, "status", f.Status)
	setUnlessEmpty(q, "validity", f.Validity)
	setUnlessEmpty(q, "officer", f.Officer)
	setUnlessEmpty(q, "regtype", f.RegType)
	return q
}

// List returns the registrations of a procedure, named by its id
// (listRegistrations, listRegistrationsScep, listRegistrationsEst,
// listRegistrationsCmp, listRegistrationsAcme). There are no pages.
func (s *Registrations) List(ctx context.Context, kind RegistrationKind, procID string, f RegistrationFilter) ([]Registration, error) {
	op := kind.operations().list
	if err := kind.checkProcedure(procID); err != nil {
		return nil, fmt.Errorf("%s: %w", op.ID, err)
	}
	if kind != GenericRegistration && f.RegType != "" {
		return nil, fmt.Errorf("%s: it takes no regtype", op.ID)
	}
	r := op.read(f.query(), acceptJSON, procID)
	a, err := s.c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	var o object
	if err := decodeJSON(r, a, &o); err != nil {
		return nil, err
	}
	var list []Registration
	if raw, ok := o.take("registrations"); ok {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, nonsense(r, a, err)
		}
	}
	return list, nil
}
