package sandbox

import (
	"context"
	"net/http"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// change is what a write makes of a registration.
type change func(*store.Registration)

// createRegistration adds a registration of the type, or, where the path names
// none, of that in the body.
func (g *gateway) createRegistration(kind string) func(*call) (*request, error) {
	return func(c *call) (*request, error) {
		proc, err := registering(c, kind)
		if err != nil {
			return nil, err
		}
		m := c.members("procid")
		r := store.Registration{ProcID: proc.id, Type: kind, Created: c.now, Opened: c.now}
		changes, err := g.readRegistration(c, m, &r, true)
		if err != nil {
			return nil, err
		}
		if !proc.mayHold(r.Type) {
			return nil, refuse(codeBadValue, "regtype: %q registrations are not made under procedure %q", r.Type, proc.id)
		}
		return &request{
			fields: m.fields,
			run: func(_ context.Context, tx *store.Tx) (result, error) {
				r.ID, r.Officer = newRegID(), c.by()
				return putRegistration(tx, &r, kind, changes)
			},
		}, nil
	}
}

// updateRegistration changes a registration of the type, or of any.
func (g *gateway) updateRegistration(kind string) func(*call) (*request, error) {
	return func(c *call) (*request, error) {
		proc, err := registering(c, kind)
		if err != nil {
			return nil, err
		}
		m := c.members("procid")
		id, sent := m.text("regid")
		m.need("regid", sent)
		changes, err := g.readRegistration(c, m, &store.Registration{Type: kind}, false)
		if err != nil {
			return nil, err
		}
		return &request{
			fields: m.fields,
			ids:    []string{id},
			run: func(_ context.Context, tx *store.Tx) (result, error) {
				r, found, err := tx.Registration(id)
				switch {
				case err != nil:
					return result{}, err
				case !found || r.ProcID != proc.id || kind != typeAny && r.Type != kind:
					return result{}, refuse(codeBadValue, "regid: procedure %q has no such registration", proc.id)
				case len(changes) == 0:
					return result{answer: registrationAnswer(&r)}, nil
				}
				r.Officer = c.by()
				return putRegistration(tx, &r, kind, changes)
			},
		}, nil
	}
}

// putRegistration makes the changes, unless they leave a registration of the
// path's type without what it needs. The generic operations know no such field.
func putRegistration(tx *store.Tx, r *store.Registration, kind string, changes []change) (result, error) {
	for _, apply := range changes {
		apply(r)
	}
	if kind == typeEST && !estComplete(r) {
		return result{}, refuse(codeMissing, "missing field: password, or subject-commonname or authentication-certificate-ca")
	}
	if err := tx.PutRegistration(*r); err != nil {
		return result{}, err
	}
	return result{answer: registrationAnswer(r), regids: []string{r.ID}}, nil
}

func registrationAnswer(r *store.Registration) *answer {
	type named struct {
		ID string `json:"regid"`
	}
	return jsonAnswer(http.StatusOK, codeOK, struct {
		Registration named `json:"registration"`
		status
	}{named{r.ID}, done})
}

// readRegistration reads what a body says of a registration of r's type; a
// body that makes one must say more than one that changes it.
func (g *gateway) readRegistration(c *call, m *members, r *store.Registration, create bool) ([]change, error) {
	var changes []change
	fqdn, sent := m.line("fqdn")
	if sent {
		changes = append(changes, func(r *store.Registration) { r.FQDN = fqdn })
	}
	if create {
		m.need("fqdn", sent)
	}
	if r.Type != typeAny {
		more, err := g.readOwnFields(m, r.Type, create)
		if err != nil {
			return nil, err
		}
		changes = append(changes, more...)
	} else if create {
		var named bool
		r.Type, named = m.text("regtype")
		m.need("regtype", named)
	}
	if days, sent := m.validity("validity"); sent {
		changes = append(changes, func(r *store.Registration) { r.Days, r.Opened = days, c.now })
	}
	if s, sent := m.text("status"); sent {
		if s != "open" && s != "closed" {
			m.bad("status", "expected open or closed")
		}
		changes = append(changes, func(r *store.Registration) { r.Closed = s == "closed" })
	}
	return changes, m.end()
}
