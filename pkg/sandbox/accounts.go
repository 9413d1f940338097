package sandbox

import (
	"net/http"
	"strings"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// jsonAccount is Account of the API. It declares certids, strings, and shows
// certIds, numbers, and the type, which it spells in a third way.
type jsonAccount struct {
	RegID   string   `json:"regid"`
	FQDN    string   `json:"fqdn"`
	Created any      `json:"creationdate"`
	Officer string   `json:"officer"`
	Status  string   `json:"status"`
	KeyID   string   `json:"keyid"`
	Email   string   `json:"email"`
	Type    string   `json:"regType,omitempty"`
	Shown   []int64  `json:"certIds,omitzero"`
	CertIDs []string `json:"certids,omitzero"`
}

func (g *gateway) jsonAccount(a *store.Account) jsonAccount {
	j := jsonAccount{RegID: a.ID, FQDN: a.FQDN, Created: g.jsonTime(a.Created), Officer: a.Officer,
		Status: a.Status, KeyID: a.KeyID, Email: a.Email}
	if g.opts.Quirks == QuirksDeclared {
		j.CertIDs = []string{}
		for _, id := range a.CertIDs {
			j.CertIDs = append(j.CertIDs, idText(id))
		}
		return j
	}
	j.Status = strings.ToUpper(a.Status[:1]) + a.Status[1:]
	j.Type = typeAccount
	j.Shown = append([]int64{}, a.CertIDs...)
	return j
}

// listAcmeAccounts lists the ACME accounts under a procedure. The API declares
// a single account and shows a list: with --quirks declared one that is found
// alone comes as declared, and several still as a list.
func (g *gateway) listAcmeAccounts(c *call) (*answer, error) {
	proc, err := registering(c, typeACME)
	if err != nil {
		return nil, err
	}
	q, err := c.parameters()
	if err != nil {
		return nil, err
	}
	wanted := q.text("accountid")
	if wanted != "" {
		c.rec.IDs = []string{wanted}
	}
	if q.err != nil {
		return nil, q.err
	}
	all, err := g.store.Accounts(c.ctx, proc.id)
	if err != nil {
		return nil, err
	}
	out := []jsonAccount{}
	for i := range all {
		if a := &all[i]; wanted == "" || matches(wanted, a.ID) || matches(wanted, a.FQDN) {
			out = append(out, g.jsonAccount(a))
		}
	}
	switch {
	case len(out) == 0 && wanted != "" && !strings.Contains(wanted, "*"):
		return nil, refuse(codeBadValue, "accountid: procedure %q has no such account", proc.id)
	case len(out) == 1 && g.opts.Quirks == QuirksDeclared:
		return jsonAnswer(http.StatusOK, codeOK, out[0]), nil
	}
	return jsonAnswer(http.StatusOK, codeOK, struct {
		Registrations []jsonAccount `json:"registrations"`
		status
	}{out, done}), nil
}

// matches compares a text with a pattern, in which an asterisk stands for any
// text, also none.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	last := len(parts) - 1
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1:last] {
		if _, text, ok = strings.Cut(text, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, parts[last])
}
