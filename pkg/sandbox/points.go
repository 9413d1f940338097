package sandbox

import (
	"net/http"
	"strings"
	"time"
)

// pointsPath is where CRLs and CA certificates are, with and without a client
// certificate: who checks a certificate has none.
const pointsPath = "/pgwy/dp"

// crlLife is the time between a CRL and the next. A revocation makes a new one
// at once; this is only for how long a copy may be kept.
const crlLife = 24 * time.Hour

// servePoint serves CRLs and CA certificates; false when the path is none of
// its own.
func (g *gateway) servePoint(w http.ResponseWriter, r *http.Request, now time.Time) bool {
	name, ok := strings.CutPrefix(r.URL.Path, pointsPath+"/")
	if !ok {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		doorAnswer(http.StatusMethodNotAllowed, codeGeneral, "no such method on this path").write(w)
		return true
	}
	a, err := g.point(r, name, now)
	if err != nil {
		a = errorAnswer(err)
	}
	if a == nil {
		a = doorAnswer(http.StatusNotFound, codeGeneral, "no such path")
	}
	a.write(w)
	return true
}

func (g *gateway) point(r *http.Request, name string, now time.Time) (*answer, error) {
	if id, ok := strings.CutPrefix(name, "ca/"); ok {
		id, isCer := strings.CutSuffix(id, ".cer")
		issuer := g.ca.Issuer(id)
		if !isCer || issuer == nil {
			return nil, nil
		}
		return &answer{status: http.StatusOK, kind: kindDER, body: issuer.Cert.Raw}, nil
	}
	id, isCRL := strings.CutSuffix(name, ".crl")
	issuer := g.ca.Issuer(id)
	if !isCRL || issuer == nil {
		return nil, nil
	}
	number, entries, err := g.store.RevokedBy(r.Context(), id)
	if err != nil {
		return nil, err
	}
	der, err := issuer.CRL(number, now, now.Add(crlLife), entries)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, kind: "application/pkix-crl", body: der,
		header: map[string]string{"Cache-Control": "no-cache"}}, nil
}
