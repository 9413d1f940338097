package sandbox

import (
	"strconv"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// jsonCertificate is JsonCertificate of the API. Times are any because the API
// declares date-times and shows milliseconds.
type jsonCertificate struct {
	CertID         string            `json:"certid"`
	Status         string            `json:"status"`
	Reason         string            `json:"reason,omitempty"`
	RevocationTime any               `json:"revocationtime,omitempty"`
	ValidFrom      any               `json:"validfrom"`
	ValidTo        any               `json:"validto"`
	Serial         string            `json:"certificateserialnumber"`
	Subject        string            `json:"subject"`
	Issuer         string            `json:"issuer"`
	KeyUsage       []string          `json:"keyusage"`
	SubjectType    string            `json:"subjectType"`
	Fields         map[string]string `json:"extendedcertsearch,omitempty"`
	AKI            string            `json:"authorityKeyIdentifier,omitempty"`
	SKI            string            `json:"subjectKeyIdentifier,omitempty"`
}

func (g *gateway) jsonCertificate(c *store.Cert) jsonCertificate {
	j := jsonCertificate{
		CertID: idText(c.ID), Status: "active",
		ValidFrom: g.jsonTime(c.NotBefore), ValidTo: g.jsonTime(c.NotAfter),
		Serial: c.Serial, Subject: c.Subject, Issuer: c.IssuerDN,
		KeyUsage: c.KeyUsage, SubjectType: c.Type, AKI: c.AKI, SKI: c.SKI,
	}
	if j.KeyUsage == nil {
		j.KeyUsage = []string{}
	}
	if c.Revoked {
		j.Status, j.Reason, j.RevocationTime = "revoked", g.jsonReason(c.Reason), g.jsonTime(c.RevokedAt)
	}
	for i, v := range c.Fields {
		if v == "" {
			continue
		}
		if j.Fields == nil {
			j.Fields = map[string]string{}
		}
		j.Fields["field"+strconv.Itoa(i+1)] = v
	}
	return j
}

// jsonTime is milliseconds as in the API's examples, or the declared date-time.
func (g *gateway) jsonTime(t time.Time) any {
	if g.opts.Quirks == QuirksDeclared {
		return t.UTC().Format(time.RFC3339)
	}
	return t.UnixMilli()
}

// jsonReason is a string in the API, which does not say of what: the code by
// default, the API's own name for it with --quirks declared.
func (g *gateway) jsonReason(reason int) string {
	if name, ok := reasonNames[reason]; ok && g.opts.Quirks == QuirksDeclared {
		return name
	}
	return strconv.Itoa(reason)
}

// reasonNames are the API's names of the revocation reasons; read only.
var reasonNames = map[int]string{
	0: "Unspecified", 1: "Key Compromise", 2: "CA Compromise", 3: "Affiliation Changed", 4: "Superseded",
	5: "Cessation Of Operation", 6: "Certificate Hold", 8: "Remove From CRL", 9: "Privilege Withdrawn", 10: "AA Compromise",
}

// mayRevokeFor lists the reasons that a caller may revoke for.
func mayRevokeFor(reason int) bool {
	switch reason {
	case 0, 1, 3, 4, 5, store.Hold, 9:
		return true
	}
	return false
}
