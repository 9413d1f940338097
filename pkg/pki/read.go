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

// MaxRequest is the most bytes that ReadRequest looks at. A request with a
// 16384-bit key and a hundred names has 10 KB.
const MaxRequest = 1 << 20

// Request is a PKCS#10 certificate request whose signature was checked.
type Request struct {
	DER []byte
	CSR *x509.CertificateRequest
}

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

// ReadRequest reads the one certificate request in data: PEM, DER, or Base64
// with or without line breaks. Its signature must be right, and nothing may
// follow it.
func ReadRequest(name string, data []byte) (*Request, error) {
	const hint = "a PKCS#10 request is wanted: PEM, DER or Base64"
	if len(data) > MaxRequest {
		return nil, exit.Usagef("a certificate request has a few kilobytes; is this the right file?", "%s has more than %d bytes, too large for a certificate request", name, MaxRequest)
	}
	pieces, err := Split(data)
	if err != nil {
		return nil, unreadable(name, "certificate request", hint, data, err)
	}
	var found []Piece
	for _, p := range pieces {
		if p.Kind == CSR {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 0:
		return nil, wrongKind(name, "certificate request", hint, data)
	case len(found) > 1:
		return nil, exit.Usagef("put each into a file of its own", "%s holds %d certificate requests", name, len(found))
	case found[0].Block != nil && trailing(data):
		return nil, exit.Usagef("", "%s: there is more after the end of the certificate request", name)
	}
	csr, err := x509.ParseCertificateRequest(found[0].DER)
	if err != nil {
		return nil, exit.Usagef("", "%s: the certificate request cannot be read: %w", name, err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, exit.Usagef("make the request again with the key it belongs to", "%s: the certificate request's signature is not right: %w", name, err)
	}
	return &Request{DER: found[0].DER, CSR: csr}, nil
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
	var info, oid, explicit cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
		!info.ReadOptionalASN1(&explicit, nil, asn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, errors.New("the PKCS#7 structure is damaged")
	}
	if !bytes.Equal(oid, append(oidPKCS7, 2)) {
		return nil, nil // enveloped or plain data holds no certificates
	}
	sd, err := readSignedData(explicit)
	if err != nil {
		return nil, err
	}
	return ParseCertificateSet(sd.certificates)
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
