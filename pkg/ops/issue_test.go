package ops

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// issuing is the fake gateway's CA.
type issuing struct {
	ca  *x509.Certificate
	key *ecdsa.PrivateKey

	header   bool                                   // the certId header is sent
	ski      func(publicKey []byte) []byte          // nil: none in certificate and search
	answer   func(leaf, ca []byte) (string, []byte) // content type and body
	backdate time.Duration
	issued   []string // certids in order
}

func sha1SKI(key []byte) []byte { s := sha1.Sum(key); return s[:] }
func rfc7093(key []byte) []byte { s := sha256.Sum256(key); return s[:20] }
func random([]byte) []byte      { b := make([]byte, 20); _, _ = rand.Read(b); return b }

func pemOf(ders ...[]byte) (out []byte) {
	for _, d := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	return out
}

func newIssuing(t *testing.T, g *gateway) *issuing {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Demo, Issuing CA", Organization: []string{"Demo"}}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	g.issuing = &issuing{ca: ca, key: key, ski: sha1SKI, answer: func(leaf, ca []byte) (string, []byte) { return cmapi.MediaPEM, pemOf(leaf, ca) }}
	return g.issuing
}

// make issues a certificate and stores it.
func (g *gateway) make(csr *x509.CertificateRequest, from time.Time) (id string, der []byte) {
	is := g.issuing
	pub, _ := x509.MarshalPKIXPublicKey(csr.PublicKey)
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(pub, &info); err != nil {
		panic(err)
	}
	serial := make([]byte, 8)
	_, _ = rand.Read(serial)
	tmpl := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: csr.Subject, NotBefore: from, NotAfter: from.AddDate(1, 0, 0),
	}
	c := &cert{status: "active", cn: csr.Subject.CommonName, validFrom: from, issuer: pki.DN(is.ca.RawSubject)}
	if is.ski != nil {
		c.ski = is.ski(info.Key.Bytes)
		tmpl.SubjectKeyId = c.ski
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, is.ca, csr.PublicKey, is.key)
	if err != nil {
		panic(err)
	}
	c.der, c.serial = der, hex.EncodeToString(tmpl.SerialNumber.Bytes())
	id = fmt.Sprint(50000 + len(g.certs))
	g.certs[id] = c
	return id, der
}

func (g *gateway) issue(values url.Values) http.HandlerFunc {
	is := g.issuing
	raw, _ := base64.StdEncoding.DecodeString(values.Get("pkcs10"))
	csr, err := x509.ParseCertificateRequest(raw)
	if err != nil {
		return fail(-8)
	}
	from := g.now().Add(-is.backdate)
	if v := values.Get("validfrom"); v != "" {
		if from, err = time.Parse(time.RFC3339, v); err != nil {
			return fail(-14)
		}
	}
	id, der := g.make(csr, from)
	is.issued = append(is.issued, id)
	return func(w http.ResponseWriter, _ *http.Request) {
		if is.header {
			w.Header().Set("certId", id)
		}
		contentType, body := is.answer(der, is.ca.Raw)
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}
}

// list is listCertificates for the filters that ops uses.
func (g *gateway) list(w http.ResponseWriter, q url.Values) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lists++
	if g.windows && q.Has("revocationTimeFrom") {
		g.window(w, q)
		return
	}
	known := []string{"subjectKeyIdentifier", "subjectCommonName", "validFromTimeFrom", "validFromTimeTo", "certificateSerialNumber", "subjectType", "searchLimit", "searchOffset"}
	for name := range q {
		if !slices.Contains(known, name) {
			reply(w, 500, obj{"error": -14, "msg": "unknown parameter " + name})
			return
		}
	}
	page := []obj{}
	for id, c := range g.certs {
		if !strings.Contains(q.Get("subjectType"), "CA") && c.ca ||
			q.Has("subjectKeyIdentifier") && q.Get("subjectKeyIdentifier") != hex.EncodeToString(c.ski) ||
			q.Has("subjectCommonName") && !strings.EqualFold(q.Get("subjectCommonName"), c.cn) {
			continue
		}
		if v := q.Get("validFromTimeFrom"); v != "" {
			if after, err := time.Parse(time.RFC3339, v); err != nil || !c.validFrom.After(after) {
				continue
			}
		}
		if v := q.Get("validFromTimeTo"); v != "" {
			if before, err := time.Parse(time.RFC3339, v); err != nil || !c.validFrom.Before(before) {
				continue
			}
		}
		page = append(page, c.json(id))
	}
	reply(w, 200, obj{"error": 0, "searchHits": len(page), "certificates": page})
}

func (g *gateway) download(w http.ResponseWriter, r *http.Request, id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.certs[id]
	if c == nil || c.der == nil {
		reply(w, 500, obj{"error": -14})
		return
	}
	media, _, _ := strings.Cut(r.Header.Get("Accept"), ";")
	w.Header().Set("Content-Type", media)
	if media == cmapi.MediaPEM {
		_, _ = w.Write(pemOf(c.der))
		return
	}
	_, _ = w.Write(c.der)
}

func newRequest(t *testing.T, cn string) *pki.Request {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}, DNSNames: []string{"device.example"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	req, err := pki.ReadRequest("request", der)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// issued checks that the one certificate is there, and is what was returned.
func issued(t *testing.T, g *gateway, got *Issuance, err error, settled bool) {
	t.Helper()
	if err != nil || len(g.issuing.issued) != 1 {
		t.Fatalf("%v; issued %v", err, g.issuing.issued)
	}
	id := g.issuing.issued[0]
	if got.CertID != id || string(got.Leaf.Raw) != string(g.certs[id].der) || got.Settled != settled || len(got.Bytes) == 0 || got.Media == "" {
		t.Errorf("certid %s, want %s; leaf %s; settled %t; %d bytes as %s", got.CertID, id, got.Leaf.Subject, got.Settled, len(got.Bytes), got.Media)
	}
}

// TestIssue: whatever the answer looks like, the leaf and its certid are found.
func TestIssue(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*issuing)
		lists int
	}{
		{"named by a header", func(is *issuing) { is.header = true }, 0},
		{"found by key identifier", func(*issuing) {}, 1},
		{"found by key identifier of RFC 7093", func(is *issuing) { is.ski = rfc7093 }, 1},
		{"found by key identifier of the CA's own making", func(is *issuing) { is.ski = random }, 1},
		{"found by common name", func(is *issuing) { is.ski = nil }, 3},
		{"the chain from the root down", func(is *issuing) {
			is.answer = func(leaf, ca []byte) (string, []byte) { return cmapi.MediaPEM, pemOf(ca, leaf) }
		}, 1},
		{"the certificate alone, as DER", func(is *issuing) {
			is.answer = func(leaf, _ []byte) (string, []byte) { return cmapi.MediaDER, leaf }
		}, 1},
		{"PEM without a last line end, text before", func(is *issuing) {
			is.answer = func(leaf, ca []byte) (string, []byte) {
				return "text/plain", []byte("subject=x\n" + strings.TrimSpace(string(pemOf(leaf, ca))))
			}
		}, 1},
	} {
		for _, vro := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, VRO %t", c.name, vro), func(t *testing.T) {
				g := newGateway(t)
				c.set(newIssuing(t, g))
				g.vro = vro
				r, signer := g.runner(t, nil)
				req := newRequest(t, "device.example")
				g.make(req.CSR, g.now().Add(-time.Hour)) // an older one of the same key
				got, err := r.Issue(t.Context(), req, cmapi.IssueRequest{Procedure: "P", Media: cmapi.MediaPEM})
				issued(t, g, got, err, false)
				if g.lists != c.lists || vro != (signer.count == 0) {
					t.Errorf("%d searches, want %d; %d signatures", g.lists, c.lists, signer.count)
				}
			})
		}
	}
	t.Run("not found: issued all the same", func(t *testing.T) {
		g := newGateway(t)
		is := newIssuing(t, g)
		is.ski = nil
		r, _ := g.runner(t, nil)
		req := newRequest(t, "")
		got, err := r.Issue(t.Context(), req, cmapi.IssueRequest{Media: cmapi.MediaPEM})
		if err != nil || got.CertID != "" || got.Leaf == nil {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestIssueLost: a lost answer is settled by search. One certificate is issued
// at most, and an older one of the same key is never taken for it.
func TestIssueLost(t *testing.T) {
	lose := func(signed, after bool, h http.HandlerFunc) func(int, bool, bool) http.HandlerFunc {
		return func(_ int, s, a bool) http.HandlerFunc {
			if s == signed && a == after {
				return h
			}
			return nil
		}
	}
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>welcome"))
	}
	start := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	for _, c := range []struct {
		name  string
		set   func(*gateway, *issuing)
		in    cmapi.IssueRequest
		found bool
		made  int
	}{
		{"after, SHA-1 key identifier", nil, cmapi.IssueRequest{}, true, 1},
		{"after, RFC 7093 key identifier", func(_ *gateway, is *issuing) { is.ski = rfc7093 }, cmapi.IssueRequest{}, true, 1},
		{"after, by common name", func(_ *gateway, is *issuing) { is.ski = nil }, cmapi.IssueRequest{}, true, 1},
		{"after, a key identifier of the CA's own making", func(_ *gateway, is *issuing) { is.ski = random }, cmapi.IssueRequest{}, true, 1},
		{"after, its clock 3 hours ahead", func(g *gateway, _ *issuing) { g.skew = 3 * time.Hour }, cmapi.IssueRequest{}, true, 1},
		{"after, its clock 3 hours behind", func(g *gateway, _ *issuing) { g.skew = -3 * time.Hour }, cmapi.IssueRequest{}, true, 1},
		{"after, a start in the future", nil, cmapi.IssueRequest{ValidFrom: start}, true, 1},
		{"after, VRO", func(g *gateway, _ *issuing) { g.vro, g.fault = true, lose(false, true, cut) }, cmapi.IssueRequest{}, true, 1},
		{"a page for an answer", func(g *gateway, _ *issuing) { g.fault = lose(true, true, page) }, cmapi.IssueRequest{}, true, 1},
		{"nonsense for a certificate", func(_ *gateway, is *issuing) {
			is.answer = func([]byte, []byte) (string, []byte) { return cmapi.MediaDER, []byte("\x30\x03abc") }
			is.header = true
		}, cmapi.IssueRequest{}, true, 1},
		{"another certificate", func(_ *gateway, is *issuing) {
			is.answer = func(_, ca []byte) (string, []byte) { return cmapi.MediaDER, ca }
		}, cmapi.IssueRequest{}, true, 1},
		{"before the write", func(g *gateway, _ *issuing) { g.fault = lose(true, false, cut) }, cmapi.IssueRequest{}, false, 0},
		{"before the write, a start in the future", func(g *gateway, _ *issuing) { g.fault = lose(true, false, cut) }, cmapi.IssueRequest{ValidFrom: start}, false, 0},
		{"of the demand for a signature", func(g *gateway, _ *issuing) { g.fault = lose(false, false, cut) }, cmapi.IssueRequest{}, false, 0},
		{"set back further than clocks lie apart", func(_ *gateway, is *issuing) { is.backdate = 10 * time.Minute }, cmapi.IssueRequest{}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			is := newIssuing(t, g)
			g.fault = lose(true, true, cut)
			if strings.HasPrefix(c.name, "nonsense") || strings.HasPrefix(c.name, "another") {
				g.fault = nil
			}
			if c.set != nil {
				c.set(g, is)
			}
			req := newRequest(t, "device.example")
			other := newRequest(t, "device.example")
			g.make(req.CSR, g.now().Add(-time.Hour))    // an older one of the same key
			g.make(req.CSR, start)                      // one with the start that may be wanted
			g.make(other.CSR, g.now().Add(time.Second)) // a new one of the same name
			r, signer := g.runner(t, nil)
			c.in.Media = cmapi.MediaPEM
			if c.in.ValidFrom.IsZero() {
				g.mu.Lock()
				for id, old := range g.certs {
					if old.validFrom.Equal(start) {
						delete(g.certs, id)
					}
				}
				g.mu.Unlock()
			}
			got, err := r.Issue(t.Context(), req, c.in)
			if c.found {
				issued(t, g, got, err, true)
			} else if exit.Of(err) != exit.Unavailable || !strings.Contains(err.Error(), "no new certificate") || !strings.Contains(exit.HintOf(err), "cert search") {
				t.Errorf("%+v, exit %d: %v", got, exit.Of(err), err)
			}
			if len(is.issued) != c.made || signer.count > 1 || g.signed > 1 {
				t.Errorf("issued %v, %d signatures, %d signed sends", is.issued, signer.count, g.signed)
			}
		})
	}
}

// TestIssueFails: an answer that says no is no lost one: nothing is searched.
func TestIssueFails(t *testing.T) {
	for code, want := range map[int]exit.Code{-1: exit.Failure, -14: exit.Failure, -15: exit.Refused, -17: exit.Refused, -12: exit.Unavailable} {
		g := newGateway(t)
		is := newIssuing(t, g)
		g.fault = func(_ int, signed, after bool) http.HandlerFunc {
			if signed && !after {
				return fail(code)
			}
			return nil
		}
		r, signer := g.runner(t, nil)
		_, err := r.Issue(t.Context(), newRequest(t, "x"), cmapi.IssueRequest{Media: cmapi.MediaPEM})
		if exit.Of(err) != want || g.lists != 0 || len(is.issued) != 0 || signer.count != 1 {
			t.Errorf("%d: exit %d, want %d: %v; %d searches", code, exit.Of(err), want, err, g.lists)
		}
	}
	g := newGateway(t)
	newIssuing(t, g)
	r, signer := g.runner(t, nil)
	signer.hook = func(int) error { return exit.New(exit.Key, "", "wrong PIN") }
	if _, err := r.Issue(t.Context(), newRequest(t, "x"), cmapi.IssueRequest{Media: cmapi.MediaPEM}); exit.Of(err) != exit.Key || g.signed != 0 || g.lists != 0 {
		t.Errorf("exit %d: %v", exit.Of(err), err)
	}
}
