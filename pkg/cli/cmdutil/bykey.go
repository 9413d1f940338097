package cmdutil

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pemfile"
)

// leakedKey is a public key, and what its certificates may be found by.
type leakedKey struct {
	name   string
	public crypto.PublicKey
	skis   []string
	serial pki.Serial // of a certificate that the file held; empty: none
}

const maxKeyFile = 1 << 20

// byKey takes every certificate of a key.
func (s *Selection) byKey(f *Factory) (source, error) {
	data, err := f.ReadInput(s.LeakedKey, maxKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := readLeakedKey(InputName(s.LeakedKey), data)
	if err != nil {
		return nil, err
	}
	if err := s.needReason(); err != nil {
		return nil, err
	}
	return func(ctx context.Context, emit func(bulk.Item, bulk.Facts) error) error {
		c, err := f.Client(ctx)
		if err != nil {
			return err
		}
		found := map[string]bool{}
		take := func(cert *cmapi.Certificate) error {
			if found[cert.CertID] {
				return nil
			}
			blob, err := c.Certificates.Download(ctx, cert.CertID, cmapi.MediaDER, 0)
			if err != nil {
				return fmt.Errorf("certificate %s cannot be compared: %w", cert.CertID, err)
			}
			if !key.isOf(blob.Bytes) {
				return nil
			}
			found[cert.CertID] = true
			return emit(bulk.Item{Key: cert.CertID, Group: s.Reason}, factsOf(cert))
		}
		for _, ski := range key.skis {
			if err := Listed(ctx, f, c, Query{Filter: cmapi.CertificateFilter{SubjectKeyIdentifier: ski, SubjectType: everyType}}, take); err != nil {
				return err
			}
		}
		if key.serial != "" {
			same, err := withSerial(ctx, c, key.serial)
			if err != nil {
				return err
			}
			for i := range same {
				if err := take(&same[i]); err != nil {
					return err
				}
			}
		}
		const how = "certificates are found by the key identifier that a CA makes of the key (SHA-1, or RFC 7093) and compared by their public keys; one without it is not found"
		if len(found) == 0 {
			return exit.New(exit.NotFound, how, "no certificate of the key in %s is found", key.name)
		}
		f.Notice("%s of the key in %s; %s", Plural(len(found), "certificate"), key.name, how)
		return nil
	}, nil
}

// isOf compares the public key of a certificate: key identifiers are what a CA
// writes into it.
func (k *leakedKey) isOf(der []byte) bool {
	cert, err := x509.ParseCertificate(der)
	return err == nil && samePublic(k.public, cert.PublicKey)
}

func samePublic(a, b crypto.PublicKey) bool {
	x, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && x.Equal(b)
}

// readLeakedKey reads a private or public key, a certificate or a CSR. A file
// of several keys is refused: it is most likely a chain.
func readLeakedKey(name string, data []byte) (*leakedKey, error) {
	const hint = "the file holds the key, its public half, a certificate or a CSR: PEM or DER"
	pieces, err := pki.Split(data)
	if err != nil {
		return nil, exit.Usagef(hint, "%s: %w", name, err)
	}
	k := &leakedKey{name: name}
	locked := false
	for _, p := range pieces {
		if p.Kind == pki.EncryptedPrivateKey || p.Kind == pki.PKCS12 {
			locked = true
			continue
		}
		public, cert, err := publicOf(name, p)
		switch {
		case err != nil:
			return nil, err
		case public == nil:
			continue
		case k.public != nil && !samePublic(k.public, public):
			return nil, exit.Usagef("make a file of the one that is meant", "%s holds several keys", name)
		}
		k.public = public
		if cert != nil {
			k.serial = pki.SerialOf(cert.SerialNumber)
			if id := hex.EncodeToString(cert.SubjectKeyId); id != "" && !slices.Contains(k.skis, id) {
				k.skis = append(k.skis, id)
			}
		}
	}
	switch {
	case k.public == nil && locked: // no password is asked for: its certificate is at hand as well
		return nil, exit.Usagef("give its certificate, its CSR or its public key instead", "%s is %s: its public half cannot be told without the password", name, pki.Identify(data))
	case k.public == nil:
		return nil, exit.Usagef(hint, "%s is %s", name, pki.Identify(data))
	}
	spki, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		return nil, exit.Usagef(hint, "%s: %w", name, err)
	}
	ids, err := pki.SKIs(spki)
	if err != nil {
		return nil, exit.Usagef(hint, "%s: %w", name, err)
	}
	for _, id := range ids {
		if !slices.Contains(k.skis, id) {
			k.skis = append(k.skis, id)
		}
	}
	return k, nil
}

// publicOf is the public key of a piece; nil when it has none.
func publicOf(name string, p pki.Piece) (crypto.PublicKey, *x509.Certificate, error) {
	switch p.Kind {
	case pki.Certificate:
		cert, err := x509.ParseCertificate(p.DER)
		if err != nil {
			return nil, nil, exit.Usagef("", "%s: the certificate cannot be read: %w", name, err)
		}
		return cert.PublicKey, cert, nil
	case pki.CSR:
		csr, err := x509.ParseCertificateRequest(p.DER)
		if err != nil {
			return nil, nil, exit.Usagef("", "%s: the request cannot be read: %w", name, err)
		}
		return csr.PublicKey, nil, nil
	case pki.PublicKey:
		public, err := x509.ParsePKIXPublicKey(p.DER)
		if err != nil {
			if old, oldErr := x509.ParsePKCS1PublicKey(p.DER); oldErr == nil {
				return old, nil, nil
			}
			return nil, nil, exit.Usagef("", "%s: the public key cannot be read: %w", name, err)
		}
		return public, nil, nil
	case pki.PrivateKey:
		file, err := pemfile.Read(name, p.DER)
		if err != nil {
			return nil, nil, exit.Usagef(exit.HintOf(err), "%w", err)
		}
		key, err := file.Key.Plain()
		if err != nil {
			return nil, nil, exit.Usagef("", "%s: the private key cannot be read: %w", name, err)
		}
		if s, ok := key.(crypto.Signer); ok {
			return s.Public(), nil, nil
		}
	}
	return nil, nil, nil
}
