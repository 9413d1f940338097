package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1" // old messages are shown, not trusted
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var digests = map[string]struct {
	name string
	hash crypto.Hash
}{
	"1.3.14.3.2.26":          {"sha1", crypto.SHA1},
	"2.16.840.1.101.3.4.2.4": {"sha224", crypto.SHA224},
	"2.16.840.1.101.3.4.2.1": {"sha256", crypto.SHA256},
	"2.16.840.1.101.3.4.2.2": {"sha384", crypto.SHA384},
	"2.16.840.1.101.3.4.2.3": {"sha512", crypto.SHA512},
}

const (
	algRSA     = "RSA"
	algPSS     = "RSA-PSS"
	algECDSA   = "ECDSA"
	algEd25519 = "Ed25519"
)

var algorithms = map[string]string{
	"1.2.840.113549.1.1.1":  algRSA,
	"1.2.840.113549.1.1.5":  algRSA,
	"1.2.840.113549.1.1.11": algRSA,
	"1.2.840.113549.1.1.12": algRSA,
	"1.2.840.113549.1.1.13": algRSA,
	"1.2.840.113549.1.1.14": algRSA,
	"1.2.840.113549.1.1.10": algPSS,
	"1.2.840.10045.2.1":     algECDSA,
	"1.2.840.10045.4.1":     algECDSA,
	"1.2.840.10045.4.3.1":   algECDSA,
	"1.2.840.10045.4.3.2":   algECDSA,
	"1.2.840.10045.4.3.3":   algECDSA,
	"1.2.840.10045.4.3.4":   algECDSA,
	"1.3.101.112":           algEd25519,
}

func digestName(oid asn1.ObjectIdentifier) string {
	if d, ok := digests[oid.String()]; ok {
		return d.name
	}
	return oid.String()
}

func algorithmName(oid asn1.ObjectIdentifier) string {
	if name, ok := algorithms[oid.String()]; ok {
		return name
	}
	return oid.String()
}

// Verify tells whether the signature over content (the SignedData's Content,
// or what it was detached from) is that of Certificate. It does not say that
// the certificate is valid or trusted.
func (s *SignerInfo) Verify(content []byte) error {
	if s.Certificate == nil {
		return errors.New("the signer's certificate is not in the message")
	}
	d, ok := digests[s.digestOID.String()]
	if !ok {
		return fmt.Errorf("the digest %s is not known here", s.Digest)
	}
	signed := content
	if s.rawAttributes != nil {
		if err := s.checkAttributes(sum(d.hash, content)); err != nil {
			return err
		}
		var err error
		if signed, err = s.attributesAsSigned(); err != nil {
			return err
		}
	}
	return s.verify(d.hash, signed)
}

// checkAttributes holds the two attributes that RFC 5652 demands against the
// message they are in.
func (s *SignerInfo) checkAttributes(digest []byte) error {
	values, err := s.attributes()
	if err != nil {
		return err
	}
	var oid asn1.ObjectIdentifier
	if v := values[oidContentType.String()]; !v.ReadASN1ObjectIdentifier(&oid) || !v.Empty() || !oid.Equal(s.contentType) {
		return errors.New("the signed content type is missing or another than that of the message")
	}
	var claimed cryptobyte.String
	if v := values[oidMessageDigest.String()]; !v.ReadASN1(&claimed, cbasn1.OCTET_STRING) || !v.Empty() {
		return errors.New("the message digest is missing among the signed attributes")
	}
	if !bytes.Equal(claimed, digest) {
		return errors.New("the content is not what was signed: its digest differs")
	}
	return nil
}

// attributesAsSigned encodes the attributes as what the signature covers: a
// SET OF, not the [0] of the message.
func (s *SignerInfo) attributesAsSigned() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(s.rawAttributes) })
	return b.Bytes()
}

func (s *SignerInfo) verify(hash crypto.Hash, signed []byte) error {
	wrong := errors.New("the signature is wrong")
	switch pub := s.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		switch s.Algorithm {
		case algRSA:
			if rsa.VerifyPKCS1v15(pub, hash, sum(hash, signed), s.signature) == nil {
				return nil
			}
			return wrong
		case algPSS:
			hash, err := pssHash(s.signatureParam)
			if err != nil {
				return err
			}
			if rsa.VerifyPSS(pub, hash, sum(hash, signed), s.signature, nil) == nil {
				return nil
			}
			return wrong
		}
	case *ecdsa.PublicKey:
		if s.Algorithm == algECDSA {
			if ecdsa.VerifyASN1(pub, sum(hash, signed), s.signature) {
				return nil
			}
			return wrong
		}
	case ed25519.PublicKey:
		if s.Algorithm == algEd25519 {
			if ed25519.Verify(pub, signed, s.signature) {
				return nil
			}
			return wrong
		}
	}
	return fmt.Errorf("the signature algorithm %s does not fit a key of type %T, or is not known here", s.Algorithm, s.Certificate.PublicKey)
}

// pssHash reads the digest from RSASSA-PSS-params; SHA-1 is the default.
func pssHash(params []byte) (crypto.Hash, error) {
	var seq, explicit, algorithm cryptobyte.String
	var has bool
	var oid asn1.ObjectIdentifier
	input := cryptobyte.String(params)
	if !input.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadOptionalASN1(&explicit, &has, context0) {
		return 0, errors.New("the RSA-PSS parameters are damaged")
	}
	if !has {
		return crypto.SHA1, nil
	}
	if !explicit.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return 0, errors.New("the RSA-PSS parameters are damaged")
	}
	d, ok := digests[oid.String()]
	if !ok {
		return 0, fmt.Errorf("the digest %s is not known here", oid)
	}
	return d.hash, nil
}

func sum(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}
