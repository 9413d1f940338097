package cmscheck

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// minRSABits is the shortest RSA key whose signature counts.
const minRSABits = 2048

var (
	oidRSA  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
)

// digestByOID lists the digests that count. SHA-1 and MD5 are named only to
// say so.
func digestByOID(oid asn1.ObjectIdentifier) (crypto.Hash, error) {
	switch oid.String() {
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256, nil
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384, nil
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512, nil
	case "1.3.14.3.2.26":
		return 0, errors.New("the digest is SHA-1: use SHA-256, SHA-384 or SHA-512")
	case "1.2.840.113549.2.5":
		return 0, errors.New("the digest is MD5: use SHA-256, SHA-384 or SHA-512")
	}
	return 0, fmt.Errorf("the digest algorithm %v is not SHA-256, SHA-384 or SHA-512", oid)
}

type scheme int

const (
	pkcs1v15 scheme = iota
	pss
	ecdsaSig
)

// signatureAlgorithm is what a SignerInfo says about its signature.
type signatureAlgorithm struct {
	scheme scheme
	digest crypto.Hash // 0 when the algorithm leaves it to digestAlgorithm
	salt   int
}

// readAlgorithm reads an AlgorithmIdentifier; params is empty when absent.
func readAlgorithm(in *cryptobyte.String) (oid asn1.ObjectIdentifier, params cryptobyte.String, err error) {
	var alg cryptobyte.String
	if !in.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) {
		return nil, nil, errors.New("an algorithm cannot be read")
	}
	return oid, alg, nil
}

func absentOrNull(params cryptobyte.String) bool {
	return len(params) == 0 || len(params) == 2 && params[0] == byte(cbasn1.NULL) && params[1] == 0
}

func readDigest(in *cryptobyte.String) (crypto.Hash, error) {
	oid, params, err := readAlgorithm(in)
	if err != nil {
		return 0, err
	}
	h, err := digestByOID(oid)
	if err != nil {
		return 0, err
	}
	if !absentOrNull(params) {
		return 0, errors.New("a digest algorithm with parameters")
	}
	return h, nil
}

func readSignatureAlgorithm(in *cryptobyte.String) (signatureAlgorithm, error) {
	oid, params, err := readAlgorithm(in)
	if err != nil {
		return signatureAlgorithm{}, err
	}
	if oid.Equal(oidPSS) {
		return readPSS(params)
	}
	var alg signatureAlgorithm
	switch oid.String() {
	case oidRSA.String():
	case "1.2.840.113549.1.1.11":
		alg.digest = crypto.SHA256
	case "1.2.840.113549.1.1.12":
		alg.digest = crypto.SHA384
	case "1.2.840.113549.1.1.13":
		alg.digest = crypto.SHA512
	case "1.2.840.10045.4.3.2":
		alg = signatureAlgorithm{scheme: ecdsaSig, digest: crypto.SHA256}
	case "1.2.840.10045.4.3.3":
		alg = signatureAlgorithm{scheme: ecdsaSig, digest: crypto.SHA384}
	case "1.2.840.10045.4.3.4":
		alg = signatureAlgorithm{scheme: ecdsaSig, digest: crypto.SHA512}
	default:
		return alg, fmt.Errorf("the signature algorithm %v is not RSA, RSA-PSS or ECDSA with SHA-2", oid)
	}
	if !absentOrNull(params) || alg.scheme == ecdsaSig && len(params) != 0 {
		return alg, errors.New("a signature algorithm with parameters it does not take")
	}
	return alg, nil
}

// readPSS reads RSASSA-PSS-params (RFC 4055). The defaults are SHA-1 and thus
// refused, so both algorithms must be named.
func readPSS(params cryptobyte.String) (signatureAlgorithm, error) {
	bad := errors.New("the RSA-PSS parameters cannot be read or leave the digest at SHA-1")
	alg := signatureAlgorithm{scheme: pss, salt: 20}
	var seq, field cryptobyte.String
	if !params.ReadASN1(&seq, cbasn1.SEQUENCE) || !params.Empty() || !seq.ReadASN1(&field, tag0) {
		return alg, bad
	}
	var err error
	if alg.digest, err = readDigest(&field); err != nil || !field.Empty() {
		return alg, bad
	}
	if !seq.ReadASN1(&field, tag1) {
		return alg, bad
	}
	oid, mgfParams, err := readAlgorithm(&field)
	if err != nil || !field.Empty() || !oid.Equal(oidMGF1) {
		return alg, bad
	}
	if h, err := readDigest(&mgfParams); err != nil || h != alg.digest || !mgfParams.Empty() {
		return alg, errors.New("RSA-PSS with a mask of another digest")
	}
	if !seq.ReadOptionalASN1Integer(&alg.salt, cbasn1.Tag(2).ContextSpecific().Constructed(), 20) || alg.salt < 1 {
		return alg, bad
	}
	trailer := 1
	if !seq.ReadOptionalASN1Integer(&trailer, cbasn1.Tag(3).ContextSpecific().Constructed(), 1) || trailer != 1 || !seq.Empty() {
		return alg, bad
	}
	return alg, nil
}

func sum(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// verify checks signature over signed with the signer's public key.
func (a signatureAlgorithm) verify(signer *x509.Certificate, digest crypto.Hash, signed, signature []byte) error {
	if a.digest != 0 && a.digest != digest {
		return errors.New("signature algorithm and digest algorithm name different digests")
	}
	d := sum(digest, signed)
	wrong := errors.New("the signature does not fit the content and the signer's key")
	switch key := signer.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return fmt.Errorf("the signer's RSA key has %d bits, fewer than %d", key.N.BitLen(), minRSABits)
		}
		var err error
		switch a.scheme {
		case pkcs1v15:
			err = rsa.VerifyPKCS1v15(key, digest, d, signature)
		case pss:
			err = rsa.VerifyPSS(key, digest, d, signature, &rsa.PSSOptions{SaltLength: a.salt, Hash: digest})
		default:
			return errors.New("an ECDSA signature by an RSA key")
		}
		if err != nil {
			return wrong
		}
	case *ecdsa.PublicKey:
		if a.scheme != ecdsaSig {
			return errors.New("an RSA signature by an elliptic curve key")
		}
		if !ecdsa.VerifyASN1(key, d, signature) {
			return wrong
		}
	default:
		return fmt.Errorf("the signer's key is %v: only RSA and elliptic curve keys sign here", signer.PublicKeyAlgorithm)
	}
	return nil
}
