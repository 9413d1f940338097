package sandbox

import (
	"net/http"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
)

// procedureKind is what a token procedure is for. An operation takes only
// those of its own kind.
type procedureKind string

const (
	forPKCS10 procedureKind = "pkcs10"
	forPKCS12 procedureKind = "pkcs12"
	forAttr   procedureKind = "attr"
	forSKIP   procedureKind = "skip"
	forImport procedureKind = "import"
	forSCEP   procedureKind = "scep"
	forEST    procedureKind = "est"
	forCMP    procedureKind = "cmp"
	forACME   procedureKind = "acme"
)

// procedure is a token procedure. Its id and its name are never the same, so
// that sending the one for the other shows.
type procedure struct {
	id, name string
	kind     procedureKind
	issuer   string // of the sandbox's issuers, for those that issue
	chain    bool   // answers carry the whole chain (the API: the procedure stores all)
}

// procedures lists them all; the first of a kind is the default of the
// operations that take this kind.
func procedures() []procedure {
	return []procedure{
		{"p-pkcs10", "PKCS#10 Procedure", forPKCS10, ca.Issuing1ID, true},
		{"p-pkcs10-leaf", "PKCS#10 Leaf Procedure", forPKCS10, ca.Issuing2ID, false},
		{"p-pkcs12", "PKCS#12 Procedure", forPKCS12, ca.Issuing1ID, true},
		{"p-attr", "Attribute Certificate Procedure", forAttr, ca.Issuing1ID, true},
		{"p-skip", "SKIP Procedure", forSKIP, ca.Issuing1ID, true},
		{"p-import", "Import Procedure", forImport, "", false},
		{"p-scep", "SCEP Procedure", forSCEP, ca.Issuing1ID, true},
		{"p-est", "EST Procedure", forEST, ca.Issuing1ID, true},
		{"p-cmp", "CMP Procedure", forCMP, ca.Issuing1ID, true},
		{"p-acme", "ACME Procedure", forACME, ca.Issuing1ID, true},
	}
}

// procedureNamed finds the procedure for an operation by the name the caller
// gave, or the default when none was given.
func procedureNamed(name string, given bool, kind procedureKind) (procedure, error) {
	for _, p := range procedures() {
		switch {
		case !given && p.kind == kind:
			return p, nil
		case !given || p.name != name:
			continue
		case p.kind != kind:
			return procedure{}, refuse(codeBadValue, "procname: %q is not a procedure for this operation", name)
		}
		return p, nil
	}
	return procedure{}, refuse(codeBadValue, "procname: no procedure has the name %q", name)
}

// mediaTypes are the words by which newer gateways list procedures of a kind;
// read only.
var mediaTypes = map[string]procedureKind{
	"pkcs10": forPKCS10, "pkcs12": forPKCS12, "attributecertificate": forAttr, "smartcard": "", "data": "",
}

// listProcedures shows them all, or those of a media type.
func (g *gateway) listProcedures(c *call) (*answer, error) {
	q, err := c.parameters()
	if err != nil {
		return nil, err
	}
	media := q.text("mediaType")
	kind, known := mediaTypes[media]
	if media != "" && !known {
		q.fail("mediaType", "%q is none", media)
	}
	if q.err != nil {
		return nil, q.err
	}
	type entry struct {
		ID   string `json:"procid"`
		Name string `json:"name"`
	}
	out := []entry{}
	for _, p := range procedures() {
		if media == "" || p.kind == kind {
			out = append(out, entry{p.id, p.name})
		}
	}
	return jsonAnswer(http.StatusOK, codeOK, struct {
		status
		Procedures []entry `json:"procedures"`
	}{done, out}), nil
}
