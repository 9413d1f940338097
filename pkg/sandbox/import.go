package sandbox

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// maxImport is the most certificates that one import takes.
const maxImport = 50

// imported is one entry of an import: what to store, or why not.
type imported struct {
	row     store.Cert
	refused *apiError
}

// importPKIX509 takes in certificates of the foreign CA. Entries are carried
// out one by one: those past the limit and those that are wrong are listed.
func (g *gateway) importPKIX509(c *call) (*request, error) {
	m := c.members()
	name, given := m.text("procname")
	entries := m.objects("importdata")
	if err := m.end(); err != nil {
		return nil, err
	}
	proc, err := procedureNamed(name, given, forImport)
	if err != nil {
		return nil, err
	}
	list := make([]imported, len(entries))
	for i, e := range entries {
		list[i] = g.readImport(c, e)
		list[i].row.ProcID = proc.id
		m.fields = append(m.fields, e.fields...)
	}
	return &request{
		fields: m.fields,
		run:    func(_ context.Context, tx *store.Tx) (result, error) { return runImport(tx, list) },
	}, nil
}

func runImport(tx *store.Tx, list []imported) (result, error) {
	var res result
	var failed []itemError
	for i, entry := range list {
		refused, limit := entry.refused, 0
		if i >= maxImport {
			refused, limit = refuse(codeTooMany, "over the limit of %d", maxImport), maxImport
		}
		if refused == nil {
			known, err := tx.Holds(entry.row.IssuerDN, entry.row.Serial)
			if err != nil {
				return res, err
			}
			if known {
				refused = refuse(codeBadValue, "certificate: it is here already")
			}
		}
		if refused != nil {
			failed = append(failed, itemError{Index: &i, Code: refused.code, Message: refused.msg, Server: refused.msg, Limit: limit})
			continue
		}
		id, err := tx.Add(entry.row)
		if err != nil {
			return res, err
		}
		res.changed = append(res.changed, id)
	}
	if failed != nil {
		return res, &apiError{codeGeneral, fmt.Sprintf("%d of %d certificates failed", len(failed), len(list)), failed}
	}
	res.answer = jsonAnswer(http.StatusOK, codeOK, done)
	return res, nil
}

// readImport reads one entry. What is wrong with it concerns no other entry.
func (g *gateway) readImport(c *call, m *members) imported {
	text, sent := m.plain("certificate")
	m.need("certificate", sent)
	der, err := decodeBase64([]byte(text))
	if err != nil {
		m.fail(codeEncoding, "certificate: not Base64")
		der = []byte(text)
	}
	m.fields = append(m.fields, digestField(m.prefix+"certificate", der))
	reason, revoked := m.integer("reason")
	if revoked && !mayRevokeFor(reason) {
		m.bad("reason", "%d is not one of 0, 1, 3, 4, 5, 6, 9", reason)
	}
	at := c.now
	when, timed := m.text("revocationtime")
	if timed {
		if at, err = time.Parse(time.RFC3339, when); err != nil || at.After(c.now) {
			m.bad("revocationtime", "in the future, or not a date-time such as 2026-01-31T12:00:00Z")
		}
		if !revoked {
			m.bad("revocationtime", "without a reason")
		}
	}
	if m.end() != nil {
		return imported{refused: m.err}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return imported{refused: refuse(codeBadValue, "certificate: it cannot be decoded")}
	}
	if issuer, err := ca.DN(cert.RawIssuer); err != nil || issuer != g.imports {
		return imported{refused: refuse(codeBadValue, "certificate: it is not from the CA of the procedure, %s", g.imports)}
	}
	row := g.ca.Row(cert)
	row.Revoked, row.Reason = revoked, reason
	if revoked {
		row.RevokedAt = at
	}
	return imported{row: row}
}
