package sandbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// The types of registrations. Those with a path of their own are made under a
// procedure of that very kind, a device under any that registers.
const (
	typeEST     = string(forEST)
	typeCMP     = string(forCMP)
	typeSCEP    = string(forSCEP)
	typeACME    = string(forACME)
	typeDevice  = "device"
	typeAccount = "acme/account" // which ACME clients make, and officers only see
	typeAny     = ""             // of the operations without a type in their path
)

// registrationTypes are the words that the API has for them; read only.
var registrationTypes = []string{typeEST, typeCMP, typeSCEP, typeDevice, typeACME, typeAccount}

// registering returns the procedure of the path, which must be one that
// registers, and for the type of the path.
func registering(c *call, kind string) (procedure, error) {
	id := c.path["procid"]
	for _, p := range procedures() {
		switch {
		case p.id != id:
			continue
		case !slices.Contains([]procedureKind{forEST, forCMP, forSCEP, forACME}, p.kind):
			return p, refuse(codeBadValue, "procid: %q is not a procedure for registrations", id)
		case kind != typeAny && kind != string(p.kind):
			return p, refuse(codeBadValue, "procid: %q is not a procedure for %s", id, kind)
		}
		return p, nil
	}
	return procedure{}, refuse(codeBadValue, "procid: no procedure has the id %q", id)
}

// mayHold says whether registrations of a type are made under a procedure.
func (p *procedure) mayHold(kind string) bool { return kind == typeDevice || kind == string(p.kind) }

// newRegID makes an id as the API shows them: Base64 of 20 octets.
func newRegID() string {
	var id [20]byte
	rand.Read(id[:]) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(id[:])
}

// by names the officer who answers for a write: the signer, or, where the
// gateway signs, the caller.
func (c *call) by() string {
	o := c.officer
	if c.signer != nil {
		o = c.signer
	}
	if o.cert.Subject.CommonName != "" {
		return o.cert.Subject.CommonName
	}
	name, _ := ca.DN(o.cert.RawSubject) // of a certificate that was decoded before
	return name
}

// sealSecret encrypts a password or key for the store and for those lists that
// show it. Nobody but this gateway can read it.
func sealSecret(sealKey []byte, secret string) (string, error) {
	block, err := aes.NewCipher(seal(sealKey, []byte("secrets of registrations")))
	if err != nil {
		return "", err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(aead.Seal(nil, nil, []byte(secret), nil)), nil
}

// jsonRegistration is Registration of the API, and PreRegistrationAcme. Times
// and validity are any because the API declares strings and shows numbers.
type jsonRegistration struct {
	RegID      string   `json:"regid"`
	FQDN       string   `json:"fqdn"`
	Created    any      `json:"creationdate"`
	Officer    string   `json:"officer"`
	Status     string   `json:"status"`
	Type       string   `json:"regtype"`
	Validity   any      `json:"validity"`
	Password   string   `json:"encryptedpassword,omitempty"`
	CertIDs    []string `json:"certids,omitempty"`
	AccountIDs []string `json:"accountids,omitempty"`
}

// jsonRegistration shows a registration as the operations for its type do, or
// as those for any type.
func (g *gateway) jsonRegistration(c *call, r *store.Registration, kind string) jsonRegistration {
	j := jsonRegistration{
		RegID: r.ID, FQDN: r.FQDN, Created: g.jsonTime(r.Created), Officer: r.Officer,
		Status: "closed", Type: r.Type, Validity: "always",
	}
	if r.Open(c.now) {
		j.Status = "open"
	}
	if r.Days > 0 {
		j.Validity = strconv.Itoa(r.Days)
		if kind == typeAny && g.opts.Quirks == QuirksExamples {
			j.Validity = r.Days // as the one example that has days
		}
	}
	if kind == typeACME {
		j.AccountIDs = r.AccountIDs
		return j
	}
	if kind != typeAny {
		j.Password = r.Secret
	}
	for _, id := range r.CertIDs {
		j.CertIDs = append(j.CertIDs, idText(id))
	}
	return j
}

// listRegistrations lists those of one type, or of any.
func (g *gateway) listRegistrations(kind string) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		proc, err := registering(c, kind)
		if err != nil {
			return nil, err
		}
		q, err := c.parameters()
		if err != nil {
			return nil, err
		}
		wanted := q.registrations(kind)
		if wanted.ID != "" {
			c.rec.IDs = []string{wanted.ID}
		}
		if q.err != nil {
			return nil, q.err
		}
		wanted.ProcID, wanted.Now = proc.id, c.now
		list, err := g.store.Registrations(c.ctx, wanted)
		if err != nil {
			return nil, err
		}
		out := make([]jsonRegistration, 0, len(list))
		for i := range list {
			out = append(out, g.jsonRegistration(c, &list[i], kind))
		}
		return jsonAnswer(http.StatusOK, codeOK, struct {
			Registrations []jsonRegistration `json:"registrations"`
			status
		}{out, done}), nil
	}
}

// registrations reads the filters of a list.
func (q *query) registrations(kind string) store.RegistrationQuery {
	out := store.RegistrationQuery{ID: q.text("regid"), FQDN: q.text("fqdn"), Officer: q.text("officer"), Type: kind}
	if kind == typeAny {
		if out.Type = q.text("regtype"); out.Type != "" && !slices.Contains(registrationTypes, out.Type) {
			q.fail("regtype", "%q is no type of registration", out.Type)
		}
	}
	switch s := q.text("status"); s {
	case "open", "closed":
		open := s == "open"
		out.Open = &open
	case "":
	default:
		q.fail("status", "expected open or closed")
	}
	if s := q.text("validity"); s != "" {
		days, ok := parseValidity(s)
		if !ok {
			q.fail("validity", "expected a number of days from 1 to %d, or always", maxDays)
		}
		out.Days = &days
	}
	return out
}

// getRegistrationsCertID shows the registration that a certificate was issued
// under.
func (g *gateway) getRegistrationsCertID(c *call) (*answer, error) {
	cert, err := g.named(c)
	if err != nil {
		return nil, err
	}
	r, found, err := g.store.RegistrationOf(c.ctx, cert.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, refuse(codeBadValue, "certificate %d was not issued under a registration", cert.ID)
	}
	return jsonAnswer(http.StatusOK, codeOK, struct {
		Registration jsonRegistration `json:"registration"`
		status
	}{g.jsonRegistration(c, &r, typeAny), done}), nil
}
