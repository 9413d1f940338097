package revstatus

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// verify compares an answer with a state and a piece of its error, "" for none.
func verify(t *testing.T, a Answer, state State, why string) {
	t.Helper()
	text := ""
	if a.Err != nil {
		text = a.Err.Error()
	}
	if a.State != state || (text == "") != (why == "") || !strings.Contains(text, why) {
		t.Errorf("%s, %q; want %s, %q", a.State, text, state, why)
	}
}

func TestCRL(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*world)
		state State
		why   string
	}{
		{"not listed", nil, NotListed, ""},
		{"revoked", func(w *world) { w.crl = func() []byte { return w.list(w.revoke(1)) } }, Revoked, ""},
		{"on hold", func(w *world) { w.crl = func() []byte { return w.list(w.revoke(6)) } }, Revoked, ""},
		{"no entries", func(w *world) {
			w.crl = func() []byte { return w.list(func(l *x509.RevocationList) { l.RevokedCertificateEntries = nil }) }
		}, NotListed, ""},
		{"PEM", func(w *world) {
			w.crl = func() []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: w.list(w.revoke(1))}) }
		}, Revoked, ""},
		{"PEM of something else", func(w *world) {
			w.crl = func() []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.list(nil)}) }
		}, Failed, "no CRL"},
		{"a web page", func(w *world) { w.crl = func() []byte { return []byte("<html>") } }, Failed, "no CRL"},
		{"cut off", func(w *world) { w.crl = func() []byte { return w.list(nil)[:300] } }, Failed, "no CRL"},
		{"by another", func(w *world) {
			other := w.issue(identity{}, &x509.Certificate{Subject: pkix.Name{CommonName: "other"}, IsCA: true, KeyUsage: x509.KeyUsageCRLSign})
			w.crl = func() []byte { return w.listBy(other, w.revoke(1)) }
		}, Failed, "the CRL is by CN=other"},
		{"by another of that name", func(w *world) {
			other := w.issue(identity{}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, KeyUsage: x509.KeyUsageCRLSign})
			w.crl = func() []byte { return w.listBy(other, w.revoke(1)) }
		}, Failed, "not signed by the issuer"},
		{"an entry taken out", func(w *world) {
			w.crl = func() []byte {
				return bytes.Replace(w.list(w.revoke(1)), []byte{2, 1, 5}, []byte{2, 1, 6}, 1)
			}
		}, Failed, "not signed by the issuer"},
		{"expired", func(w *world) {
			w.crl = func() []byte {
				return w.list(func(l *x509.RevocationList) { w.revoke(1)(l); l.NextUpdate = noon.Add(-10 * time.Minute) })
			}
		}, Revoked, "the CRL has expired: a new one was due at 2026-06-01T11:50:00Z"},
		{"not yet", func(w *world) {
			w.crl = func() []byte {
				return w.list(func(l *x509.RevocationList) {
					l.ThisUpdate = noon.Add(time.Hour)
					l.NextUpdate = noon.Add(2 * time.Hour)
				})
			}
		}, NotListed, "not valid before 2026-06-01T13:00:00Z"},
		{"a delta", func(w *world) { w.crl = func() []byte { return w.list(ext(true, oidDelta, 2, 1, 1)) } }, Failed, "delta"},
		{"indirect", func(w *world) {
			w.crl = func() []byte { return w.list(ext(true, oidIssuedBy, 0x30, 3, 0x84, 1, 0xff)) }
		}, Failed, "indirect"},
		{"some reasons", func(w *world) {
			w.crl = func() []byte { return w.list(ext(true, oidIssuedBy, 0x30, 4, 0x83, 2, 6, 0x40)) }
		}, Failed, "some reasons only"},
		{"for CAs", func(w *world) {
			w.crl = func() []byte { return w.list(ext(true, oidIssuedBy, 0x30, 3, 0x82, 1, 0xff)) }
		}, Failed, "not for certificates of this kind"},
		{"for attribute certificates", func(w *world) {
			w.crl = func() []byte { return w.list(ext(true, oidIssuedBy, 0x30, 3, 0x85, 1, 0xff)) }
		}, Failed, "attribute"},
		{"for users", func(w *world) {
			w.crl = func() []byte {
				return w.list(func(l *x509.RevocationList) { w.revoke(4)(l); ext(true, oidIssuedBy, 0x30, 3, 0x81, 1, 0xff)(l) })
			}
		}, Revoked, ""},
		{"a scope that is none", func(w *world) { w.crl = func() []byte { return w.list(ext(true, oidIssuedBy, 4, 0)) } }, Failed, "no CRL"},
		{"critical and unknown", func(w *world) {
			w.crl = func() []byte { return w.list(ext(true, asn1.ObjectIdentifier{1, 2, 3}, 5, 0)) }
		}, Failed, "critical extension 1.2.3"},
		{"unknown only", func(w *world) {
			w.crl = func() []byte { return w.list(ext(false, asn1.ObjectIdentifier{1, 2, 3}, 5, 0)) }
		}, NotListed, ""},
		{"gone", func(w *world) { w.leaf.cert.CRLDistributionPoints = []string{w.url("/none")} }, Failed, "/none: answers HTTP 404"},
		{"the second place has it", func(w *world) {
			w.leaf.cert.CRLDistributionPoints = []string{w.url("/none"), w.url("/crl")}
		}, NotListed, ""},
		{"ldap only", func(w *world) { w.leaf.cert.CRLDistributionPoints = []string{"ldap://x/"} }, Failed, "not a URL of http or https"},
		{"none named", func(w *world) { w.leaf.cert.CRLDistributionPoints = nil }, None, ""},
		{"redirected", func(w *world) {
			w.leaf.cert.CRLDistributionPoints = []string{w.url("/extra")}
			w.extra = func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/crl", http.StatusFound) }
		}, NotListed, ""},
		{"redirected for ever", func(w *world) {
			w.leaf.cert.CRLDistributionPoints = []string{w.url("/extra")}
			w.extra = func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/extra", http.StatusFound) }
		}, Failed, "more than three redirects"},
		{"redirected elsewhere", func(w *world) {
			w.leaf.cert.CRLDistributionPoints = []string{w.url("/extra")}
			w.extra = func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "file:///etc/passwd", http.StatusFound)
			}
		}, Failed, "not a URL of http or https"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.set != nil {
				c.set(w)
			}
			r := w.check(w.checker(nil))
			verify(t, r.CRL, c.state, c.why)
			if c.state != Revoked {
				return
			}
			if !r.CRL.RevokedAt.Equal(noon.Add(-time.Minute)) || r.CRL.Number != "7" || r.CRL.ThisUpdate.IsZero() {
				t.Errorf("%+v", r.CRL)
			}
			want := map[string]pki.Reason{"on hold": pki.CertificateHold, "for users": pki.Superseded}[c.name]
			if want == 0 {
				want = pki.KeyCompromise
			}
			if r.CRL.Reason != want {
				t.Errorf("reason %v", r.CRL.Reason)
			}
		})
	}
}

func TestIssuerMaySignNoCRLs(t *testing.T) {
	w := newWorld(t)
	w.crl = func() []byte { return w.list(nil) }
	der := w.crl()
	w.crl = func() []byte { return der }
	w.ca.cert.KeyUsage = x509.KeyUsageCertSign
	verify(t, w.check(w.checker(nil)).CRL, Failed, "does not allow it to sign CRLs")
}

func TestIssuer(t *testing.T) {
	w := newWorld(t)
	c := w.checker(nil)
	if got, err := c.Issuer(t.Context(), w.leaf.cert); err != nil || !got.Equal(w.ca.cert) {
		t.Error(got, err)
	}
	if got, err := c.Issuer(t.Context(), w.leaf.cert); err != nil || !got.Equal(w.ca.cert) || len(w.requests) != 1 {
		t.Errorf("%v, %v, asked %v", got, err, w.requests)
	}
	if got, err := c.Issuer(t.Context(), w.ca.cert); err != nil || got != w.ca.cert {
		t.Error("it is its own issuer", err)
	}
	stranger := w.issue(identity{}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign})
	c = w.checker(nil)
	c.Know(stranger.cert)
	w.leaf.cert.IssuingCertificateURL = nil
	if _, err := c.Issuer(t.Context(), w.leaf.cert); err == nil || !strings.Contains(err.Error(), "names no place") {
		t.Error(err)
	}
	w.leaf.cert.IssuingCertificateURL = []string{w.url("/crl")}
	if _, err := c.Issuer(t.Context(), w.leaf.cert); err == nil {
		t.Error("a CRL is taken for a certificate")
	}
	w.leaf.cert.IssuingCertificateURL = []string{w.url("/extra")}
	w.extra = func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(stranger.cert.Raw) }
	if _, err := c.Issuer(t.Context(), w.leaf.cert); err == nil || !strings.Contains(err.Error(), "did not sign the certificate") {
		t.Error(err)
	}
}

// TestManyShareOneList: one list is fetched once, and each certificate finds
// its own entry.
func TestManyShareOneList(t *testing.T) {
	w := newWorld(t)
	der := w.list(func(l *x509.RevocationList) {
		for n := range int64(3000) {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: big.NewInt(1<<40 + n), RevocationTime: noon.Add(time.Duration(n) * time.Second), ReasonCode: int(n % 2)})
		}
	})
	w.crl = func() []byte { return der }
	c := w.checker(nil)
	var targets []Target
	for n := range int64(6000) {
		targets = append(targets, Target{Serial: pki.SerialOf(big.NewInt(1<<40 + n)), Issuer: w.ca.cert, CRLs: []string{w.url("/crl")}})
	}
	for n, r := range c.Check(t.Context(), targets) {
		listed := n < 3000
		if (r.CRL.State == Revoked) != listed || listed && (!r.CRL.RevokedAt.Equal(noon.Add(time.Duration(n)*time.Second)) || int(r.CRL.Reason) != n%2) {
			t.Fatalf("%d: %+v", n, r.CRL)
		}
	}
	if len(w.requests) != 1 {
		t.Errorf("asked %d times", len(w.requests))
	}
}

func TestVisible(t *testing.T) {
	revoked, hold, good := Answer{State: Revoked, Reason: 1}, Answer{State: Revoked, Reason: pki.CertificateHold}, Answer{State: Good}
	none, stale := Answer{State: None}, Answer{State: Revoked, Reason: 1, Err: errors.New("expired")}
	for _, c := range []struct {
		name      string
		crl, ocsp Answer
		onHold    bool
		want      bool
	}{
		{"both", revoked, revoked, false, true}, {"no responder", revoked, none, false, true}, {"no list", none, revoked, false, true},
		{"no source", none, none, false, false}, {"the list is behind", Answer{State: NotListed}, revoked, false, false},
		{"the responder is behind", revoked, good, false, false}, {"still a hold", hold, revoked, false, false},
		{"a hold is enough", hold, hold, true, true}, {"the list is old", stale, revoked, false, false}, {"failed", Answer{State: Failed, Err: errors.New("x")}, none, false, false},
	} {
		target := Target{OnHold: c.onHold}
		if got := target.Visible(Result{c.crl, c.ocsp}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestWait: it ends when the list has it, and asks the responder no more once
// all is seen.
func TestWait(t *testing.T) {
	w := newWorld(t)
	looks := 0
	w.answer = func([]byte) []byte {
		return w.respond(ocsp.Response{Status: ocsp.Revoked, RevokedAt: noon, RevocationReason: 4})
	}
	w.crl = func() []byte {
		if looks++; looks == 1 {
			return w.list(nil)
		}
		return w.list(w.revoke(4))
	}
	c := w.checker(nil)
	var pending []int
	targets := []Target{c.Target(w.leaf.cert, w.ca.cert)}
	results, err := c.Wait(t.Context(), targets, time.Minute, func(n int) { pending = append(pending, n) })
	if err != nil || !targets[0].Visible(results[0]) || !slices.Equal(pending, []int{1, 0}) {
		t.Errorf("%+v, %v, pending %v", results, err, pending)
	}

	// One that is never published: what is left is told, with exit code 12.
	looks = 0
	w.crl = func() []byte { return w.list(nil) }
	results, err = c.Wait(t.Context(), targets, time.Nanosecond, nil)
	var late *NotPublishedError
	if !errors.As(err, &late) || exit.Of(err) != exit.WaitOver || exit.HintOf(err) == "" || results[0].OCSP.State != Revoked {
		t.Errorf("%+v, %v", results, err)
	}
	broken := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if _, err := c.Wait(ctx, targets, time.Minute, nil); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// TestUnchangedList: a list that did not change is neither sent nor read again.
func TestUnchangedList(t *testing.T) {
	w := newWorld(t)
	w.leaf.cert.OCSPServer, w.leaf.cert.CRLDistributionPoints = nil, []string{w.url("/extra")}
	var asked []string
	w.extra = func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("If-None-Match"))
		der := w.list(nil)
		rw.Header().Set("ETag", `"one"`)
		switch {
		case len(asked) == 3:
			rw.Header().Set("ETag", `"two"`)
			der = w.list(w.revoke(1))
		case r.Header.Get("If-None-Match") == `"one"`:
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = rw.Write(der)
	}
	c := w.checker(nil)
	results, err := c.Wait(t.Context(), []Target{c.Target(w.leaf.cert, w.ca.cert)}, time.Minute, nil)
	if err != nil || results[0].CRL.State != Revoked || !slices.Equal(asked, []string{"", `"one"`, `"one"`}) {
		t.Errorf("%+v, %v, asked %q", results, err, asked)
	}
}

func TestFetchEnds(t *testing.T) {
	w := newWorld(t)
	w.extra = func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, 2000)) }
	c := w.checker(nil)
	if _, err := c.fetch.get(t.Context(), w.url("/extra"), "", 1999, nil); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
	w.server.Close()
	if _, err := c.fetch.get(t.Context(), w.url("/extra"), "", 1, nil); exit.Of(err) != exit.Unavailable {
		t.Error(err)
	}
	if _, err := New(Options{CRLURL: "ldap://x/"}); exit.Of(err) != exit.Usage {
		t.Error(err)
	}
	if _, err := New(Options{OCSPURL: "http://user:secret@x/"}); exit.Of(err) != exit.Usage {
		t.Error(err)
	}
}

func FuzzCRL(f *testing.F) {
	t := &testing.T{}
	w := &world{t: t}
	w.ca = w.issue(identity{}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign})
	w.leaf = w.ca
	f.Add(w.list(w.revoke(1)))
	f.Add(w.list(ext(true, oidIssuedBy, 0x30, 3, 0x84, 1, 0xff)))
	f.Fuzz(func(t *testing.T, der []byte) {
		_, short, entries, ok := outlineCRL(der)
		if !ok {
			return
		}
		_, _ = x509.ParseRevocationList(short)
		_ = (&crl{entries: entries}).find(map[string]int{"\x01": 1}, func(int, entry) {})
	})
}
