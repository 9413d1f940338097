package ca

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand/v2"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// SeedOptions returns what store.Seed needs to make certificates that
// Materialise can make the bytes of.
func (h *Hierarchy) SeedOptions(now time.Time, hitCap int, procID string) store.SeedOptions {
	seedIssuer := func(i *Issuer) store.SeedIssuer {
		return store.SeedIssuer{ID: i.ID, DN: i.DN(), AKI: hex.EncodeToString(i.Cert.SubjectKeyId)}
	}
	return store.SeedOptions{
		Now: now, Cap: hitCap, ProcID: procID, SKI: seedKeyID,
		Root: seedIssuer(h.Root), Issue: [2]store.SeedIssuer{seedIssuer(h.Issuing[0]), seedIssuer(h.Issuing[1])},
	}
}

// seedKey makes the public key of a seeded certificate: an odd number of 2048
// bits in the place of an RSA modulus. No one knows its factors, so no one has
// the private key, and it is made in a microsecond, a million in a second.
func seedKey(seed int64) *rsa.PublicKey {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], uint64(seed))
	stream := rand.NewChaCha8(sha256.Sum256(append([]byte("cmctl sandbox key "), id[:]...)))
	var n [256]byte
	_, _ = stream.Read(n[:]) // never fails
	n[0] |= 0x80
	n[255] |= 1
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n[:]), E: 65537}
}

func seedKeyID(seed int64) string {
	id, err := keyID(seedKey(seed))
	if err != nil {
		return "" // of a key made here: cannot be
	}
	return hex.EncodeToString(id)
}

// Materialise makes the bytes of a seeded certificate: exactly the row's
// serial, subject, times, key identifiers and key usage, and a public key that
// follows from the row's seed. Nobody holds its private key.
func (h *Hierarchy) Materialise(c store.Cert) ([]byte, error) {
	issuer := h.Issuer(c.IssuerID)
	if c.Seed == 0 || issuer == nil {
		return nil, fmt.Errorf("certificate %d was not seeded by this hierarchy", c.ID)
	}
	serial, err := serialNumber(c.Serial)
	if err != nil {
		return nil, fmt.Errorf("certificate %d: %w", c.ID, err)
	}
	// The most specific part comes last; store.Cert shows it first.
	subject, err := encodeName([]attribute{
		{oidCountry, c.Country}, {oidOrganisation, c.Org}, {oidUnit, c.OU}, {oidSerialNumber, c.SubjectSerial},
		{oidSurname, c.Surname}, {oidGivenName, c.GivenName}, {oidCommonName, c.CN},
	})
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		RawSubject: subject, SerialNumber: serial, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		BasicConstraintsValid: true, IsCA: c.Type == store.CA,
	}
	setUsages(t, c.KeyUsage)
	made, err := issuer.sign(t, seedKey(c.Seed))
	if err != nil {
		return nil, fmt.Errorf("certificate %d: %w", c.ID, err)
	}
	return made.Raw, nil
}
