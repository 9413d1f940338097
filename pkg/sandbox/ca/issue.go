package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"time"
)

var (
	extKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	extSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	extBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	extExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// emptyName is a name without parts, as encoded.
const emptyName = "\x30\x00"

// IssueRequest is what an officer asked for, checked.
type IssueRequest struct {
	CSR                 *x509.CertificateRequest
	NotBefore, NotAfter time.Time
}

// Issue signs a certificate for the request's key: subject, alternative names,
// key usage and extended key usage are those of the CSR, octet for octet.
// A request for a CA certificate is refused.
func (i *Issuer) Issue(r IssueRequest) (*x509.Certificate, error) {
	if err := i.covers(r.NotBefore, r.NotAfter); err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		RawSubject: r.CSR.RawSubject, SerialNumber: serial, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if _, ok := r.CSR.PublicKey.(*rsa.PublicKey); ok {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	if t.ExtraExtensions, err = keptExtensions(r.CSR); err != nil {
		return nil, err
	}
	c, err := i.sign(t, r.CSR.PublicKey)
	if err != nil {
		return nil, err
	}
	if c.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return nil, errors.New("the request asks for the key usage of a CA")
	}
	return c, nil
}

// covers checks a validity against that of the issuer.
func (i *Issuer) covers(from, to time.Time) error {
	if !from.Before(to) {
		return errors.New("the validity ends before it starts")
	}
	if to.After(i.Cert.NotAfter) || from.Before(i.Cert.NotBefore) {
		return fmt.Errorf("the validity is not within that of the issuer, %s to %s",
			i.Cert.NotBefore.UTC().Format(time.RFC3339), i.Cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// keptExtensions picks from a request what its certificate gets unchanged. An
// extension among them takes the place of the one the issuer would have made.
func keptExtensions(csr *x509.CertificateRequest) ([]pkix.Extension, error) {
	var kept []pkix.Extension
	named := string(csr.RawSubject) != emptyName
	for _, e := range csr.Extensions {
		switch {
		case e.Id.Equal(extBasicConstraints):
			var b struct {
				IsCA       bool `asn1:"optional"`
				MaxPathLen int  `asn1:"optional,default:-1"`
			}
			if rest, err := asn1.Unmarshal(e.Value, &b); err != nil || len(rest) > 0 {
				return nil, errors.New("the request's basic constraints cannot be decoded")
			}
			if b.IsCA {
				return nil, errors.New("the request asks for a CA certificate")
			}
		case e.Id.Equal(extSubjectAltName):
			e.Critical = e.Critical || !named // RFC 5280, 4.1.2.6
			named = true
			kept = append(kept, e)
		case e.Id.Equal(extKeyUsage), e.Id.Equal(extExtKeyUsage):
			kept = append(kept, e)
		}
	}
	if !named {
		return nil, errors.New("the request names no subject")
	}
	return kept, nil
}

// Identity is a certificate and its key.
type Identity struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Leaf says what NewLeaf makes.
type Leaf struct {
	CN, GivenName, Surname, Org, OU, Country string

	DNS                 []string
	IPs                 []net.IP
	Server              bool // serverAuth; otherwise clientAuth and e-mail protection
	NotBefore, NotAfter time.Time
}

// NewLeaf makes a P-256 key and a certificate for it.
func (i *Issuer) NewLeaf(l Leaf) (Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, err
	}
	subject, err := encodeName([]attribute{
		{oidCountry, l.Country}, {oidOrganisation, l.Org}, {oidUnit, l.OU},
		{oidSurname, l.Surname}, {oidGivenName, l.GivenName}, {oidCommonName, l.CN},
	})
	if err != nil {
		return Identity{}, err
	}
	serial, err := newSerial()
	if err != nil {
		return Identity{}, err
	}
	t := &x509.Certificate{
		RawSubject: subject, SerialNumber: serial, NotBefore: l.NotBefore, NotAfter: l.NotAfter,
		DNSNames: l.DNS, IPAddresses: l.IPs, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
	}
	if l.Server {
		t.KeyUsage = x509.KeyUsageDigitalSignature
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	c, err := i.sign(t, key.Public())
	return Identity{c, key}, err
}
