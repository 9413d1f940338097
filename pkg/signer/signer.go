// Package signer opens officer keys: one door, Open, for PEM and DER files,
// PKCS#12 files and keys on tokens, named by PKCS#11 URIs (rooms pemfile,
// pkcs12 and pkcs11).
//
// It decides which certificate belongs to the key, orders the chain, and asks
// for a password only when a file wants one. A secret is tried once, on the
// one file it was meant for, and never shows in a message.
package signer

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
)

// Ref names a key and its certificate: files, or a PKCS#11 URI. A missing
// half comes from the same file as the other.
type Ref struct {
	Cert string
	Key  string
}

// Identity is an open key with its certificates.
type Identity struct {
	Key      crypto.Signer
	Leaf     *x509.Certificate
	Chain    []*x509.Certificate // above Leaf, its issuer first; may be empty
	Warnings []string            // for the officer, once

	token *pkcs11.Key // nil: the key is in a file
	end   func()      // ends what was opened for this identity alone
}

// CheckTime is an error when the certificate is expired or not yet valid at
// now.
func (id *Identity) CheckTime(now time.Time) error {
	const hint = "check the clock of this computer, or use another certificate"
	switch c := id.Leaf; {
	case now.Before(c.NotBefore):
		return exit.New(exit.Key, hint, "the certificate of %s is not valid before %s", pki.DN(c.RawSubject), pki.FormatTime(c.NotBefore))
	case now.After(c.NotAfter):
		return exit.New(exit.Key, hint, "the certificate of %s expired on %s", pki.DN(c.RawSubject), pki.FormatTime(c.NotAfter))
	}
	return nil
}

// TLSCertificate is the identity as crypto/tls takes it.
func (id *Identity) TLSCertificate() tls.Certificate {
	c := tls.Certificate{Certificate: [][]byte{id.Leaf.Raw}, PrivateKey: id.Key, Leaf: id.Leaf}
	if id.token != nil {
		c.PrivateKey, c.SupportedSignatureAlgorithms = id.token.Handshake(), id.token.TLSSchemes()
	}
	for _, ca := range id.Chain {
		c.Certificate = append(c.Certificate, ca.Raw)
	}
	return c
}

// Close gives up what was opened for this identity alone; the tokens of a run
// are closed by themselves.
func (id *Identity) Close() error {
	if id.end != nil {
		id.end()
	}
	return nil
}
