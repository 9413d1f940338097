package cmapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Registrations calls the operations on registrations: what devices and
// account holders may enrol by, under a token procedure.
type Registrations struct{ c *Client }

// RegistrationKind is the path that a registration goes by. SCEP, EST, CMP and
// ACME have one of their own with fields of their own; every other type
// (device, ...) goes by the generic one.
type RegistrationKind string

// The kinds.
const (
	GenericRegistration RegistrationKind = ""
	SCEPRegistration    RegistrationKind = "scep"
	ESTRegistration     RegistrationKind = "est"
	CMPRegistration     RegistrationKind = "cmp"
	ACMERegistration    RegistrationKind = "acme"
)

// KindOfRegistration is the path for a registration type (regtype).
func KindOfRegistration(regtype string) RegistrationKind {
	switch k := RegistrationKind(strings.ToLower(regtype)); k {
	case SCEPRegistration, ESTRegistration, CMPRegistration, ACMERegistration:
		return k
	}
	return GenericRegistration
}

// registrationOperations are the three operations of one path.
type registrationOperations struct{ list, create, update Operation }

func (k RegistrationKind) operations() registrationOperations {
	switch k {
	case SCEPRegistration:
		return registrationOperations{opListRegistrationsSCEP, opCreateRegistrationSCEP, opUpdateRegistrationSCEP}
	case ESTRegistration:
		return registrationOperations{opListRegistrationsEST, opCreateRegistrationEST, opUpdateRegistrationEST}
	case CMPRegistration:
		return registrationOperations{opListRegistrationsCMP, opCreateRegistrationCMP, opUpdateRegistrationCMP}
	case ACMERegistration:
		return registrationOperations{opListRegistrationsACME, opCreateRegistrationACME, opUpdateRegistrationACME}
	}
	return registrationOperations{opListRegistrations, opCreateRegistration, opUpdateRegistration}
}

// literalProcedure is the one id that no path below a procedure can carry: the
// gateway would read .../certificate/scep as the registration behind the
// certificate "scep" (docs/api-notes.md, 32).
const literalProcedure = "certificate"

func (k RegistrationKind) checkProcedure(procID string) error {
	switch {
	case procID == "":
		return errors.New("no procedure is named")
	case procID == literalProcedure && k != GenericRegistration:
		return fmt.Errorf("a procedure with the id %q cannot be reached by the path for %s registrations: the gateway takes it for another", procID, k)
	}
	return nil
}

// Values of Registration.Status.
const (
	RegistrationOpen   = "open"
	RegistrationClosed = "closed"
)

// ValidityAlways is the Validity of a registration that never ends.
const ValidityAlways = "always"

// Registration is what CM knows of one registration (Registration,
// PreRegistrationAcme), with values brought to one form: ids strings, Status
// in lower case, CreationDate UTC. A value that the gateway left out is zero.
type Registration struct {
	RegID        string
	FQDN         string // of an ACME registration: the id of its key, perhaps
	RegType      string
	Status       string // open or closed
	Validity     string // days, or always
	CreationDate time.Time
	Officer      string
	CertIDs      []string
	AccountIDs   []string // of an ACME registration

	// EncryptedPassword is opaque. It is printed on request only: take it out
	// of what is shown otherwise.
	EncryptedPassword string

	Extra map[string]json.RawMessage
}

// UnmarshalJSON reads every form that gateways are known to answer with.
func (r *Registration) UnmarshalJSON(raw []byte) (err error) {
	var o object
	if err = json.Unmarshal(raw, &o); err != nil {
		return err
	}
	t := taker{o: &o}
	*r = Registration{
		RegID: t.text("regid"), FQDN: t.text("fqdn"), RegType: t.text("regtype"), Status: lowerWord(t.text("status")),
		Validity: t.text("validity"), CreationDate: t.time("creationdate"), Officer: t.text("officer"),
		CertIDs: t.texts("certids"), AccountIDs: t.texts("accountids"), EncryptedPassword: t.text("encryptedpassword"),
	}
	r.Extra = withoutSecrets(o.rest())
	return t.err
}

// MarshalJSON writes the API's names in a fixed order, then unknown members.
func (r Registration) MarshalJSON() ([]byte, error) {
	var m members
	m.put("regid", r.RegID)
	m.put("fqdn", r.FQDN)
	m.put("regtype", r.RegType)
	m.put("status", r.Status)
	m.put("validity", r.Validity)
	m.put("creationdate", r.CreationDate)
	m.put("officer", r.Officer)
	m.put("certids", r.CertIDs)
	m.put("accountids", r.AccountIDs)
	m.put("encryptedpassword", r.EncryptedPassword)
	m.extra(r.Extra)
	return m.bytes()
}

// taker takes members of an object one after the other and keeps the first
// error.
type taker struct {
	o   *object
	err error
}

func (t *taker) text(name string) (s string) {
	if t.err == nil {
		s, t.err = t.o.text(name)
	}
	return s
}

func (t *taker) texts(name string) (s []string) {
	if t.err == nil {
		s, t.err = t.o.texts(name)
	}
	return s
}

func (t *taker) time(name string) (v time.Time) {
	if t.err == nil {
		v, t.err = t.o.time(name)
	}
	return v
}

// lowerWord is a word that is compared without case.
func lowerWord(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// withoutSecrets keeps unknown members from passing a secret through, such as
// a password that a gateway echoes.
func withoutSecrets(rest map[string]json.RawMessage) map[string]json.RawMessage {
	for name := range rest {
		l := strings.ToLower(name)
		if slices.ContainsFunc([]string{"password", "hmac", "secret"}, func(s string) bool { return strings.Contains(l, s) }) {
			delete(rest, name)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return rest
}
