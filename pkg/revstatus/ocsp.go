package revstatus

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

var oidNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}

const (
	ocspRequest = "application/ocsp-request"
	nonceLength = 32 // RFC 9654
)

// askOCSP asks the certificate's responder.
func (c *Checker) askOCSP(ctx context.Context, t *Target) Answer {
	serial, ok := new(big.Int).SetString(string(t.Serial), 16)
	if !ok {
		return Answer{State: Failed, Err: exit.New(exit.Failure, "", "the serial number %q is no number", t.Serial)}
	}
	a, url, err := firstOf(t.OCSPs, func(url string) (Answer, error) { return c.askResponder(ctx, url, serial, t.Issuer) })
	if err != nil {
		a = Answer{State: Failed, Err: err}
	}
	a.URL = url
	return a
}

func (c *Checker) askResponder(ctx context.Context, url string, serial *big.Int, issuer *x509.Certificate) (Answer, error) {
	nonce := make([]byte, nonceLength)
	rand.Read(nonce) // never fails (crypto/rand)
	a, err := c.exchange(ctx, url, serial, issuer, nonce)
	var refused ocsp.ResponseError
	if errors.As(err, &refused) && refused.Status == ocsp.Malformed {
		// Some responders take no nonce.
		a, err = c.exchange(ctx, url, serial, issuer, nil)
	}
	return a, err
}

func (c *Checker) exchange(ctx context.Context, url string, serial *big.Int, issuer *x509.Certificate, nonce []byte) (Answer, error) {
	request, err := makeRequest(serial, issuer, nonce)
	if err != nil {
		return Answer{}, exit.New(exit.Failure, "", "the OCSP request cannot be made: %w", err)
	}
	got, err := c.fetch.post(ctx, url, ocspRequest, request)
	if err != nil {
		return Answer{}, err
	}
	return readResponse(got.body, serial, issuer, nonce, c.o.Now())
}

// makeRequest asks about one certificate. SHA-1 is what names the issuer: every
// responder knows it, and nothing depends on its strength.
func makeRequest(serial *big.Int, issuer *x509.Certificate, nonce []byte) ([]byte, error) {
	der, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: serial}, issuer, nil)
	if err != nil || nonce == nil {
		return der, err
	}
	// The library makes no extensions; the nonce goes behind what it made.
	in := cryptobyte.String(der)
	var request, body cryptobyte.String
	if !in.ReadASN1(&request, cbasn1.SEQUENCE) || !request.ReadASN1(&body, cbasn1.SEQUENCE) {
		return nil, errors.New("it cannot be decoded")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(body)
			b.AddASN1(cbasn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidNonce)
						b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
					})
				})
			})
		})
	})
	return b.Bytes()
}

// readResponse reads and proves an answer.
func readResponse(body []byte, serial *big.Int, issuer *x509.Certificate, nonce []byte, now time.Time) (Answer, error) {
	r, err := ocsp.ParseResponseForCert(body, &x509.Certificate{SerialNumber: serial}, nil)
	var refused ocsp.ResponseError
	switch {
	case errors.As(err, &refused):
		return Answer{}, exit.New(exit.Unavailable, "", "the responder refuses: %w", err)
	case err != nil:
		return Answer{}, exit.New(exit.Unavailable, "", "no OCSP answer: %w", err)
	}
	a := Answer{
		RevokedAt: r.RevokedAt.UTC(), ThisUpdate: r.ThisUpdate.UTC(), NextUpdate: r.NextUpdate.UTC(), ProducedAt: r.ProducedAt.UTC(),
	}
	if r.NextUpdate.IsZero() {
		a.NextUpdate = time.Time{}
	}
	if a.Responder, err = provenBy(r, issuer, now); err != nil {
		return Answer{}, err
	}
	switch echo := echoedNonce(r.TBSResponseData); {
	case nonce == nil || echo == nil:
	case !bytes.Equal(echo, nonce):
		return Answer{}, exit.New(exit.Failure, "", "the answer is to another request: its nonce is not ours")
	default:
		a.Nonce = true
	}
	switch r.Status {
	case ocsp.Good:
		a.State = Good
	case ocsp.Revoked:
		a.State, a.Reason = Revoked, pki.Reason(r.RevocationReason)
	default:
		a.State = Unknown
	}
	if a.State != Revoked {
		a.RevokedAt = time.Time{}
	}
	a.Err = current("the OCSP answer", a.ThisUpdate, a.NextUpdate, now)
	return a, nil
}

// provenBy checks who signed: the issuer, or a responder that the issuer named
// by a certificate for that purpose (RFC 6960, 4.2.2.2). The library has
// checked the signature where a certificate came with the answer.
func provenBy(r *ocsp.Response, issuer *x509.Certificate, now time.Time) (string, error) {
	const byIssuer = "issuer"
	unproven := func(format string, args ...any) (string, error) {
		return "", exit.New(exit.Failure, "", "the OCSP answer is not proven: "+format, args...)
	}
	by := r.Certificate
	if by == nil || bytes.Equal(by.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo) {
		if err := r.CheckSignatureFrom(issuer); err != nil {
			return unproven("%w", err)
		}
		return byIssuer, nil
	}
	name := pki.DN(by.RawSubject)
	if !bytes.Equal(by.RawIssuer, issuer.RawSubject) {
		return unproven("the responder %s is not named by the certificate's issuer", name)
	}
	if err := by.CheckSignatureFrom(issuer); err != nil {
		return unproven("the certificate of the responder %s: %w", name, err)
	}
	if !slices.Contains(by.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
		return unproven("the certificate of %s is not for signing OCSP answers", name)
	}
	if now.Before(by.NotBefore.Add(-skew)) || now.After(by.NotAfter.Add(skew)) {
		return unproven("the certificate of the responder %s is valid from %s to %s", name, pki.FormatTime(by.NotBefore), pki.FormatTime(by.NotAfter))
	}
	return name, nil
}

// echoedNonce finds the nonce in ResponseData, which the library reads past.
func echoedNonce(der []byte) []byte {
	in := cryptobyte.String(der)
	var data, list, value, inner cryptobyte.String
	if !in.ReadASN1(&data, cbasn1.SEQUENCE) {
		return nil
	}
	tagged := cbasn1.Tag(1).ContextSpecific().Constructed()
	data.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed())
	// The responder's id may have the same tag: it comes before the time.
	var id cryptobyte.String
	var tag cbasn1.Tag
	if !data.ReadAnyASN1Element(&id, &tag) || !data.SkipASN1(cbasn1.GeneralizedTime) || !data.SkipASN1(cbasn1.SEQUENCE) ||
		!data.ReadASN1(&list, tagged) || !list.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil
	}
	for !list.Empty() {
		var ext cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) || !ext.SkipOptionalASN1(cbasn1.BOOLEAN) ||
			!ext.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return nil
		}
		if !oid.Equal(oidNonce) {
			continue
		}
		bare := value // as old responders write it
		if value.ReadASN1(&inner, cbasn1.OCTET_STRING) && value.Empty() {
			return inner
		}
		return bare
	}
	return nil
}
