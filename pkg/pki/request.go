package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
)

// MaxRequest is the most bytes that ReadRequest looks at. A request with a
// 16384-bit key and a hundred names has 10 KB.
const MaxRequest = 1 << 20

// Request is a PKCS#10 certificate request whose signature was checked, or,
// when Unsigned, the part of one that would be signed.
type Request struct {
	DER      []byte
	CSR      *x509.CertificateRequest
	Unsigned bool // DER is a CertificationRequestInfo alone; CSR has no signature
}

// ReadRequest reads the one certificate request in data: PEM, DER, or Base64
// with or without line breaks. Its signature must be right, and nothing may
// follow it.
func ReadRequest(name string, data []byte) (*Request, error) {
	const hint = "a PKCS#10 request is wanted: PEM, DER or Base64"
	return readRequest(name, data, hint, CSR)
}

// ReadRequestUnsigned reads what ReadRequest does and, in the same forms, a
// request without a signature: the API takes it where the server makes the key
// or needs none.
func ReadRequestUnsigned(name string, data []byte) (*Request, error) {
	const hint = "a PKCS#10 request is wanted, signed or its unsigned part alone: PEM, DER or Base64"
	return readRequest(name, data, hint, CSR, UnsignedCSR)
}

func readRequest(name string, data []byte, hint string, kinds ...Kind) (*Request, error) {
	if len(data) > MaxRequest {
		return nil, exit.Usagef("a certificate request has a few kilobytes; is this the right file?", "%s has more than %d bytes, too large for a certificate request", name, MaxRequest)
	}
	pieces, err := Split(data)
	if err != nil {
		return nil, unreadable(name, "certificate request", hint, data, err)
	}
	var found []Piece
	for _, p := range pieces {
		for _, k := range kinds {
			if p.Kind == k {
				found = append(found, p)
			}
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
	req := &Request{DER: found[0].DER, Unsigned: found[0].Kind == UnsignedCSR}
	if req.Unsigned {
		req.CSR, err = parseUnsigned(req.DER)
	} else {
		req.CSR, err = x509.ParseCertificateRequest(req.DER)
	}
	if err != nil {
		return nil, exit.Usagef("", "%s: the certificate request cannot be read: %w", name, err)
	}
	if req.Unsigned {
		return req, nil
	}
	if err := req.CSR.CheckSignature(); err != nil {
		return nil, exit.Usagef("make the request again with the key it belongs to", "%s: the certificate request's signature is not right: %w", name, err)
	}
	return req, nil
}

// parseUnsigned reads a CertificationRequestInfo by putting an empty signature
// behind it: the reader of crypto/x509 judges no signature.
func parseUnsigned(tbs []byte) (*x509.CertificateRequest, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
		})
		b.AddASN1BitString(nil)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	csr.Raw, csr.SignatureAlgorithm, csr.Signature = nil, x509.UnknownSignatureAlgorithm, nil
	return csr, nil
}

// NewRequest makes a request for a subject and alternative names, signed with
// the key.
func NewRequest(subject Name, names AltNames, key crypto.Signer) (*Request, error) {
	if len(subject) == 0 && names.empty() {
		return nil, errors.New("a certificate request needs a subject or a name")
	}
	raw, err := subject.DER()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		RawSubject: raw, DNSNames: names.DNS, IPAddresses: names.IPs, EmailAddresses: names.Emails, URIs: names.URIs,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the certificate request: %w", err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	return &Request{DER: der, CSR: csr}, nil
}

// NewUnsignedRequest makes a request without a signature, for where the server
// makes the key. PKCS#10 wants a public key all the same: it is that of a key
// that nobody has.
func NewUnsignedRequest(subject Name, names AltNames) (*Request, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	req, err := NewRequest(subject, names, key)
	if err != nil {
		return nil, err
	}
	tbs := req.CSR.RawTBSCertificateRequest
	csr, err := parseUnsigned(tbs)
	if err != nil {
		return nil, err
	}
	return &Request{DER: tbs, CSR: csr, Unsigned: true}, nil
}
