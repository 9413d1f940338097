package cms

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/pki"
)

// SignedData is what a CMS SignedData holds.
type SignedData struct {
	DER          bool // the input was DER, not BER
	ContentType  asn1.ObjectIdentifier
	Content      []byte // nil when Detached
	Detached     bool
	Certificates []*x509.Certificate
	Signers      []*SignerInfo
}

// SignerInfo is one signature of a SignedData.
type SignerInfo struct {
	Issuer      string // RFC 4514; empty when KeyID names the signer
	Serial      pki.Serial
	KeyID       string // lower-case hex; empty when Issuer and Serial name the signer
	Digest      string // sha256, or the object identifier of one not known here
	Algorithm   string // RSA, RSA-PSS, ECDSA, Ed25519, or the object identifier
	SigningTime time.Time
	Certificate *x509.Certificate // nil when the message does not carry it

	contentType    asn1.ObjectIdentifier // of the SignedData
	digestOID      asn1.ObjectIdentifier
	signatureOID   asn1.ObjectIdentifier
	signatureParam []byte
	rawAttributes  []byte // content of the [0], nil without signed attributes
	signature      []byte
	issuer         []byte
	serial         *big.Int
	keyID          []byte
}

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}

	context0 = cbasn1.Tag(0).ContextSpecific().Constructed()
	context1 = cbasn1.Tag(1).ContextSpecific().Constructed()
)

var errDamaged = errors.New("the CMS structure is damaged")

// Parse reads a SignedData in DER or BER. It judges no signature: Verify does.
func Parse(data []byte) (*SignedData, error) {
	der, err := pki.DER(data)
	if err != nil {
		return nil, err
	}
	var info, explicit, body cryptobyte.String
	var oid asn1.ObjectIdentifier
	input := cryptobyte.String(der)
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !input.Empty() || !info.ReadASN1ObjectIdentifier(&oid) {
		return nil, errors.New("this is no CMS message")
	}
	if !oid.Equal(oidSignedData) {
		return nil, errors.New("this CMS message is not signed data but content type " + oid.String())
	}
	var certs, crls, signers, encap cryptobyte.String
	if !info.ReadASN1(&explicit, context0) || !explicit.ReadASN1(&body, cbasn1.SEQUENCE) ||
		!body.SkipASN1(cbasn1.INTEGER) || !body.SkipASN1(cbasn1.SET) ||
		!body.ReadASN1(&encap, cbasn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&certs, nil, context0) ||
		!body.ReadOptionalASN1(&crls, nil, context1) ||
		!body.ReadASN1(&signers, cbasn1.SET) || !body.Empty() {
		return nil, errDamaged
	}
	sd := &SignedData{DER: bytes.Equal(der, data)}
	if err := sd.readContent(encap); err != nil {
		return nil, err
	}
	if sd.Certificates, err = pki.ParseCertificateSet(certs); err != nil {
		return nil, err
	}
	for !signers.Empty() {
		s, err := readSigner(&signers)
		if err != nil {
			return nil, err
		}
		s.contentType = sd.ContentType
		s.Certificate = s.find(sd.Certificates)
		sd.Signers = append(sd.Signers, s)
	}
	return sd, nil
}

func (sd *SignedData) readContent(encap cryptobyte.String) error {
	var explicit, content cryptobyte.String
	var has bool
	if !encap.ReadASN1ObjectIdentifier(&sd.ContentType) ||
		!encap.ReadOptionalASN1(&explicit, &has, context0) || !encap.Empty() {
		return errDamaged
	}
	sd.Detached = !has
	if !has {
		return nil
	}
	// PKCS#7 allows any type inside, CMS an OCTET STRING only.
	var tag cbasn1.Tag
	if !explicit.ReadAnyASN1(&content, &tag) || !explicit.Empty() {
		return errDamaged
	}
	sd.Content = content
	return nil
}

func readSigner(signers *cryptobyte.String) (*SignerInfo, error) {
	var info, algorithm, attributes, signature cryptobyte.String
	var version int
	var hasAttributes bool
	s := &SignerInfo{}
	if !signers.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Integer(&version) {
		return nil, errDamaged
	}
	if !s.readIdentifier(&info) {
		return nil, errDamaged
	}
	if !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&s.digestOID) ||
		!info.ReadOptionalASN1(&attributes, &hasAttributes, context0) ||
		!info.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&s.signatureOID) ||
		!info.ReadASN1(&signature, cbasn1.OCTET_STRING) {
		return nil, errDamaged
	}
	s.signatureParam, s.signature = algorithm, signature
	if hasAttributes {
		s.rawAttributes = attributes
		values, err := s.attributes()
		if err != nil {
			return nil, err
		}
		s.SigningTime = readTime(values[oidSigningTime.String()])
	}
	s.Digest, s.Algorithm = digestName(s.digestOID), algorithmName(s.signatureOID)
	return s, nil
}

// readIdentifier reads the SignerIdentifier: issuer and serial, or key id.
func (s *SignerInfo) readIdentifier(info *cryptobyte.String) bool {
	keyTag := cbasn1.Tag(0).ContextSpecific()
	if info.PeekASN1Tag(keyTag) {
		var id cryptobyte.String
		if !info.ReadASN1(&id, keyTag) {
			return false
		}
		s.keyID, s.KeyID = id, hex.EncodeToString(id)
		return true
	}
	var pair, issuer cryptobyte.String
	s.serial = new(big.Int)
	if !info.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !pair.ReadASN1Integer(s.serial) {
		return false
	}
	s.issuer, s.Issuer, s.Serial = issuer, pki.DN(issuer), pki.SerialOf(s.serial)
	return true
}

func (s *SignerInfo) find(certs []*x509.Certificate) *x509.Certificate {
	for _, c := range certs {
		if s.keyID != nil && bytes.Equal(c.SubjectKeyId, s.keyID) ||
			s.keyID == nil && c.SerialNumber.Cmp(s.serial) == 0 && bytes.Equal(c.RawIssuer, s.issuer) {
			return c
		}
	}
	return nil
}

// attributes maps the type of each signed attribute to the content of its
// value set. A repeated type is an error, as RFC 5652 says.
func (s *SignerInfo) attributes() (map[string]cryptobyte.String, error) {
	values := map[string]cryptobyte.String{}
	for rest := cryptobyte.String(s.rawAttributes); !rest.Empty(); {
		var attribute, set cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !rest.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) ||
			!attribute.ReadASN1(&set, cbasn1.SET) || !attribute.Empty() {
			return nil, errDamaged
		}
		if _, twice := values[oid.String()]; twice {
			return nil, errors.New("the signed attribute " + oid.String() + " stands there twice")
		}
		values[oid.String()] = set
	}
	return values, nil
}

func readTime(set cryptobyte.String) time.Time {
	var t time.Time
	if set.PeekASN1Tag(cbasn1.UTCTime) && set.ReadASN1UTCTime(&t) ||
		set.PeekASN1Tag(cbasn1.GeneralizedTime) && set.ReadASN1GeneralizedTime(&t) {
		return t.UTC()
	}
	return time.Time{}
}
