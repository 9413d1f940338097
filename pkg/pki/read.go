package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
)

// ReadCertificates reads every certificate in data, in the order of the file:
// PEM, perhaps with text and keys around, DER, PKCS#7 as DER, BER or PEM, or
// Base64 of these. name is that of the file, for messages. There is at least
// one certificate when there is no error.
func ReadCertificates(name string, data []byte) ([]*x509.Certificate, error) {
	const hint = "a certificate is wanted: PEM, DER or PKCS#7"
	pieces, err := Split(data)
	if err != nil {
		return nil, unreadable(name, "certificate", hint, data, err)
	}
	var certs []*x509.Certificate
	for _, p := range pieces {
		var found []*x509.Certificate
		switch p.Kind {
		case Certificate:
			var cert *x509.Certificate
			cert, err = x509.ParseCertificate(p.DER)
			found = []*x509.Certificate{cert}
		case PKCS7, CMS:
			found, err = pkcs7Certificates(p.DER)
		}
		if err != nil {
			return nil, exit.Usagef("", "%s: certificate %d cannot be read: %w", name, len(certs)+1, err)
		}
		certs = append(certs, found...)
	}
	if len(certs) == 0 {
		return nil, wrongKind(name, "certificate", hint, data)
	}
	return certs, nil
}

// trailing tells whether anything but white space follows the last PEM block.
func trailing(data []byte) bool {
	i := bytes.LastIndex(data, []byte("-----END "))
	if i < 0 {
		return false
	}
	tail := data[i+len("-----END "):]
	j := bytes.Index(tail, []byte("-----"))
	return j >= 0 && len(bytes.TrimSpace(tail[j+5:])) > 0
}

// wrongKind says what the file is instead of what was wanted.
func wrongKind(name, wanted, hint string, data []byte) error {
	switch kind := Identify(data); kind {
	case Empty:
		return exit.Usagef(hint, "%s is empty", name)
	case Unknown:
		return exit.Usagef(hint, "%s is not a %s, nor anything else that is known here", name, wanted)
	default:
		return exit.Usagef(hint, "%s is %s, not a %s", name, kind, wanted)
	}
}

func unreadable(name, wanted, hint string, data []byte, err error) error {
	kind := Identify(data)
	if kind != Unknown || errors.Is(err, errBER) {
		return wrongKind(name, wanted, hint, data)
	}
	return exit.Usagef(hint, "%s: %w", name, err)
}

// signedData is the outline of a CMS SignedData that reading certificates
// needs; pkg/cms reads all of it.
type signedData struct {
	certificates cryptobyte.String // the elements of the set; nil without one
	unsigned     bool
}

// readSignedData reads the content of the [0] of a ContentInfo.
func readSignedData(explicit cryptobyte.String) (signedData, error) {
	var sd signedData
	var body, crls, signers cryptobyte.String
	var has bool
	if !explicit.ReadASN1(&body, asn1.SEQUENCE) || !explicit.Empty() ||
		!body.SkipASN1(asn1.INTEGER) || !body.SkipASN1(asn1.SET) || !body.SkipASN1(asn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&sd.certificates, &has, asn1.Tag(0).ContextSpecific().Constructed()) ||
		!body.ReadOptionalASN1(&crls, nil, asn1.Tag(1).ContextSpecific().Constructed()) ||
		!body.ReadASN1(&signers, asn1.SET) || !body.Empty() {
		return sd, errors.New("the PKCS#7 structure is damaged")
	}
	sd.unsigned = signers.Empty()
	return sd, nil
}

// pkcs7Certificates reads the certificates of a SignedData. Attribute
// certificates, which may be among them, are left out.
func pkcs7Certificates(der []byte) ([]*x509.Certificate, error) {
	set, err := certificateSet(der)
	if err != nil {
		return nil, err
	}
	return ParseCertificateSet(set)
}

// certificateSet is the elements of the certificates of a SignedData, nil for
// another content type: enveloped or plain data holds no certificates.
func certificateSet(der []byte) ([]byte, error) {
	var info, oid, explicit cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
		!info.ReadOptionalASN1(&explicit, nil, asn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, errors.New("the PKCS#7 structure is damaged")
	}
	if !bytes.Equal(oid, append(oidPKCS7, 2)) {
		return nil, nil
	}
	sd, err := readSignedData(explicit)
	return sd.certificates, err
}

// ParseCertificateSet parses the elements of a CMS CertificateSet, without
// what is no X.509 certificate.
func ParseCertificateSet(elements []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for s := cryptobyte.String(elements); !s.Empty(); {
		var element cryptobyte.String
		var tag asn1.Tag
		if !s.ReadAnyASN1Element(&element, &tag) {
			return nil, errors.New("the set of certificates is damaged")
		}
		if tag != asn1.SEQUENCE {
			continue
		}
		cert, err := x509.ParseCertificate(element)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}
