// Package cmscheck is the sandbox's own strict verifier of CMS SignedData
// (RFC 5652). It accepts one shape only, the one a gateway asks for: DER, one
// signer, the content encapsulated as id-data, SHA-2, the signer's certificate
// inside. It was written against the RFC and OpenSSL and shares no code with
// the client's side, so that neither can hide the other's mistakes. Whether
// the signer may sign at all is not asked here.
package cmscheck

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // the digests that are accepted
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Signed is a SignedData whose signature is mathematically right.
type Signed struct {
	Content     []byte            // the encapsulated octets
	Signer      *x509.Certificate // made the signature; nothing says yet that it may
	Certificate []byte            // Signer's DER
	Digest      crypto.Hash
	Attributes  bool      // signed attributes were present
	SigningTime time.Time // as the signer claims; zero when not claimed
}

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
)

// Tags of SignedData that RFC 5652 writes as [0] and [1] IMPLICIT.
var (
	tag0          = cbasn1.Tag(0).ContextSpecific().Constructed()
	tag1          = cbasn1.Tag(1).ContextSpecific().Constructed()
	tag0Primitive = cbasn1.Tag(0).ContextSpecific()
)

// signerInfo is the one SignerInfo, still undecided.
type signerInfo struct {
	version   int
	issuer    []byte // DER of the issuer's name and of the serial number; nil when named by key
	serial    []byte
	keyID     []byte // subject key identifier; nil when named by issuer and serial
	digest    crypto.Hash
	attrs     []byte // content octets of signedAttrs
	hasAttrs  bool
	algorithm signatureAlgorithm
	signature []byte
}

// Verify reads der and checks the one signature in it. Every departure from
// DER or from the shape described in the package comment is an error.
func Verify(der []byte) (*Signed, error) {
	if err := checkDER(der); err != nil {
		return nil, err
	}
	sd, err := openContentInfo(der)
	if err != nil {
		return nil, err
	}
	var version int
	if !sd.ReadASN1Integer(&version) {
		return nil, errors.New("the SignedData version cannot be read")
	}
	digests, err := readDigestAlgorithms(&sd)
	if err != nil {
		return nil, err
	}
	content, err := readContent(&sd)
	if err != nil {
		return nil, err
	}
	certs, err := readCertificates(&sd)
	if err != nil {
		return nil, err
	}
	if sd.PeekASN1Tag(tag1) {
		return nil, errors.New("the SignedData carries CRLs, which were not asked for")
	}
	si, err := readSignerInfos(&sd)
	if err != nil {
		return nil, err
	}
	if !sd.Empty() {
		return nil, errors.New("something follows the signer in the SignedData")
	}
	if err := checkVersions(version, si); err != nil {
		return nil, err
	}
	if !containsHash(digests, si.digest) {
		return nil, errors.New("the signer's digest algorithm is not listed in digestAlgorithms")
	}
	signer, err := si.find(certs)
	if err != nil {
		return nil, err
	}
	out := &Signed{Content: content, Signer: signer, Certificate: signer.Raw, Digest: si.digest, Attributes: si.hasAttrs}
	signed := content
	if si.hasAttrs {
		if out.SigningTime, err = checkAttributes(si, content); err != nil {
			return nil, err
		}
		// The signature covers the attributes as the SET they are, not under
		// the [0] they travel with (RFC 5652, 5.4).
		signed = asSet(si.attrs)
	}
	if err := si.algorithm.verify(signer, si.digest, signed, si.signature); err != nil {
		return nil, err
	}
	return out, nil
}

func openContentInfo(der []byte) (cryptobyte.String, error) {
	in := cryptobyte.String(der)
	var info, wrapped, sd cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !in.Empty() || !info.ReadASN1ObjectIdentifier(&oid) {
		return nil, errors.New("not a CMS ContentInfo")
	}
	if !oid.Equal(oidSignedData) {
		return nil, fmt.Errorf("the CMS type is %v, not SignedData", oid)
	}
	if !info.ReadASN1(&wrapped, tag0) || !info.Empty() || !wrapped.ReadASN1(&sd, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return nil, errors.New("the ContentInfo does not hold one SignedData")
	}
	return sd, nil
}

func readDigestAlgorithms(sd *cryptobyte.String) ([]crypto.Hash, error) {
	var set cryptobyte.String
	if !sd.ReadASN1(&set, cbasn1.SET) {
		return nil, errors.New("digestAlgorithms are missing")
	}
	var out []crypto.Hash
	for !set.Empty() {
		h, err := readDigest(&set)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

func readContent(sd *cryptobyte.String) ([]byte, error) {
	var eci, wrapped, content cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !sd.ReadASN1(&eci, cbasn1.SEQUENCE) || !eci.ReadASN1ObjectIdentifier(&oid) {
		return nil, errors.New("encapContentInfo cannot be read")
	}
	if !oid.Equal(oidData) {
		return nil, fmt.Errorf("the content type is %v, not id-data", oid)
	}
	if eci.Empty() {
		return nil, errors.New("the signature is detached: the content must be inside")
	}
	if !eci.ReadASN1(&wrapped, tag0) || !eci.Empty() || !wrapped.ReadASN1(&content, cbasn1.OCTET_STRING) || !wrapped.Empty() {
		return nil, errors.New("the encapsulated content is not one OCTET STRING")
	}
	return content, nil
}

// readCertificates reads the certificate set. DER wants it sorted like every
// SET OF, although its tag is [0].
func readCertificates(sd *cryptobyte.String) ([]*x509.Certificate, error) {
	var set cryptobyte.String
	var present bool
	if !sd.ReadOptionalASN1(&set, &present, tag0) {
		return nil, errors.New("the certificate set cannot be read")
	}
	if !present {
		return nil, errors.New("the SignedData carries no certificates: the signer's must be inside")
	}
	var out []*x509.Certificate
	var last []byte
	for !set.Empty() {
		var one cryptobyte.String
		if !set.ReadASN1Element(&one, cbasn1.SEQUENCE) {
			return nil, errors.New("the certificate set holds something that is not an X.509 certificate")
		}
		if last != nil && compareSetOf(last, one) > 0 {
			return nil, errors.New("not DER: the certificate set is not sorted")
		}
		last = one
		c, err := x509.ParseCertificate(one)
		if err != nil {
			return nil, fmt.Errorf("a certificate of the set cannot be read: %w", err)
		}
		out = append(out, c)
	}
	return out, nil
}

func readSignerInfos(sd *cryptobyte.String) (*signerInfo, error) {
	var set, one cryptobyte.String
	if !sd.ReadASN1(&set, cbasn1.SET) {
		return nil, errors.New("signerInfos are missing")
	}
	if set.Empty() {
		return nil, errors.New("nobody has signed")
	}
	if !set.ReadASN1(&one, cbasn1.SEQUENCE) {
		return nil, errors.New("the SignerInfo cannot be read")
	}
	if !set.Empty() {
		return nil, errors.New("more than one signer")
	}
	return readSignerInfo(one)
}

func readSignerInfo(in cryptobyte.String) (*signerInfo, error) {
	si := &signerInfo{}
	if !in.ReadASN1Integer(&si.version) {
		return nil, errors.New("the SignerInfo version cannot be read")
	}
	var id cryptobyte.String
	switch {
	case in.PeekASN1Tag(cbasn1.SEQUENCE):
		var issuer, serial cryptobyte.String
		if !in.ReadASN1(&id, cbasn1.SEQUENCE) || !id.ReadASN1Element(&issuer, cbasn1.SEQUENCE) ||
			!id.ReadASN1Element(&serial, cbasn1.INTEGER) || !id.Empty() {
			return nil, errors.New("issuerAndSerialNumber cannot be read")
		}
		si.issuer, si.serial = issuer, serial
	case in.PeekASN1Tag(tag0Primitive):
		if !in.ReadASN1(&id, tag0Primitive) || len(id) == 0 {
			return nil, errors.New("subjectKeyIdentifier cannot be read")
		}
		si.keyID = id
	default:
		return nil, errors.New("the SignerInfo names its signer in no known way")
	}
	var err error
	if si.digest, err = readDigest(&in); err != nil {
		return nil, err
	}
	var attrs, signature, unsigned cryptobyte.String
	if !in.ReadOptionalASN1(&attrs, &si.hasAttrs, tag0) {
		return nil, errors.New("signedAttrs cannot be read")
	}
	si.attrs = attrs
	if si.algorithm, err = readSignatureAlgorithm(&in); err != nil {
		return nil, err
	}
	if !in.ReadASN1(&signature, cbasn1.OCTET_STRING) || len(signature) == 0 {
		return nil, errors.New("the signature value cannot be read")
	}
	si.signature = signature
	var present bool
	if !in.ReadOptionalASN1(&unsigned, &present, tag1) || !in.Empty() {
		return nil, errors.New("something unknown follows the signature value")
	}
	return si, nil
}

// checkVersions holds both version numbers against RFC 5652, 5.1 and 5.3. With
// X.509 certificates alone and id-data as content, only the way the signer is
// named decides.
func checkVersions(version int, si *signerInfo) error {
	want := 1
	if si.keyID != nil {
		want = 3
	}
	if si.version != want {
		return fmt.Errorf("the SignerInfo says version %d, its form is version %d", si.version, want)
	}
	if version != want {
		return fmt.Errorf("the SignedData says version %d, its form is version %d", version, want)
	}
	return nil
}

// find picks the signer's certificate. A second certificate that fits is an
// error, since which of the two signed would be a guess.
func (si *signerInfo) find(certs []*x509.Certificate) (*x509.Certificate, error) {
	var found *x509.Certificate
	for _, c := range certs {
		if !si.names(c) {
			continue
		}
		if found != nil {
			return nil, errors.New("two certificates fit the signer")
		}
		found = c
	}
	if found == nil {
		return nil, errors.New("the signer's certificate is not in the SignedData")
	}
	return found, nil
}

func (si *signerInfo) names(c *x509.Certificate) bool {
	if si.keyID != nil {
		return bytes.Equal(si.keyID, c.SubjectKeyId)
	}
	if !bytes.Equal(si.issuer, c.RawIssuer) {
		return false
	}
	serial, err := asn1.Marshal(c.SerialNumber)
	return err == nil && bytes.Equal(serial, si.serial)
}

func containsHash(list []crypto.Hash, h crypto.Hash) bool {
	for _, x := range list {
		if x == h {
			return true
		}
	}
	return false
}
