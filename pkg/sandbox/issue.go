package sandbox

import (
	"context"
	"crypto/x509"
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
	if err := in.byHandler(c); err != nil {
		return nil, err
	}
	csr, err := ca.ParseRequest(in.pkcs10)
	if err != nil {
		return nil, refuse(codeBadValue, "pkcs10: %v", err)
	}
	return &request{
		fields: in.fields(csr.Raw),
		run: func(_ context.Context, tx *store.Tx) (result, error) {
			cert, id, err := g.issue(tx, &in, csr)
			if err != nil {
				return result{}, err
			}
			return issued(certificateAnswer(form, cert.Raw, g.chainOf(&in)), id), nil
		},
	}, nil
}

// issue signs a certificate for the request's key and stores it.
func (g *gateway) issue(tx *store.Tx, in *issueForm, csr *x509.CertificateRequest) (*x509.Certificate, int64, error) {
	cert, err := g.ca.Issuer(in.proc.issuer).Issue(ca.IssueRequest{CSR: csr, NotBefore: in.from, NotAfter: in.to})
	if err != nil {
		return nil, 0, refuse(codeBadValue, "pkcs10: %v", err)
	}
	id, err := in.add(tx, g.ca.Row(cert))
	return cert, id, err
}

// add stores what was issued.
func (in *issueForm) add(tx *store.Tx, row store.Cert) (int64, error) {
	row.ProcID, row.PublicationAllowed, row.PublishedAt, row.OCSPActivatedAt = in.proc.id, true, in.now, in.now
	return tx.Add(row)
}

// chainOf is what an answer holds besides the new certificate.
func (g *gateway) chainOf(in *issueForm) [][]byte {
	if !in.proc.chain {
		return nil
	}
	return g.chainAbove(&store.Cert{IssuerID: in.proc.issuer})
}

// issued is the result of an issuance, whose answer names the certificate.
func issued(a *answer, id int64) result {
	a.header = map[string]string{"certId": idText(id)}
	return result{answer: a, changed: []int64{id}}
}

// issueForm is what the operations that issue from PKCS#10 have in common.
type issueForm struct {
	now      time.Time
	pkcs10   []byte
	proc     procedure
	named    bool // the caller names it
	from, to time.Time
	ends     bool    // the caller says when
	texts    []field // validfrom, validto, procname as sent
}

func readIssue(c *call, kind procedureKind) (issueForm, error) {
	in := issueForm{now: c.now}
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
	if in.ends = !in.to.IsZero(); !in.ends {
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
	in.named = given
	return in, err
}

// byHandler takes the default procedure of the handler in the path, when there
// is one: gateways may have several, each set up with a procedure of its own.
// Here they have the ids of procedures, without what all of these start with.
func (in *issueForm) byHandler(c *call) error {
	handler, ok := c.path["handler"]
	if !ok {
		return nil
	}
	in.texts = append(in.texts, textField("handler", handler))
	for _, p := range procedures() {
		if p.kind == in.proc.kind && p.id == "p-"+handler {
			if !in.named {
				in.proc = p
			}
			return nil
		}
	}
	return refuse(codeBadValue, "this gateway has no handler %q", handler)
}

// fields lists what is signed; der is the request as it was understood.
func (in *issueForm) fields(der []byte) []field {
	return append([]field{digestField("pkcs10", der)}, in.texts...)
}
