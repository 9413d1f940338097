package revstatus

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// identity is a certificate with its key.
type identity struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// world is a CA, a certificate of its, and what serves lists and answers:
// each test changes what is not as it should be.
type world struct {
	t         *testing.T
	ca, leaf  identity
	server    *httptest.Server
	responder identity // signs OCSP; the CA itself unless changed

	mu       sync.Mutex
	crl      func() []byte
	requests []string
	asked    []byte // the last OCSP request
	answer   func(request []byte) []byte
	extra    http.HandlerFunc // below /extra
}

func newWorld(t *testing.T) *world {
	w := &world{t: t}
	w.ca = w.issue(identity{}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign})
	w.responder = w.ca
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	w.leaf = w.issue(w.ca, &x509.Certificate{
		Subject:               pkix.Name{CommonName: "leaf"},
		CRLDistributionPoints: []string{"ldap://crl.example.com/cn=CA", w.url("/crl")},
		OCSPServer:            []string{w.url("/ocsp")},
		IssuingCertificateURL: []string{w.url("/ca")},
	})
	w.crl = func() []byte { return w.list(nil) }
	w.answer = func([]byte) []byte { return w.respond(ocsp.Response{}) }
	return w
}

func (w *world) url(path string) string { return w.server.URL + path }

var nextSerial int64 = 0x8000 // the first octet of its DER is 0

func (w *world) issue(by identity, t *x509.Certificate) identity {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	nextSerial++
	t.SerialNumber, t.BasicConstraintsValid = big.NewInt(nextSerial), true
	if t.NotBefore.IsZero() {
		t.NotBefore, t.NotAfter = noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)
	}
	if by.cert == nil {
		by = identity{t, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, by.cert, key.Public(), by.key)
	if err != nil {
		w.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		w.t.Fatal(err)
	}
	return identity{cert, key}
}

// list is a CRL of the CA on which the leaf is not, unless change says so.
func (w *world) list(change func(*x509.RevocationList)) []byte { return w.listBy(w.ca, change) }

func (w *world) listBy(by identity, change func(*x509.RevocationList)) []byte {
	l := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: noon.Add(-time.Hour), NextUpdate: noon.Add(time.Hour)}
	for n := range int64(20) {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(n + 1), RevocationTime: noon})
	}
	if change != nil {
		change(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, by.cert, by.key)
	if err != nil {
		w.t.Error(err)
	}
	return der
}

func (w *world) revoke(reason int) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: w.leaf.cert.SerialNumber, RevocationTime: noon.Add(-time.Minute), ReasonCode: reason})
	}
}

func (w *world) respond(r ocsp.Response) []byte {
	if r.SerialNumber == nil {
		r.SerialNumber = w.leaf.cert.SerialNumber
	}
	if r.ThisUpdate.IsZero() {
		r.ThisUpdate = noon.Add(-time.Minute)
	}
	if w.responder.cert != w.ca.cert {
		r.Certificate = w.responder.cert
	}
	der, err := ocsp.CreateResponse(w.ca.cert, w.responder.cert, r, w.responder.key)
	if err != nil {
		w.t.Error(err)
	}
	return der
}

// withNonce puts a nonce into an answer of the CA and signs it anew.
func (w *world) withNonce(der, nonce []byte) []byte {
	var outer struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type asn1.ObjectIdentifier
			Body []byte
		} `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		w.t.Error(err)
	}
	in := cryptobyte.String(outer.Bytes.Body)
	var basic, data cryptobyte.String
	if !in.ReadASN1(&basic, cbasn1.SEQUENCE) || !basic.ReadASN1(&data, cbasn1.SEQUENCE) {
		w.t.Error("no answer")
	}
	var tbs cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(data)
		b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidNonce)
					b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
				})
			})
		})
	})
	signed := tbs.BytesOrPanic()
	h := crypto.SHA256.New()
	h.Write(signed)
	signature, err := w.ca.key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	if err != nil {
		w.t.Error(err)
	}
	var algorithm cryptobyte.String
	basic.ReadASN1Element(&algorithm, cbasn1.SEQUENCE)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		b.AddBytes(algorithm)
		b.AddASN1BitString(signature)
	})
	outer.Bytes.Body = b.BytesOrPanic()
	out, err := asn1.Marshal(outer)
	if err != nil {
		w.t.Error(err)
	}
	return out
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, r.Method+" "+r.URL.Path)
	switch {
	case r.URL.Path == "/crl":
		_, _ = rw.Write(w.crl())
	case r.URL.Path == "/ocsp":
		w.asked, _ = io.ReadAll(r.Body)
		_, _ = rw.Write(w.answer(w.asked))
	case r.URL.Path == "/ca":
		_, _ = rw.Write(w.ca.cert.Raw)
	case strings.HasPrefix(r.URL.Path, "/extra") && w.extra != nil:
		w.extra(rw, r)
	default:
		http.Error(rw, "no such page", http.StatusNotFound)
	}
}

func (w *world) checker(change func(*Options)) *Checker {
	w.t.Helper()
	o := Options{Now: func() time.Time { return noon }, Timeout: 5 * time.Second}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) check(c *Checker) Result {
	return c.Check(w.t.Context(), []Target{c.Target(w.leaf.cert, w.ca.cert)})[0]
}

func ext(critical bool, id asn1.ObjectIdentifier, value ...byte) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}
