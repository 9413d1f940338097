package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ParseKeyless reads a PKCS#10 request whose public key does not count: a
// signed one, whose signature must be right, or its CertificationRequestInfo
// alone, in which anything may stand for the key. What it returns has no
// public key, and Raw as it was sent.
func ParseKeyless(raw []byte) (*x509.CertificateRequest, error) {
	der, err := requestDER(raw)
	if err != nil {
		return nil, err
	}
	info, unsigned, err := requestInfo(der)
	if err != nil {
		return nil, err
	}
	if !unsigned {
		csr, err := ParseRequest(der)
		if err == nil {
			csr.PublicKey = nil
		}
		return csr, err
	}
	csr, err := x509.ParseCertificateRequest(info)
	if err != nil {
		return nil, fmt.Errorf("the request cannot be decoded: %w", err)
	}
	csr.Raw, csr.PublicKey = der, nil
	return csr, nil
}

// oidEd25519 names both the key and the signature that stand in for what an
// unsigned request lacks.
var oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}

// requestInfo tells an unsigned request from a signed one by what it starts
// with, a version instead of a SEQUENCE, and completes an unsigned one with a
// key and a signature of zeros, for crypto/x509 to read the rest.
func requestInfo(der []byte) (completed []byte, unsigned bool, err error) {
	in := cryptobyte.String(der)
	var body, subject, attributes cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, false, errors.New("the request cannot be decoded")
	}
	if !body.PeekASN1Tag(cbasn1.INTEGER) {
		return nil, false, nil
	}
	var version int
	if !body.ReadASN1Integer(&version) || version != 0 || !body.ReadASN1Element(&subject, cbasn1.SEQUENCE) ||
		!body.SkipASN1(cbasn1.SEQUENCE) {
		return nil, false, errors.New("the unsigned request cannot be decoded")
	}
	attributes = body
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			b.AddBytes(subject)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addEd25519(b)
				b.AddASN1BitString(bytes.Repeat([]byte{0}, 32))
			})
			b.AddBytes(attributes)
		})
		addEd25519(b)
		b.AddASN1BitString(nil)
	})
	completed, err = b.Bytes()
	return completed, true, err
}

func addEd25519(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidEd25519) })
}
