package ca

import (
	"crypto/sha256"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
)

// SignCMS signs content of type id-data with the issuer's key and returns what
// a SignedData says of it: its digest algorithm and its SignerInfo.
func (i *Issuer) SignCMS(content []byte) (digestAlgorithm, signerInfo []byte, err error) {
	digest := sha256.Sum256(content)
	attribute := func(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			b.AddASN1(cbasn1.SET, value)
		})
	}
	var attributes cryptobyte.Builder // sorted as DER wants it: the shorter first
	attribute(&attributes, oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) })
	attribute(&attributes, oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest[:]) })
	list := attributes.BytesOrPanic()

	// What is signed is a SET; in the SignerInfo it has another tag.
	var set cryptobyte.Builder
	set.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(list) })
	signature, err := i.sign256(set.BytesOrPanic())
	if err != nil {
		return nil, nil, err
	}
	var algorithm cryptobyte.Builder
	algorithm.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA256) })
	digestAlgorithm = algorithm.BytesOrPanic()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(i.Cert.RawIssuer)
			b.AddASN1BigInt(i.Cert.SerialNumber)
		})
		b.AddBytes(digestAlgorithm)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(list) })
		addECDSA(b)
		b.AddASN1OctetString(signature)
	})
	signerInfo, err = b.Bytes()
	return digestAlgorithm, signerInfo, err
}
