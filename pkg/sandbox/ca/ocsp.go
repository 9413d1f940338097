package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

var (
	oidNonce   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	extNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
)

// OCSPRequest is what a caller asks of a responder.
type OCSPRequest struct {
	Serial string // hex
	Hash   crypto.Hash
	Nonce  []byte // the extension's value as it came; nil without one

	nameHash, keyHash []byte
}

// ParseOCSP reads a request. One about several certificates is refused: an
// answer to the first alone would leave the rest open.
func ParseOCSP(der []byte) (*OCSPRequest, error) {
	r, err := ocsp.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	out := &OCSPRequest{Serial: hex.EncodeToString(r.SerialNumber.Bytes()), Hash: r.HashAlgorithm, nameHash: r.IssuerNameHash, keyHash: r.IssuerKeyHash}
	broken := errors.New("the request cannot be decoded")
	in := cryptobyte.String(der)
	var request, body, list, one cryptobyte.String
	tagged := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	if !in.ReadASN1(&request, cbasn1.SEQUENCE) || !request.ReadASN1(&body, cbasn1.SEQUENCE) || !body.SkipOptionalASN1(tagged(0)) ||
		!body.SkipOptionalASN1(tagged(1)) || !body.ReadASN1(&list, cbasn1.SEQUENCE) || !list.ReadASN1(&one, cbasn1.SEQUENCE) {
		return nil, broken
	}
	if !list.Empty() {
		return nil, errors.New("the request is about several certificates")
	}
	var extensions cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&extensions, &present, tagged(2)) || present && !extensions.ReadASN1(&extensions, cbasn1.SEQUENCE) {
		return nil, broken
	}
	for !extensions.Empty() {
		var e, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !extensions.ReadASN1(&e, cbasn1.SEQUENCE) || !e.ReadASN1ObjectIdentifier(&oid) || !e.SkipOptionalASN1(cbasn1.BOOLEAN) ||
			!e.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return nil, broken
		}
		if oid.Equal(oidNonce) {
			out.Nonce = value
		}
	}
	return out, nil
}

// AskedFor is the issuer that a request names; nil when it is none of these.
func (h *Hierarchy) AskedFor(r *OCSPRequest) *Issuer {
	for _, i := range h.Issuers() {
		var info struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}
		if _, err := asn1.Unmarshal(i.Cert.RawSubjectPublicKeyInfo, &info); err != nil {
			continue
		}
		if digest(r.Hash, i.Cert.RawSubject) == string(r.nameHash) && digest(r.Hash, info.Key.Bytes) == string(r.keyHash) {
			return i
		}
	}
	return nil
}

func digest(h crypto.Hash, data []byte) string {
	if !h.Available() {
		return ""
	}
	d := h.New()
	d.Write(data)
	return string(d.Sum(nil))
}

// Delegate gives the first issuing CA a responder of its own, as many CAs have
// it; the others sign their answers themselves. Its key lives as long as the
// process.
func (h *Hierarchy) Delegate(from, to time.Time) error {
	i := h.Issuing[0]
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	subject, err := encodeName([]attribute{{oidCountry, "SE"}, {oidOrganisation, "Demo"}, {oidCommonName, "Demo OCSP Responder"}})
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	cert, err := i.sign(&x509.Certificate{
		RawSubject: subject, SerialNumber: serial, NotBefore: from, NotAfter: to, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: extNoCheck, Value: []byte{5, 0}}},
	}, key.Public())
	i.responder = &Identity{cert, key}
	return err
}

// OCSPAnswer is what a responder says.
type OCSPAnswer struct {
	Known, Revoked         bool
	Reason                 int
	RevokedAt              time.Time
	ThisUpdate, NextUpdate time.Time
}

// AnswerOCSP makes the issuer's answer to a request.
func (i *Issuer) AnswerOCSP(r *OCSPRequest, a OCSPAnswer) ([]byte, error) {
	t := ocsp.Response{IssuerHash: r.Hash, ThisUpdate: a.ThisUpdate, NextUpdate: a.NextUpdate, RevokedAt: a.RevokedAt, RevocationReason: a.Reason}
	var err error
	if t.SerialNumber, err = serialNumber(r.Serial); err != nil {
		return nil, err
	}
	switch {
	case a.Revoked:
		t.Status = ocsp.Revoked
	case !a.Known:
		t.Status = ocsp.Unknown
	}
	by := Identity{i.Cert, i.key}
	if i.responder != nil {
		by, t.Certificate = *i.responder, i.responder.Cert
	}
	der, err := ocsp.CreateResponse(i.Cert, by.Cert, t, by.Key)
	if err != nil {
		return nil, err
	}
	return completeOCSP(der, by.Key, a.ThisUpdate, r.Nonce)
}

// completeOCSP puts into an answer what the library cannot: the time by the
// sandbox's clock, and the nonce. Then it is signed anew.
func completeOCSP(der []byte, key crypto.Signer, at time.Time, nonce []byte) ([]byte, error) {
	var response struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type asn1.ObjectIdentifier
			Body []byte
		} `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &response); err != nil {
		return nil, err
	}
	in := cryptobyte.String(response.Bytes.Body)
	var basic, data, id, statuses, algorithm cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadASN1(&basic, cbasn1.SEQUENCE) || !basic.ReadASN1(&data, cbasn1.SEQUENCE) || !data.ReadAnyASN1Element(&id, &tag) ||
		!data.SkipASN1(cbasn1.GeneralizedTime) || !data.ReadASN1Element(&statuses, cbasn1.SEQUENCE) ||
		!basic.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !basic.SkipASN1(cbasn1.BIT_STRING) {
		return nil, errors.New("the OCSP answer cannot be completed")
	}
	var signed cryptobyte.Builder
	signed.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(id)
		b.AddASN1GeneralizedTime(at.UTC())
		b.AddBytes(statuses)
		if nonce == nil {
			return
		}
		b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidNonce)
					b.AddASN1OctetString(nonce)
				})
			})
		})
	})
	tbs, err := signed.Bytes()
	if err != nil {
		return nil, err
	}
	hash := crypto.SHA256.New()
	hash.Write(tbs)
	signature, err := key.Sign(rand.Reader, hash.Sum(nil), crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(algorithm)
		b.AddASN1BitString(signature)
		b.AddBytes(basic) // certificates
	})
	if response.Bytes.Body, err = b.Bytes(); err != nil {
		return nil, err
	}
	return asn1.Marshal(response)
}
