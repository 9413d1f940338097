package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
)

// pointsPath is where CRLs and CA certificates are, with and without a client
// certificate: who checks a certificate has none.
const pointsPath = "/pgwy/dp"

// crlLife is for how long a copy of a CRL may be kept. A revocation makes a new
// one, and without any there is one every crlRefresh.
const (
	crlLife    = 24 * time.Hour
	crlRefresh = 10 * time.Minute
)

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
	list, err := g.crl(r.Context(), issuer, now)
	if err != nil {
		return nil, err
	}
	a := &answer{status: http.StatusOK, kind: "application/pkix-crl", body: list.der,
		header: map[string]string{"Cache-Control": "no-cache", "ETag": list.etag, "Last-Modified": list.at.UTC().Format(http.TimeFormat)}}
	if r.Header.Get("If-None-Match") == list.etag {
		a.status, a.body = http.StatusNotModified, nil
	}
	return a, nil
}

// crls are the lists made last, by issuer: one of 100,000 entries takes a
// second to make, and is asked for more often than it changes.
type crls struct {
	mu   sync.Mutex
	made map[string]madeCRL
}

type madeCRL struct {
	number int64
	at     time.Time
	der    []byte
	etag   string
}

// crl is an issuer's CRL as it was before the delay.
func (g *gateway) crl(ctx context.Context, issuer *ca.Issuer, now time.Time) (madeCRL, error) {
	g.crls.mu.Lock()
	defer g.crls.mu.Unlock()
	at, asOf := now.Add(-g.opts.CRLDelay), time.Time{}
	if g.opts.CRLDelay > 0 {
		asOf = at
	}
	number, err := g.store.CRLNumber(ctx, issuer.ID, asOf)
	if err != nil {
		return madeCRL{}, err
	}
	if old, ok := g.crls.made[issuer.ID]; ok && old.number == number && at.Sub(old.at).Abs() < crlRefresh {
		return old, nil
	}
	number, entries, err := g.store.RevokedBy(ctx, issuer.ID, asOf)
	if err != nil {
		return madeCRL{}, err
	}
	der, err := issuer.CRL(number, at, at.Add(crlLife), entries)
	if err != nil {
		return madeCRL{}, err
	}
	list := madeCRL{number: number, at: at, der: der, etag: fmt.Sprintf(`"%d-%d"`, number, at.UnixNano())}
	if g.crls.made == nil {
		g.crls.made = map[string]madeCRL{}
	}
	g.crls.made[issuer.ID] = list
	return list, nil
}
