package sandbox

import (
	"crypto/x509"
	"net/http"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
	"github.com/cmctl/cmctl/pkg/sandbox/store/dn"
)

// jsonIssuer is JsonIssuer of the API, which declares the parts of the name as
// a list of objects and shows one object.
type jsonIssuer struct {
	DN      string `json:"subjectDn"`
	Subject any    `json:"subject"`
}

// issuerFilters are the filters of a search that this operation has; read
// only.
var issuerFilters = []string{
	"searchLimit", "searchOffset", "certificateSerialNumber", "revocationTimeFrom", "revocationTimeTo", "revocationReason",
	"publicationAllowed", "publicationTimeFrom", "publicationTimeTo", "ocspActivationTimeFrom", "ocspActivationTimeTo",
	"validFromTimeFrom", "validFromTimeTo", "isNotYetValid", "validToTimeFrom", "validToTimeTo", "isExpired",
}

// listIssuers searches among CA certificates and shows their names.
func (g *gateway) listIssuers(c *call) (*answer, error) {
	q, err := g.readQuery(c, issuerFilters)
	if err != nil {
		return nil, err
	}
	q.Types = []string{store.CA}
	page, hits, err := g.search(c, q)
	if err != nil {
		return nil, err
	}
	out := make([]jsonIssuer, 0, len(page))
	for i := range page {
		one, err := g.jsonIssuer(c, &page[i])
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	type body struct {
		status
		Hits     int          `json:"searchHits"`
		Declared []jsonIssuer `json:"subjects,omitzero"`
		Shown    []jsonIssuer `json:"issuers,omitzero"`
	}
	b := body{status: done, Hits: hits}
	if g.opts.Quirks == QuirksDeclared {
		b.Declared = out
	} else {
		b.Shown = out
	}
	return jsonAnswer(http.StatusOK, codeOK, b), nil
}

// jsonIssuer reads the name from the certificate itself: a row does not have
// all of it.
func (g *gateway) jsonIssuer(c *call, cert *store.Cert) (jsonIssuer, error) {
	var der []byte
	var err error
	if cert.Seed != 0 {
		der, err = g.ca.Materialise(*cert)
	} else {
		var whole store.Cert
		whole, _, err = g.store.Get(c.ctx, cert.ID)
		der = whole.DER
	}
	if err != nil {
		return jsonIssuer{}, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return jsonIssuer{}, err
	}
	name, err := dn.Parse(parsed.RawSubject)
	if err != nil {
		return jsonIssuer{}, err
	}
	return jsonIssuer{dn.Text(name), g.nameParts(name)}, nil
}

// nameParts is a list of objects as declared, or one object as shown, in which
// an attribute that stands there several times has a list of values.
func (g *gateway) nameParts(name [][]dn.Attribute) any {
	var list []map[string]string
	one := map[string]any{}
	for _, part := range name {
		for _, a := range part {
			key := dn.Keyword(a.OID)
			list = append(list, map[string]string{key: a.Value})
			switch before := one[key].(type) {
			case nil:
				one[key] = a.Value
			case string:
				one[key] = []string{before, a.Value}
			case []string:
				one[key] = append(before, a.Value)
			}
		}
	}
	if g.opts.Quirks == QuirksDeclared {
		return list
	}
	return one
}
