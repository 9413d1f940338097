package ca

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// CRL makes the issuer's complete CRL. Certificates on hold are in it; a
// reason that says nothing is left out, as RFC 5280 wants it.
func (i *Issuer) CRL(number int64, thisUpdate, nextUpdate time.Time, entries []store.RevokedEntry) ([]byte, error) {
	list := make([]x509.RevocationListEntry, len(entries))
	for k, e := range entries {
		serial, err := serialNumber(e.Serial)
		if err != nil {
			return nil, fmt.Errorf("the CRL of %s cannot be made: %w", i.ID, err)
		}
		list[k] = x509.RevocationListEntry{SerialNumber: serial, RevocationTime: e.At, ReasonCode: e.Reason}
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: thisUpdate, NextUpdate: nextUpdate, RevokedCertificateEntries: list,
	}, i.Cert, i.key)
	if err != nil {
		return nil, fmt.Errorf("the CRL of %s cannot be made: %w", i.ID, err)
	}
	return der, nil
}

// serialNumber is the number of a serial in hex.
func serialNumber(hex string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		return nil, fmt.Errorf("serial number %q is not hex", hex)
	}
	return n, nil
}
