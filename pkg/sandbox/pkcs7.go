package sandbox

import (
	"bytes"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
)

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}

	context0 = cbasn1.Tag(0).ContextSpecific().Constructed()
	context2 = cbasn1.Tag(2).ContextSpecific().Constructed()
)

// certsOnly is the degenerate PKCS#7 SignedData that carries certificates and
// no signature (RFC 5652, 5.1).
func certsOnly(certs [][]byte) []byte {
	return signedData{certs: certs}.encode()
}

// signedData is a SignedData, version 1, or 4 with an attribute certificate.
type signedData struct {
	digests []byte // AlgorithmIdentifiers, encoded
	content []byte // absent when nil
	certs   [][]byte
	signers []byte // SignerInfos, encoded
}

func (s signedData) encode() []byte {
	version := int64(1)
	// DER wants a set sorted; an attribute certificate has a tag of its own.
	sorted := slices.Clone(s.certs)
	for k, c := range sorted {
		if ca.IsAttribute(c) {
			version = 4
			sorted[k] = append([]byte{byte(context2)}, c[1:]...)
		}
	}
	slices.SortFunc(sorted, bytes.Compare)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(context0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(version)
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(s.digests) })
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidData)
					if s.content != nil {
						b.AddASN1(context0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(s.content) })
					}
				})
				b.AddASN1(context0, func(b *cryptobyte.Builder) {
					for _, c := range sorted {
						b.AddBytes(c)
					}
				})
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(s.signers) })
			})
		})
	})
	return b.BytesOrPanic()
}
