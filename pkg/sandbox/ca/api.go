// Package ca is the sandbox's certification authority: a root and two issuing
// CAs, the certificates and CRLs they sign, and the bytes of seeded
// certificates. Keys are ECDSA P-256, which signs fast enough for ten thousand
// certificates a second, and signatures follow RFC 6979, so that the same
// input has the same bytes.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

var errLater = errors.New("not written yet")

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
	base string // URL under which /dp/ is served; "" leaves CRL and CA URLs out
}

// Identity is a certificate and its key.
type Identity struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// New makes a hierarchy with new keys, valid from ten years before now to
// twenty after it. CRLs are at baseURL/dp/ID.crl, CA certificates at
// baseURL/dp/ca/ID.cer.
func New(now time.Time, baseURL string) (*Hierarchy, error) { return nil, errLater }

// Load reads what Save wrote; the error is fs.ErrNotExist when nothing was
// saved there. baseURL is for certificates issued from now on.
func Load(dir, baseURL string) (*Hierarchy, error) { return nil, errLater }

// Save writes certificates and keys into dir, readable by the owner only.
func (h *Hierarchy) Save(dir string) error { return errLater }

// Issuers returns root and issuing CAs, in this order.
func (h *Hierarchy) Issuers() []*Issuer {
	return []*Issuer{h.Root, h.Issuing[0], h.Issuing[1]}
}

// Issuer returns the issuer with that id, nil when there is none.
func (h *Hierarchy) Issuer(id string) *Issuer { return nil }

// Chain returns the issuer's certificate and those above it, root last; none
// for an unknown id.
func (h *Hierarchy) Chain(id string) []*x509.Certificate { return nil }

// Row describes a certificate as the store keeps it, bytes included. IssuerID
// is set when one of the hierarchy's issuers signed it.
func (h *Hierarchy) Row(c *x509.Certificate) store.Cert { return store.Cert{} }

// SeedOptions returns what store.Seed needs to make certificates that
// Materialise can make the bytes of.
func (h *Hierarchy) SeedOptions(now time.Time, hitCap int, procID string) store.SeedOptions {
	return store.SeedOptions{}
}

// Materialise makes the bytes of a seeded certificate: exactly the row's
// serial, subject, times, key identifiers and key usage, and a public key that
// follows from the row's seed. Nobody holds its private key.
func (h *Hierarchy) Materialise(c store.Cert) ([]byte, error) { return nil, errLater }

// IssueRequest is what an officer asked for, checked.
type IssueRequest struct {
	CSR                 *x509.CertificateRequest
	NotBefore, NotAfter time.Time
}

// Issue signs a certificate for the request's key: subject, alternative names,
// key usage and extended key usage are those of the CSR, octet for octet.
// A request for a CA certificate is refused.
func (i *Issuer) Issue(r IssueRequest) (*x509.Certificate, error) { return nil, errLater }

// Leaf says what NewLeaf makes.
type Leaf struct {
	CN, GivenName, Surname, Org, OU, Country string

	DNS                 []string
	IPs                 []net.IP
	Server              bool // serverAuth; otherwise clientAuth and e-mail protection
	NotBefore, NotAfter time.Time
}

// NewLeaf makes a P-256 key and a certificate for it.
func (i *Issuer) NewLeaf(l Leaf) (Identity, error) { return Identity{}, errLater }

// NewForeign makes a CA that has nothing to do with any hierarchy; NewLeaf
// makes foreign certificates with it, whatever name they carry.
func NewForeign(now time.Time) (*Issuer, error) { return nil, errLater }

// DN is the issuer's name as RFC 1779 text.
func (i *Issuer) DN() string { return "" }

// CRL makes the issuer's complete CRL.
func (i *Issuer) CRL(number int64, thisUpdate, nextUpdate time.Time, entries []store.RevokedEntry) ([]byte, error) {
	return nil, errLater
}

// ParseRequest reads a PKCS#10 request: DER, PEM, or Base64 with or without
// line breaks. The signature must be right, and nothing may follow.
func ParseRequest(raw []byte) (*x509.CertificateRequest, error) { return nil, errLater }

// DN is an encoded name as RFC 1779 text: cn=Demo Issuing CA,o=Demo,c=SE.
func DN(raw []byte) (string, error) { return "", errLater }
