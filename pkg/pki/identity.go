package pki

import (
	"crypto/sha1" // RFC 5280 names keys by SHA-1; nothing here trusts it
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Fingerprint is the SHA-256 of a certificate's DER, in lower-case hex.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// SKIs are the subject key identifiers that a CA may have made for a public
// key, given as SubjectPublicKeyInfo (RawSubjectPublicKeyInfo of a parsed
// request or certificate): by SHA-1 (RFC 5280, 4.2.1.2, method 1), then by the
// first 160 bits of SHA-256 (RFC 7093, method 1). Lower-case hex.
func SKIs(spki []byte) ([]string, error) {
	var info, key cryptobyte.String
	input := cryptobyte.String(spki)
	var unused uint8
	if !input.ReadASN1(&info, asn1.SEQUENCE) || !input.Empty() ||
		!info.SkipASN1(asn1.SEQUENCE) ||
		!info.ReadASN1(&key, asn1.BIT_STRING) || !info.Empty() ||
		!key.ReadUint8(&unused) {
		return nil, errors.New("the public key cannot be read: it is no SubjectPublicKeyInfo")
	}
	short := sha1.Sum(key)
	long := sha256.Sum256(key)
	return []string{hex.EncodeToString(short[:]), hex.EncodeToString(long[:20])}, nil
}
