// Package ca is the sandbox's certification authority: a root and two issuing
// CAs, the certificates and CRLs they sign, and the bytes of seeded
// certificates. Keys are ECDSA P-256, for speed. Signatures follow RFC 6979,
// so that the bytes of a seeded certificate are the same whoever asks first.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1" // #nosec: key identifiers of RFC 5280, not a signature
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// The ids of the issuers: part of CRL and CA certificate URLs.
const (
	RootID     = "root"
	Issuing1ID = "issuing-1"
	Issuing2ID = "issuing-2"
)

// Hierarchy is a root and the two CAs below it.
type Hierarchy struct {
	Root    *Issuer
	Issuing [2]*Issuer
}

// Issuer is one CA: its certificate and its key.
type Issuer struct {
	ID   string
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
	base string // URL under which /dp/ and /ocsp are served; "" leaves their URLs out

	responder *Identity // signs OCSP answers in the issuer's place; nil: itself
}

// New makes a hierarchy with new keys, valid from ten years before now to
// twenty after it: seeded certificates were issued in the past. CRLs are at
// baseURL/dp/ID.crl, CA certificates at baseURL/dp/ca/ID.cer, the responder of
// all is baseURL/ocsp.
func New(now time.Time, baseURL string) (*Hierarchy, error) {
	root, err := newIssuer(RootID, "Demo Root CA", "Demo", baseURL, now, nil)
	if err != nil {
		return nil, err
	}
	h := &Hierarchy{Root: root}
	if h.Issuing[0], err = newIssuer(Issuing1ID, "Demo Issuing CA", "Demo", baseURL, now, root); err != nil {
		return nil, err
	}
	h.Issuing[1], err = newIssuer(Issuing2ID, "Demo Issuing CA 2", "Demo", baseURL, now, root)
	return h, err
}

// NewForeign makes a CA that has nothing to do with any hierarchy; NewLeaf
// makes foreign certificates with it, whatever name they carry.
func NewForeign(now time.Time) (*Issuer, error) {
	return newIssuer("foreign", "Foreign CA", "Elsewhere", "", now, nil)
}

// newIssuer makes a CA below another, or a root when there is none.
func newIssuer(id, cn, org, base string, now time.Time, above *Issuer) (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	i := &Issuer{ID: id, key: key, base: base}
	subject, err := encodeName([]attribute{{oidCountry, "SE"}, {oidOrganisation, org}, {oidCommonName, cn}})
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		RawSubject: subject, SerialNumber: serial,
		NotBefore: now.AddDate(-10, 0, 0), NotAfter: now.AddDate(20, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
	}
	if above == nil {
		// It signs itself: the template is its own parent, and names no CRL.
		t.SubjectKeyId, err = keyID(key.Public())
		if err != nil {
			return nil, err
		}
		above = &Issuer{Cert: t, key: key}
	} else {
		t.MaxPathLenZero = true
	}
	i.Cert, err = above.sign(t, key.Public())
	return i, err
}

// sign completes a certificate with what comes from the issuer and signs it.
func (i *Issuer) sign(t *x509.Certificate, pub any) (*x509.Certificate, error) {
	if i.base != "" {
		t.CRLDistributionPoints = []string{i.crlURL()}
		t.IssuingCertificateURL = []string{i.certURL()}
		t.OCSPServer = []string{i.ocspURL()}
	}
	var err error
	if t.SubjectKeyId, err = keyID(pub); err != nil {
		return nil, err
	}
	// No source of randomness: the signature is the one of RFC 6979.
	der, err := x509.CreateCertificate(nil, t, i.Cert, pub, i.key)
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be signed: %w", err)
	}
	return x509.ParseCertificate(der)
}

func (i *Issuer) crlURL() string  { return i.base + "/dp/" + i.ID + ".crl" }
func (i *Issuer) ocspURL() string { return i.base + "/ocsp" }
func (i *Issuer) certURL() string { return i.base + "/dp/ca/" + i.ID + ".cer" }

// Issuers returns root and issuing CAs, in this order.
func (h *Hierarchy) Issuers() []*Issuer {
	return []*Issuer{h.Root, h.Issuing[0], h.Issuing[1]}
}

// Issuer returns the issuer with that id, nil when there is none.
func (h *Hierarchy) Issuer(id string) *Issuer {
	for _, i := range h.Issuers() {
		if i.ID == id {
			return i
		}
	}
	return nil
}

// Chain returns the issuer's certificate and those above it, root last; none
// for an unknown id.
func (h *Hierarchy) Chain(id string) []*x509.Certificate {
	switch i := h.Issuer(id); i {
	case nil:
		return nil
	case h.Root:
		return []*x509.Certificate{i.Cert}
	default:
		return []*x509.Certificate{i.Cert, h.Root.Cert}
	}
}

// DN is the issuer's name as RFC 1779 text.
func (i *Issuer) DN() string {
	name, _ := DN(i.Cert.RawSubject) // of a certificate that was decoded before
	return name
}

// newSerial makes a random serial number of 20 octets, the most there may be;
// the first bit is 0, since it is positive, and the second 1, so that the text
// of every serial is equally long.
func newSerial() (*big.Int, error) {
	var b [20]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:]), nil
}

// keyID is the key identifier of RFC 5280, method 1: SHA-1 over the key
// without its algorithm.
func keyID(pub any) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("the public key cannot be encoded: %w", err)
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, err
	}
	sum := sha1.Sum(info.Key.Bytes) // #nosec: as above
	return sum[:], nil
}
