package sandbox

import (
	"context"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// validFor is how long a certificate is valid when the caller does not say.
const validFor = 365 * 24 * time.Hour

// issueCertificatePkcs10 issues a certificate for the key of a PKCS#10 request.
func (g *gateway) issueCertificatePkcs10(c *call) (*request, error) {
	form, err := chooseForm(c.r, kindPKCS7, kindDER, kindPEM)
	if err != nil {
		return nil, err
	}
	in, err := readIssue(c, forPKCS10)
	if err != nil {
		return nil, err
	}
	csr, err := ca.ParseRequest(in.pkcs10)
	if err != nil {
		return nil, refuse(codeBadValue, "pkcs10: %v", err)
	}
	return &request{
		fields: in.fields(csr.Raw),
		run: func(_ context.Context, tx *store.Tx) (result, error) {
			cert, err := g.ca.Issuer(in.proc.issuer).Issue(ca.IssueRequest{CSR: csr, NotBefore: in.from, NotAfter: in.to})
			if err != nil {
				return result{}, refuse(codeBadValue, "pkcs10: %v", err)
			}
			row := g.ca.Row(cert)
			row.ProcID, row.PublicationAllowed, row.PublishedAt, row.OCSPActivatedAt = in.proc.id, true, c.now, c.now
			id, err := tx.Add(row)
			if err != nil {
				return result{}, err
			}
			var above [][]byte
			if in.proc.chain {
				above = g.chainAbove(&row)
			}
			a := certificateAnswer(form, cert.Raw, above)
			a.header = map[string]string{"certId": idText(id)}
			return result{a, []int64{id}}, nil
		},
	}, nil
}

// issueForm is what the operations that issue from PKCS#10 have in common.
type issueForm struct {
	pkcs10   []byte
	proc     procedure
	from, to time.Time
	texts    []field // validfrom, validto, procname as sent
}

func readIssue(c *call, kind procedureKind) (issueForm, error) {
	var in issueForm
	var ok bool
	var err error
	if in.pkcs10, ok, err = c.form.octets("pkcs10"); err != nil {
		return in, err
	}
	if !ok || len(in.pkcs10) == 0 {
		return in, refuse(codeMissing, "missing field: pkcs10")
	}
	in.from, in.to = c.now.UTC().Truncate(time.Second), time.Time{}
	for _, f := range []struct {
		name string
		into *time.Time
	}{{"validfrom", &in.from}, {"validto", &in.to}} {
		text, ok, err := c.form.text(f.name)
		if err != nil {
			return in, err
		}
		if !ok {
			continue
		}
		in.texts = append(in.texts, textField(f.name, text))
		if *f.into, err = time.Parse(time.RFC3339, text); err != nil {
			return in, refuse(codeBadValue, "%s: not a date-time such as 2026-01-31T12:00:00Z", f.name)
		}
	}
	if in.to.IsZero() {
		in.to = in.from.Add(validFor)
	}
	if !in.to.After(in.from) || !in.to.After(c.now) {
		return in, refuse(codeBadValue, "validto: before validfrom or in the past")
	}
	name, given, err := c.form.text("procname")
	if err != nil {
		return in, err
	}
	if given {
		in.texts = append(in.texts, textField("procname", name))
	}
	in.proc, err = procedureNamed(name, given, kind)
	return in, err
}

// fields lists what is signed; der is the request as it was understood.
func (in *issueForm) fields(der []byte) []field {
	return append([]field{digestField("pkcs10", der)}, in.texts...)
}
