package revstatus

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/cmctl/cmctl/pkg/pki"
)

func TestOCSP(t *testing.T) {
	delegate := func(w *world, change func(*x509.Certificate)) {
		c := &x509.Certificate{Subject: pkix.Name{CommonName: "responder"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}
		if change != nil {
			change(c)
		}
		w.responder = w.issue(w.ca, c)
	}
	says := func(r ocsp.Response) func(*world) {
		return func(w *world) { w.answer = func([]byte) []byte { return w.respond(r) } }
	}
	for _, c := range []struct {
		name  string
		set   func(*world)
		state State
		why   string
	}{
		{"good", nil, Good, ""},
		{"revoked", says(ocsp.Response{Status: ocsp.Revoked, RevokedAt: noon.Add(-time.Minute), RevocationReason: 1}), Revoked, ""},
		{"unknown", says(ocsp.Response{Status: ocsp.Unknown}), Unknown, ""},
		{"expired", says(ocsp.Response{ThisUpdate: noon.Add(-2 * time.Hour), NextUpdate: noon.Add(-time.Hour)}), Good, "the OCSP answer has expired"},
		{"not yet", says(ocsp.Response{ThisUpdate: noon.Add(time.Hour)}), Good, "is not valid before"},
		{"of another", says(ocsp.Response{SerialNumber: big.NewInt(5)}), Failed, "no response matching"},
		{"refused", func(w *world) { w.answer = func([]byte) []byte { return ocsp.TryLaterErrorResponse } }, Failed, "the responder refuses: ocsp: error from server: try later"},
		{"a web page", func(w *world) { w.answer = func([]byte) []byte { return []byte("<html>") } }, Failed, "no OCSP answer"},
		{"delegated", func(w *world) { delegate(w, nil) }, Good, ""},
		{"not for that", func(w *world) {
			delegate(w, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
		}, Failed, "not for signing OCSP answers"},
		{"delegated once", func(w *world) {
			delegate(w, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.AddDate(-1, 0, 0), noon.Add(-time.Hour) })
		}, Failed, "valid from 2025-06-01T12:00:00Z to 2026-06-01T11:00:00Z"},
		{"by a stranger", func(w *world) {
			w.responder = w.issue(identity{}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
		}, Failed, "not proven: the certificate of the responder CN=CA"},
		{"by another CA's responder", func(w *world) {
			other := w.issue(identity{}, &x509.Certificate{Subject: pkix.Name{CommonName: "other"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign})
			w.responder = w.issue(other, &x509.Certificate{Subject: pkix.Name{CommonName: "r"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
		}, Failed, "not named by the certificate's issuer"},
		{"changed underway", func(w *world) {
			w.answer = func([]byte) []byte {
				der := w.respond(ocsp.Response{})
				der[len(der)-5] ^= 1
				return der
			}
		}, Failed, "not proven"},
		{"another nonce", func(w *world) {
			w.answer = func([]byte) []byte { return w.withNonce(w.respond(ocsp.Response{}), []byte("another request's")) }
		}, Failed, "its nonce is not ours"},
		{"takes no nonce", func(w *world) {
			w.answer = func(request []byte) []byte {
				if bytes.Contains(request, []byte{0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2}) {
					return ocsp.MalformedRequestErrorResponse
				}
				return w.respond(ocsp.Response{})
			}
		}, Good, ""},
		{"none named", func(w *world) { w.leaf.cert.OCSPServer = nil }, None, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.set != nil {
				c.set(w)
			}
			r := w.check(w.checker(nil))
			verify(t, r.OCSP, c.state, c.why)
			switch {
			case c.state == Revoked && (r.OCSP.Reason != pki.KeyCompromise || !r.OCSP.RevokedAt.Equal(noon.Add(-time.Minute))):
				t.Errorf("%+v", r.OCSP)
			case c.name == "delegated" && r.OCSP.Responder != "CN=responder", c.name == "good" && r.OCSP.Responder != "issuer":
				t.Errorf("by %s", r.OCSP.Responder)
			case r.OCSP.Nonce:
				t.Error("no nonce was echoed")
			}
		})
	}
}

// TestNonceEchoed: our own nonce is known again.
func TestNonceEchoed(t *testing.T) {
	w := newWorld(t)
	w.answer = func(request []byte) []byte {
		_, after, _ := bytes.Cut(request, []byte{0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2, 4, 34, 4, 32})
		return w.withNonce(w.respond(ocsp.Response{}), after)
	}
	if r := w.check(w.checker(nil)); r.OCSP.State != Good || !r.OCSP.Nonce {
		t.Errorf("%+v", r.OCSP)
	}
	if _, err := ocsp.ParseRequest(w.asked); err != nil {
		t.Error(err)
	}
}

func FuzzOCSP(f *testing.F) {
	t := &testing.T{}
	w := &world{t: t}
	w.ca = w.issue(identity{}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign})
	w.leaf, w.responder = w.ca, w.ca
	f.Add(w.respond(ocsp.Response{}))
	f.Add(w.withNonce(w.respond(ocsp.Response{}), []byte("nonce")))
	f.Fuzz(func(t *testing.T, der []byte) {
		_, _ = readResponse(der, w.leaf.cert.SerialNumber, w.ca.cert, []byte("nonce"), noon)
		echoedNonce(der)
	})
}
