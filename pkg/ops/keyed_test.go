package ops

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pemfile"
)

// leaf is a certificate of the fake CA for any key.
func (is *issuing) leaf(t *testing.T, serial int64, cn string, pub crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}, is.ca, pub, is.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// p12 is a PKCS#12 file as OpenSSL makes it.
func p12(t *testing.T, key crypto.PrivateKey, c *x509.Certificate, password string) []byte {
	t.Helper()
	dir := t.TempDir()
	text, err := pemfile.Encode(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(dir, "in")
	if err := os.WriteFile(in, append(text, pemOf(c.Raw)...), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"pkcs12", "-export", "-in", in, "-passout", "pass:" + password, "-out", filepath.Join(dir, "out")}
	if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	der, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// issuesKeyed makes the fake gateway answer one keyed request with body, and
// have a new certificate of the name then.
func (g *gateway) issuesKeyed(contentType, certID string, row *cert, body []byte) {
	g.vro = true
	g.fault = func(_ int, _, after bool) http.HandlerFunc {
		if after {
			return nil
		}
		return func(w http.ResponseWriter, _ *http.Request) {
			if row != nil {
				g.mu.Lock()
				row.validFrom = g.now()
				g.certs["77"] = row
				g.mu.Unlock()
			}
			if body == nil {
				panic(http.ErrAbortHandler)
			}
			if certID != "" {
				w.Header().Set("certId", certID)
			}
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(body)
		}
	}
}

func TestIssueP12(t *testing.T) {
	g := newGateway(t)
	is := newIssuing(t, g)
	key := newKey(t)
	c := is.leaf(t, 0x0abc, "Demo", key.Public())
	row := &cert{status: "active", cn: "Demo", serial: "0abc", issuer: pki.DN(c.RawIssuer)}
	good := p12(t, key, c, "secret")
	wrong := p12(t, key, c, "other")
	req, err := pki.NewUnsignedRequest(pki.Name{{{Type: "CN", Value: "Demo"}}}, pki.AltNames{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, header string
		body         []byte
		certID, err  string
	}{
		{"named by a header", "99", good, "99", ""},
		{"found by serial and name", "", good, "77", ""},
		{"another password", "", wrong, "77", "the certificate was issued, but the PKCS#12 file that came does not open with the password that was sent"},
		{"no PKCS#12", "99", []byte("\x30\x03\x02\x01\x01"), "99", "the certificate was issued, but what came cannot be checked: the PKCS#12 file of the answer cannot be read: it is damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			delete(g.certs, "77")
			g.certs["76"] = &cert{status: "active", cn: "Demo", serial: "0abd", validFrom: g.now()} // of another request, just before
			fresh := *row
			g.issuesKeyed(cmapi.MediaPKCS12, tt.header, &fresh, tt.body)
			r, _ := g.runner(t, nil)
			got, err := r.IssueP12(t.Context(), req, cmapi.IssueRequest{}, []byte("secret"))
			var unusable *UnusableError
			if errors.As(err, &unusable) {
				got = unusable.Got
			}
			if text := errText(err); text != tt.err || got == nil || got.CertID != tt.certID || string(got.Bytes) != string(tt.body) {
				t.Errorf("%+v, %v", got, err)
			}
			if err != nil && exit.Of(err) != exit.Failure {
				t.Errorf("exit %d", exit.Of(err))
			}
			if err == nil && !got.Leaf.Equal(c) {
				t.Error("another certificate")
			}
		})
	}
	if _, err := (&Runner{}).IssueP12(t.Context(), req, cmapi.IssueRequest{}, nil); err == nil {
		t.Error("no password and no error")
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A lost answer names what was issued, and nothing that was there before.
func TestLostKey(t *testing.T) {
	req, err := pki.NewUnsignedRequest(pki.Name{{{Type: "CN", Value: "Demo"}}}, pki.AltNames{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		row     *cert
		also    bool // another one of the name comes at the same time
		ids     int
		exit    exit.Code
		message string
		hint    string
	}{
		{"issued", &cert{status: "active", cn: "Demo"}, false, 1, exit.Failure, "the answer was lost and the key with it; certificate 77 was issued for it: ", "revoke it with `cmctl cert revoke 77 --reason superseded`, then ask again"},
		{"two came", &cert{status: "active", cn: "Demo"}, true, 2, exit.Failure, "was issued for it: ", "find out which is whose with `cmctl cert show`, and revoke the one that nobody has the key of"},
		{"not issued", nil, false, 0, exit.Unavailable, "the answer was lost and the key with it; no new certificate of this subject is found so far: ", "look with `cmctl cert search --cn \"Demo\" --valid-from-after -1h` before asking again: a certificate whose key nobody has must be revoked"},
		{"another name", &cert{status: "active", cn: "Other"}, false, 0, exit.Unavailable, "no new certificate of this subject", "look with"},
	} {
		for _, verb := range []string{"p12", "skip"} {
			t.Run(tt.name+" "+verb, func(t *testing.T) {
				g := newGateway(t)
				g.certs["76"] = &cert{status: "active", cn: "Demo", validFrom: g.now()}
				var row *cert
				if tt.row != nil {
					fresh := *tt.row
					row = &fresh
				}
				g.issuesKeyed("", "", row, nil)
				if tt.also {
					inner := g.fault
					g.fault = func(n int, signed, after bool) http.HandlerFunc {
						g.mu.Lock()
						g.certs["78"] = &cert{status: "active", cn: "Demo", validFrom: g.now()}
						g.mu.Unlock()
						return inner(n, signed, after)
					}
				}
				r, _ := g.runner(t, nil)
				if verb == "p12" {
					_, err = r.IssueP12(t.Context(), req, cmapi.IssueRequest{}, []byte("x"))
				} else {
					_, err = r.IssueSKIP(t.Context(), req, cmapi.IssueRequest{})
				}
				var lost *LostKeyError
				if !errors.As(err, &lost) || len(lost.CertIDs) != tt.ids || exit.Of(err) != tt.exit || !strings.Contains(err.Error(), tt.message) || !strings.HasPrefix(exit.HintOf(err), tt.hint) {
					t.Errorf("exit %d, %v\nhint %s", exit.Of(err), err, exit.HintOf(err))
				}
			})
		}
	}
}

// What a run that was killed has brought about came at about the time of its
// request: an earlier and a later one of the name are others'.
func TestKeyedSince(t *testing.T) {
	for after, found := range map[time.Duration]bool{
		-time.Minute: false, -2 * time.Second: true, 0: true, 9 * time.Minute: true, 11 * time.Minute: false,
	} {
		t.Run(after.String(), func(t *testing.T) {
			g := newGateway(t)
			sent := g.now().Add(-time.Hour)
			g.certs["76"] = &cert{status: "active", cn: "Demo", validFrom: sent.Add(after)}
			r, _ := g.runner(t, nil)
			err := r.KeyedSince(t.Context(), "Demo", time.Time{}, sent)
			var lost *LostKeyError
			if errors.As(err, &lost) != found || found && lost.CertIDs[0] != "76" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestIssueSKIP(t *testing.T) {
	key := newKey(t)
	text, err := pemfile.Encode(key, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := pki.Split(text)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	message := func(kind asn1.ObjectIdentifier, content []byte) []byte {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(kind)
			b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
		})
		return b.BytesOrPanic()
	}
	var pairs cryptobyte.Builder
	pairs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(public); b.AddBytes(pieces[0].DER) })
	})
	data := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	for _, tt := range []struct {
		name string
		body []byte
		err  string
	}{
		{"one pair", message(data, pairs.BytesOrPanic()), ""},
		{"another content", message(data, []byte("hello")), "the package was made, but what came is none: the content is no KeyPairContainers"},
		{"enveloped", message(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 3}, []byte("hello")), "the package was made, but what came is none: the message has no content in the clear"},
		{"no message", []byte("\x30\x00"), "the package was made, but what came is none: this is no CMS message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			g.issuesKeyed(cmapi.MediaPKCS7, "", &cert{status: "active", cn: "Demo"}, tt.body)
			r, _ := g.runner(t, nil)
			got, err := r.IssueSKIP(t.Context(), newRequest(t, "Demo"), cmapi.IssueRequest{})
			if text := errText(err); text != tt.err {
				t.Errorf("%v, want %s", err, tt.err)
			}
			var unusable *UnusableError
			switch {
			case errors.As(err, &unusable):
				if unusable.Got.CertID != "77" || string(unusable.Got.Bytes) != string(tt.body) {
					t.Errorf("%+v", unusable.Got)
				}
			case err == nil && (len(got.Pairs) != 1 || got.CertID != "77"):
				t.Errorf("%+v", got)
			}
		})
	}
}

// attrCert is the least attribute certificate that a holder can be read from.
func attrCert(t *testing.T, key *ecdsa.PrivateKey, base *x509.Certificate) []byte {
	t.Helper()
	algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
		})
	}
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	names := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(explicit(4), func(b *cryptobyte.Builder) { b.AddBytes(base.RawIssuer) })
		})
	}
	var info cryptobyte.Builder
	info.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { names(b); b.AddASN1BigInt(base.SerialNumber) })
		})
		b.AddASN1(explicit(0), names)
		algorithm(b)
		b.AddASN1Int64(0x51)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1GeneralizedTime(base.NotBefore)
			b.AddASN1GeneralizedTime(base.NotAfter)
		})
		b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
	})
	tbs := info.BytesOrPanic()
	sum := sha256.Sum256(tbs)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		algorithm(b)
		b.AddASN1BitString(signature)
	})
	return b.BytesOrPanic()
}

func TestIssueAttr(t *testing.T) {
	g := newGateway(t)
	is := newIssuing(t, g)
	base, stranger := is.leaf(t, 0x0abc, "base", newKey(t).Public()), is.leaf(t, 0x0abd, "stranger", newKey(t).Public())
	right, wrong := attrCert(t, is.key, base), attrCert(t, is.key, stranger)
	g.certs["5"] = &cert{status: "active", cn: "base", der: base.Raw}
	r, _ := g.runner(t, nil)
	got, err := r.Base(t.Context(), "5")
	if err != nil || !got.Equal(base) {
		t.Fatal(err)
	}
	g.certs["6"] = &cert{status: "active", der: right}
	if _, err := r.Base(t.Context(), "6"); exit.Of(err) != exit.WrongState {
		t.Errorf("an attribute certificate as a base: %v", err)
	}
	for _, tt := range []struct {
		name   string
		body   []byte // nil: the answer is lost
		row    []byte // what is there then; nil: nothing
		certID string
		parsed bool
		exit   exit.Code
		err    string
	}{
		{"bound to the base", right, right, "77", true, exit.OK, ""},
		{"bound to another", wrong, wrong, "", false, exit.Failure, "the attribute certificate that came is not bound to certificate 5"},
		{"of a form not known here", []byte("\x30\x03\x02\x01\x01"), nil, "", false, exit.OK, ""},
		{"lost and found", nil, right, "77", true, exit.OK, ""},
		{"lost, another is new", nil, wrong, "", false, exit.Unavailable, "the answer was lost and no new attribute certificate of this base is found so far"},
		{"lost", nil, nil, "", false, exit.Unavailable, "the answer was lost and no new attribute certificate of this base is found so far"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			delete(g.certs, "77")
			g.certs["76"] = &cert{status: "active", cn: "role", der: right, validFrom: g.now()} // of the same base, just before
			var row *cert
			if tt.row != nil {
				row = &cert{status: "active", cn: "role", der: tt.row}
			}
			g.issuesKeyed(cmapi.MediaDER, "", row, tt.body)
			r, _ := g.runner(t, nil)
			got, err := r.IssueAttr(t.Context(), "5", base, newRequest(t, "role"), cmapi.IssueRequest{Media: cmapi.MediaDER})
			if exit.Of(err) != tt.exit || !strings.Contains(errText(err), tt.err) {
				t.Fatalf("exit %d, %v", exit.Of(err), err)
			}
			if err != nil {
				return
			}
			if got.CertID != tt.certID || (got.Cert != nil) != tt.parsed || tt.body != nil && string(got.Bytes) != string(tt.body) || got.Settled != (tt.body == nil) {
				t.Errorf("%+v", got)
			}
		})
	}
}
