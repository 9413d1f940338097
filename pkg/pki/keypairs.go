package pki

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// KeyPair is one key of a SKIP package.
type KeyPair struct {
	Public  []byte // SubjectPublicKeyInfo, DER
	Private []byte // EncryptedPrivateKeyInfo, DER
}

// ParseKeyPairs reads KeyPairContainers, the content of a SKIP package as the
// API describes it:
//
//	KeyPairContainers ::= SEQUENCE OF KeyPairContainer
//	KeyPairContainer ::= SEQUENCE {
//	    public            SubjectPublicKeyInfo,       -- RFC 5280
//	    encryptedPrivate  EncryptedPrivateKeyInfo }   -- RFC 5958
//
// PKCS#7 before CMS puts a content in without an OCTET STRING around it; then
// what a reader takes for the content lacks the outer SEQUENCE.
func ParseKeyPairs(content []byte) ([]KeyPair, error) {
	var body cryptobyte.String
	input := cryptobyte.String(content)
	if input.ReadASN1(&body, asn1.SEQUENCE) && input.Empty() {
		if pairs, err := readKeyPairs(body); err == nil {
			return pairs, nil
		}
	}
	return readKeyPairs(content)
}

func readKeyPairs(body cryptobyte.String) ([]KeyPair, error) {
	var pairs []KeyPair
	for !body.Empty() {
		var container, public, private cryptobyte.String
		if !body.ReadASN1(&container, asn1.SEQUENCE) ||
			!container.ReadASN1Element(&public, asn1.SEQUENCE) || identifyDER(public) != PublicKey ||
			!container.ReadASN1Element(&private, asn1.SEQUENCE) || identifyDER(private) != EncryptedPrivateKey || !container.Empty() {
			return nil, errors.New("the content is no KeyPairContainers")
		}
		pairs = append(pairs, KeyPair{public, private})
	}
	if len(pairs) == 0 {
		return nil, errors.New("the content holds no key pair")
	}
	return pairs, nil
}
