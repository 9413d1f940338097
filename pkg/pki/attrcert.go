package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// AttrCert is an attribute certificate (RFC 5755): attributes of the holder of
// another certificate, without a key of its own.
type AttrCert struct {
	Raw          []byte
	Holder       Holder
	Issuer       string // RFC 4514
	Serial       Serial
	NotBefore    time.Time
	NotAfter     time.Time
	Attributes   []ACAttribute
	AKI          []byte // key identifier of the issuer; nil when absent
	NoRevocation bool   // its issuer gives no revocation information
	Algorithm    string // of the signature, as crypto/x509 calls it, or an object identifier

	tbs       []byte
	algorithm x509.SignatureAlgorithm
	signature []byte
}

// Holder says whose attributes they are: the certificate by issuer and serial,
// or a name, or both.
type Holder struct {
	Issuer string // RFC 4514, of the base certificate; empty when it is not named
	Serial Serial
	Name   string
	Digest bool // it is named by a digest, which is not looked at here

	rawIssuer []byte
	serial    *big.Int
}

var signatureAlgorithms = map[string]x509.SignatureAlgorithm{
	"1.2.840.113549.1.1.11": x509.SHA256WithRSA, "1.2.840.113549.1.1.12": x509.SHA384WithRSA, "1.2.840.113549.1.1.13": x509.SHA512WithRSA,
	"1.2.840.10045.4.3.2": x509.ECDSAWithSHA256, "1.2.840.10045.4.3.3": x509.ECDSAWithSHA384, "1.2.840.10045.4.3.4": x509.ECDSAWithSHA512,
	"1.3.101.112": x509.PureEd25519, "1.2.840.113549.1.1.5": x509.SHA1WithRSA, "1.2.840.10045.4.1": x509.ECDSAWithSHA1,
}

var (
	errAttrCert = errors.New("the attribute certificate is damaged")

	explicit0 = cbasn1.Tag(0).ContextSpecific().Constructed()
	explicit1 = cbasn1.Tag(1).ContextSpecific().Constructed()
	explicit2 = cbasn1.Tag(2).ContextSpecific().Constructed()

	oidAKI        = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidNoRevAvail = asn1.ObjectIdentifier{2, 5, 29, 56}
)

// ParseAttrCert reads an attribute certificate, version 2, in DER.
func ParseAttrCert(der []byte) (*AttrCert, error) {
	var outer, tbs, algorithm cryptobyte.String
	var signature asn1.BitString
	var oid asn1.ObjectIdentifier
	input := cryptobyte.String(der)
	if !input.ReadASN1(&outer, cbasn1.SEQUENCE) || !input.Empty() ||
		!outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) ||
		!outer.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!outer.ReadASN1BitString(&signature) || !outer.Empty() {
		return nil, errAttrCert
	}
	c := &AttrCert{Raw: der, tbs: tbs, signature: signature.RightAlign(), algorithm: signatureAlgorithms[oid.String()], Algorithm: oid.String()}
	if c.algorithm != x509.UnknownSignatureAlgorithm {
		c.Algorithm = c.algorithm.String()
	}
	return c, c.readInfo(tbs)
}

func (c *AttrCert) readInfo(tbs cryptobyte.String) error {
	var info, holder, issuer, validity, attributes, extensions cryptobyte.String
	var version int
	var serial big.Int
	var tag cbasn1.Tag
	var hasExtensions bool
	if !tbs.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Integer(&version) ||
		!info.ReadASN1(&holder, cbasn1.SEQUENCE) || !info.ReadAnyASN1(&issuer, &tag) ||
		!info.SkipASN1(cbasn1.SEQUENCE) || !info.ReadASN1Integer(&serial) ||
		!info.ReadASN1(&validity, cbasn1.SEQUENCE) || !validity.ReadASN1GeneralizedTime(&c.NotBefore) || !validity.ReadASN1GeneralizedTime(&c.NotAfter) ||
		!info.ReadASN1(&attributes, cbasn1.SEQUENCE) || !info.SkipOptionalASN1(cbasn1.BIT_STRING) ||
		!info.ReadOptionalASN1(&extensions, &hasExtensions, cbasn1.SEQUENCE) || !info.Empty() {
		return errAttrCert
	}
	if version != 1 {
		return fmt.Errorf("an attribute certificate of version %d is not known here", version+1)
	}
	c.Serial = SerialOf(&serial)
	if err := c.Holder.read(holder); err != nil {
		return err
	}
	if tag == explicit0 { // V2Form; version 1 of it is the names themselves
		var names cryptobyte.String
		if !issuer.ReadOptionalASN1(&names, nil, cbasn1.SEQUENCE) {
			return errAttrCert
		}
		issuer = names
	}
	raw, err := directoryName(issuer)
	if err != nil {
		return err
	}
	if raw != nil {
		c.Issuer = DN(raw)
	}
	for !attributes.Empty() {
		a, err := readACAttribute(&attributes)
		if err != nil {
			return err
		}
		c.Attributes = append(c.Attributes, a)
	}
	return c.readExtensions(extensions)
}

func (h *Holder) read(holder cryptobyte.String) error {
	var base, names, digest cryptobyte.String
	var hasBase, hasName bool
	if !holder.ReadOptionalASN1(&base, &hasBase, explicit0) || !holder.ReadOptionalASN1(&names, &hasName, explicit1) ||
		!holder.ReadOptionalASN1(&digest, &h.Digest, explicit2) || !holder.Empty() {
		return errAttrCert
	}
	if hasBase {
		var issuer cryptobyte.String
		h.serial = new(big.Int)
		if !base.ReadASN1(&issuer, cbasn1.SEQUENCE) || !base.ReadASN1Integer(h.serial) {
			return errAttrCert
		}
		raw, err := directoryName(issuer)
		if err != nil {
			return err
		}
		h.Serial, h.rawIssuer = SerialOf(h.serial), raw
		if raw != nil {
			h.Issuer = DN(raw)
		}
	}
	if hasName {
		raw, err := directoryName(names)
		if err != nil {
			return err
		}
		if raw != nil {
			h.Name = DN(raw)
		}
	}
	return nil
}

// Is tells whether the holder is that of a certificate: by issuer and serial
// where they are given, else by its name.
func (h *Holder) Is(base *x509.Certificate) bool {
	if h.serial != nil {
		return h.serial.Cmp(base.SerialNumber) == 0 && (h.rawIssuer == nil || bytes.Equal(h.rawIssuer, base.RawIssuer) || SameName(h.Issuer, DN(base.RawIssuer)))
	}
	return h.Name != "" && SameName(h.Name, DN(base.RawSubject))
}

func (c *AttrCert) readExtensions(extensions cryptobyte.String) error {
	for !extensions.Empty() {
		var extension, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !extensions.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&oid) ||
			!extension.SkipOptionalASN1(cbasn1.BOOLEAN) || !extension.ReadASN1(&value, cbasn1.OCTET_STRING) || !extension.Empty() {
			return errAttrCert
		}
		switch {
		case oid.Equal(oidNoRevAvail):
			c.NoRevocation = true
		case oid.Equal(oidAKI):
			var aki, id cryptobyte.String
			if !value.ReadASN1(&aki, cbasn1.SEQUENCE) || !aki.ReadOptionalASN1(&id, nil, cbasn1.Tag(0).ContextSpecific()) {
				return errAttrCert
			}
			c.AKI = id
		}
	}
	return nil
}

// CheckSignature tells whether the certificate's key signed the attribute
// certificate.
func (c *AttrCert) CheckSignature(issuer *x509.Certificate) error {
	if c.algorithm == x509.UnknownSignatureAlgorithm {
		return fmt.Errorf("the signature algorithm %s is not known here", c.Algorithm)
	}
	return issuer.CheckSignature(c.algorithm, c.tbs, c.signature)
}

// ReadAttrCerts reads every attribute certificate in data: PEM, DER, or among
// the certificates of PKCS#7. There may be none.
func ReadAttrCerts(data []byte) ([]*AttrCert, error) {
	pieces, err := Split(data)
	if err != nil {
		return nil, err
	}
	var found []*AttrCert
	for _, p := range pieces {
		ders := [][]byte{p.DER}
		switch p.Kind {
		case AttributeCertificate:
		case PKCS7, CMS:
			if ders, err = pkcs7AttrCerts(p.DER); err != nil {
				return nil, err
			}
		default:
			continue
		}
		for _, der := range ders {
			c, err := ParseAttrCert(der)
			if err != nil {
				return nil, err
			}
			found = append(found, c)
		}
	}
	return found, nil
}

// pkcs7AttrCerts are the elements tagged [2] of a CertificateSet: attribute
// certificates of version 2, the tag in place of SEQUENCE (RFC 5652, 10.2.2).
func pkcs7AttrCerts(der []byte) ([][]byte, error) {
	set, err := certificateSet(der)
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for s := cryptobyte.String(set); !s.Empty(); {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !s.ReadAnyASN1Element(&element, &tag) {
			return nil, errors.New("the set of certificates is damaged")
		}
		if tag == explicit2 {
			found = append(found, append([]byte{byte(cbasn1.SEQUENCE)}, element[1:]...))
		}
	}
	return found, nil
}
