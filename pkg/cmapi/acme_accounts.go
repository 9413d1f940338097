package cmapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// Values of Account.Status that the API names.
const (
	AccountActive      = "active"
	AccountDeactivated = "deactivated"
	AccountRevoked     = "revoked"
)

// Account is an ACME account, with values brought to one form: ids strings,
// Status in lower case, CreationDate UTC.
type Account struct {
	RegID        string
	FQDN         string
	RegType      string // acme/account
	Status       string // active, deactivated or revoked
	KeyID        string // of the registration behind it
	Email        string
	CreationDate time.Time
	Officer      string
	CertIDs      []string
	Extra        map[string]json.RawMessage
}

// UnmarshalJSON reads every form that gateways are known to answer with:
// certids and certIds, regtype and regType, ids as strings and as numbers
// (docs/api-notes.md, 8, 10, 11).
func (a *Account) UnmarshalJSON(raw []byte) (err error) {
	var o object
	if err = json.Unmarshal(raw, &o); err != nil {
		return err
	}
	t := taker{o: &o}
	*a = Account{
		RegID: t.text("regid"), FQDN: t.text("fqdn"), RegType: t.text("regtype"), Status: lowerWord(t.text("status")),
		KeyID: t.text("keyid"), Email: t.text("email"), CreationDate: t.time("creationdate"), Officer: t.text("officer"),
		CertIDs: t.texts("certids"),
	}
	o.take("error") // beside a bare account, and not of it
	o.take("msg")
	a.Extra = withoutSecrets(o.rest())
	return t.err
}

// MarshalJSON writes the API's names in a fixed order, then unknown members.
func (a Account) MarshalJSON() ([]byte, error) {
	var m members
	m.put("regid", a.RegID)
	m.put("fqdn", a.FQDN)
	m.put("regtype", a.RegType)
	m.put("status", a.Status)
	m.put("keyid", a.KeyID)
	m.put("email", a.Email)
	m.put("creationdate", a.CreationDate)
	m.put("officer", a.Officer)
	m.put("certids", a.CertIDs)
	m.extra(a.Extra)
	return m.bytes()
}

// Accounts returns the ACME accounts under the procedure of this id
// (listAcmeAccounts). accountID narrows the list, with * for anything; empty:
// all. A bare account is read as a list of one (docs/api-notes.md, 9).
func (s *Registrations) Accounts(ctx context.Context, procID, accountID string) ([]Account, error) {
	op := opListACMEAccounts
	if err := ACMERegistration.checkProcedure(procID); err != nil {
		return nil, fmt.Errorf("%s: %w", op.ID, err)
	}
	q := url.Values{}
	setUnlessEmpty(q, "accountid", accountID)
	r := op.read(q, acceptJSON, procID)
	a, err := s.c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	list, err := readAccounts(trimBOM(a.Body))
	if err != nil {
		return nil, nonsense(r, a, err)
	}
	return list, nil
}

func readAccounts(body []byte) ([]Account, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, err
	}
	var list []Account
	raw, wrapped := o.take("registrations")
	if wrapped && raw[0] == '[' {
		return list, json.Unmarshal(raw, &list)
	}
	if !wrapped {
		raw = body
	}
	var one Account
	if err := json.Unmarshal(raw, &one); err != nil {
		return nil, err
	}
	if one.RegID == "" && one.FQDN == "" && one.KeyID == "" {
		return nil, nil // error and msg alone
	}
	return []Account{one}, nil
}
