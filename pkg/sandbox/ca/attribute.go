package ca

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

var (
	oidECDSAWithSHA256   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidAuthorityKeyID    = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidCRLPoints         = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidAuthorityInfo     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidCAIssuers         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
	oidExtensionRequest  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}
	oidChallengePassword = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}
)

// kept tells an attribute of a request from what is only for its issuer.
func kept(oid asn1.ObjectIdentifier) bool {
	return !oid.Equal(oidExtensionRequest) && !oid.Equal(oidChallengePassword)
}

// AttributeRequest is what an officer asked for, checked.
type AttributeRequest struct {
	Base                *x509.Certificate // whose holder gets the attributes
	CSR                 *x509.CertificateRequest
	NotBefore, NotAfter time.Time
}

// IssueAttribute signs an attribute certificate (RFC 5755) for the holder of
// the base certificate, which it names by issuer and serial number, and
// describes it for the store. Its attributes are the parts of the request's
// subject and the request's own attributes, but extensions asked for and a
// challenge password.
func (i *Issuer) IssueAttribute(r AttributeRequest) (store.Cert, error) {
	if err := i.covers(r.NotBefore, r.NotAfter); err != nil {
		return store.Cert{}, err
	}
	attributes, err := attributesOf(r.CSR)
	if err != nil {
		return store.Cert{}, err
	}
	if len(attributes) == 0 {
		return store.Cert{}, errors.New("the request names no attribute: neither a subject nor one of its own")
	}
	serial, err := newSerial()
	if err != nil {
		return store.Cert{}, err
	}
	info, err := i.attributeInfo(&r, serial, attributes)
	if err != nil {
		return store.Cert{}, err
	}
	der, err := i.signed(info)
	if err != nil {
		return store.Cert{}, err
	}
	named := r.CSR.RawSubject
	if string(named) == emptyName {
		named = r.Base.RawSubject // something has to be shown
	}
	row := store.Cert{
		Serial: hex.EncodeToString(serial.Bytes()), IssuerID: i.ID, IssuerDN: i.DN(), Type: store.EE,
		NotBefore: r.NotBefore, NotAfter: r.NotAfter, AKI: hex.EncodeToString(i.Cert.SubjectKeyId), DER: der,
	}
	setSubject(&row, named)
	return row, nil
}

// signed completes what is signed with algorithm and signature, as X.509 and
// attribute certificates have them alike.
func (i *Issuer) signed(info []byte) ([]byte, error) {
	signature, err := i.sign256(info)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(info)
		addECDSA(b)
		b.AddASN1BitString(signature)
	})
	return b.Bytes()
}

// sign256 signs with ECDSA and SHA-256, as in sign without randomness.
func (i *Issuer) sign256(data []byte) ([]byte, error) {
	digest := sha256.Sum256(data)
	return i.key.Sign(nil, digest[:], crypto.SHA256)
}

func addECDSA(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidECDSAWithSHA256) })
}

// attributeInfo is AttributeCertificateInfo.
func (i *Issuer) attributeInfo(r *AttributeRequest, serial *big.Int, attributes []attributeSet) ([]byte, error) {
	extensions, err := i.pointers()
	if err != nil {
		return nil, err
	}
	context0 := cbasn1.Tag(0).ContextSpecific().Constructed()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)                                        // v2
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // Holder
			b.AddASN1(context0, func(b *cryptobyte.Builder) { // baseCertificateID
				b.AddASN1(cbasn1.SEQUENCE, addDirectory(r.Base.RawIssuer))
				b.AddASN1BigInt(r.Base.SerialNumber)
			})
		})
		b.AddASN1(context0, func(b *cryptobyte.Builder) { // AttCertIssuer, v2Form
			b.AddASN1(cbasn1.SEQUENCE, addDirectory(i.Cert.RawSubject))
		})
		addECDSA(b)
		b.AddASN1BigInt(serial)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1GeneralizedTime(r.NotBefore.UTC())
			b.AddASN1GeneralizedTime(r.NotAfter.UTC())
		})
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, a := range attributes {
				a.add(b)
			}
		})
		b.AddBytes(extensions)
	})
	return b.Bytes()
}

// addDirectory adds a name as a GeneralName, the only one of its list.
func addDirectory(name []byte) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(name) })
	}
}

// pointers are the extensions that lead to the issuer's key, CRL and
// certificate, as its other certificates have them.
func (i *Issuer) pointers() ([]byte, error) {
	context := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }
	group := func(tag cbasn1.Tag, inner func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) { b.AddASN1(tag, inner) }
	}
	text := func(s string) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) }
	}
	wrap := func(id asn1.ObjectIdentifier, inner func(*cryptobyte.Builder)) pkix.Extension {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, inner)
		return pkix.Extension{Id: id, Value: b.BytesOrPanic()}
	}
	list := []pkix.Extension{wrap(oidAuthorityKeyID, group(context(0), text(string(i.Cert.SubjectKeyId))))}
	if i.base != "" {
		list = append(list,
			wrap(oidCRLPoints, group(cbasn1.SEQUENCE, group(context(0).Constructed(), group(context(0).Constructed(), group(context(6), text(i.crlURL())))))),
			wrap(oidAuthorityInfo, group(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidCAIssuers)
				b.AddASN1(context(6), text(i.certURL()))
			})))
	}
	return asn1.Marshal(list)
}

// attributeSet is Attribute: a type and its values, each encoded.
type attributeSet struct {
	oid    asn1.ObjectIdentifier
	values [][]byte
}

func (a *attributeSet) add(b *cryptobyte.Builder) {
	slices.SortFunc(a.values, bytes.Compare) // DER: it is a SET
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(a.oid)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			for _, v := range a.values {
				b.AddBytes(v)
			}
		})
	})
}

// attributesOf lists the attributes that a request has for an attribute
// certificate, each type once.
func attributesOf(csr *x509.CertificateRequest) ([]attributeSet, error) {
	var list []attributeSet
	add := func(oid asn1.ObjectIdentifier, value []byte) {
		for k := range list {
			if list[k].oid.Equal(oid) {
				if !slices.ContainsFunc(list[k].values, func(v []byte) bool { return bytes.Equal(v, value) }) {
					list[k].values = append(list[k].values, value)
				}
				return
			}
		}
		list = append(list, attributeSet{oid, [][]byte{value}})
	}
	broken := errors.New("the request's attributes cannot be decoded")
	var info, rdns, attributes cryptobyte.String
	in := cryptobyte.String(csr.RawTBSCertificateRequest)
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.INTEGER) || !info.ReadASN1(&rdns, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.SEQUENCE) {
		return nil, broken
	}
	for !rdns.Empty() {
		var rdn cryptobyte.String
		if !rdns.ReadASN1(&rdn, cbasn1.SET) {
			return nil, broken
		}
		for !rdn.Empty() {
			var part, value cryptobyte.String
			var oid asn1.ObjectIdentifier
			var tag cbasn1.Tag
			if !rdn.ReadASN1(&part, cbasn1.SEQUENCE) || !part.ReadASN1ObjectIdentifier(&oid) || !part.ReadAnyASN1Element(&value, &tag) || !part.Empty() {
				return nil, broken
			}
			add(oid, value)
		}
	}
	var present bool
	if !info.ReadOptionalASN1(&attributes, &present, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, broken
	}
	for !attributes.Empty() {
		var one, values cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !attributes.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&oid) || !one.ReadASN1(&values, cbasn1.SET) || !one.Empty() {
			return nil, broken
		}
		for kept(oid) && !values.Empty() {
			var value cryptobyte.String
			var tag cbasn1.Tag
			if !values.ReadAnyASN1Element(&value, &tag) {
				return nil, broken
			}
			add(oid, value)
		}
	}
	return list, nil
}

// IsAttribute tells an attribute certificate from one of X.509: after version
// and SEQUENCE stands how it names its holder, where the other has the object
// identifier of its signature.
func IsAttribute(der []byte) bool {
	in := cryptobyte.String(der)
	var cert, info, holder cryptobyte.String
	return in.ReadASN1(&cert, cbasn1.SEQUENCE) && cert.ReadASN1(&info, cbasn1.SEQUENCE) && info.SkipASN1(cbasn1.INTEGER) &&
		info.ReadASN1(&holder, cbasn1.SEQUENCE) && len(holder) > 0 && holder[0]&0xc0 == 0x80
}
