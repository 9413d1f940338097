package top

import (
	"crypto"
	"crypto/x509"
	"errors"

	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pemfile"
	"github.com/cmctl/cmctl/pkg/signer/pkcs12"
)

// pkcs12 opens a PKCS#12 file and shows its key's kind and its certificates.
func (i *inspector) pkcs12(der []byte) error {
	f, err := pkcs12.Read(i.name, der)
	if err != nil {
		return err
	}
	if len(i.password) == 0 {
		if i.password, err = i.ask(); err != nil {
			return err
		}
	}
	key, certs, err := f.Open(i.password)
	switch {
	case errors.Is(err, pkcs12.ErrWrongPassword):
		return i.wrongPassword()
	case err != nil:
		return err
	}
	n := len(certs)
	i.add(finding{Kind: kindPKCS12, SHA256: pki.Fingerprint(der), Entries: &n})
	d := i.keyFinding(kindPrivateKey, publicOf(key))
	if len(certs) == 0 || !sameKey(certs[0].PublicKey, publicOf(key)) {
		d.Problem = "the first certificate is not that of the private key"
	}
	i.add(d)
	i.certificates(certs)
	return nil
}

func (i *inspector) wrongPassword() error {
	return exit.New(exit.Key, "it was tried once; correct it and run the command again", "the password for %s is wrong", i.name)
}

// privateKey shows the kind of a private key; of an encrypted one, how it is
// encrypted and, with a password, its kind.
func (i *inspector) privateKey(p pki.Piece) error {
	if p.Kind == pki.EncryptedPrivateKey {
		d, err := i.encryptedKey(kindEncryptedKey, p, nil)
		if err == nil {
			i.add(d)
		}
		return err
	}
	f, err := pemfile.Read(i.name, p.DER)
	if err != nil {
		return err
	}
	key, err := f.Key.Plain()
	if err != nil {
		return exit.Usagef("", "%s: the private key cannot be read: %w", i.name, err)
	}
	i.add(i.keyFinding(kindPrivateKey, publicOf(key)))
	return nil
}

// encryptedKey describes an encrypted private key, and opens it when there is a
// password. public is what it has to belong to; nil when that is not known.
func (i *inspector) encryptedKey(kind string, p pki.Piece, public crypto.PublicKey) (finding, error) {
	d := i.keyFinding(kind, public)
	d.Encryption = pemfile.Describe(p.DER, p.Block)
	if len(i.password) == 0 {
		return d, nil
	}
	opened := false
	d.Opened = &opened
	key, err := i.decrypt(p)
	switch {
	case errors.Is(err, pemfile.ErrWrongPassword):
		return d, i.wrongPassword()
	case err != nil:
		d.Problem = err.Error()
		return d, nil
	}
	opened = true
	if public == nil {
		public = publicOf(key)
		with := i.keyFinding(kind, public)
		with.Encryption, with.Opened = d.Encryption, d.Opened
		return with, nil
	}
	if !sameKey(public, publicOf(key)) {
		d.Problem = "the private key does not belong to the public key beside it"
	}
	return d, nil
}

func (i *inspector) decrypt(p pki.Piece) (crypto.PrivateKey, error) {
	data := p.DER
	if p.Block != nil {
		data = encodePEM(p.Block) // its headers say how it is encrypted
	}
	f, err := pemfile.Read(i.name, data)
	if err != nil {
		return nil, err
	}
	return f.Key.Decrypt(i.password)
}

func (i *inspector) publicKey(der []byte) {
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		if old, oldErr := x509.ParsePKCS1PublicKey(der); oldErr == nil {
			pub, err = old, nil
		}
	}
	d := i.keyFinding(kindPublicKey, pub)
	d.SHA256 = pki.Fingerprint(der)
	if err != nil {
		d.Problem = err.Error()
	}
	i.add(d)
}

// keyFinding shows a key by its public half: kind and key identifier.
func (i *inspector) keyFinding(kind string, public crypto.PublicKey) finding {
	d := finding{Kind: kind}
	if public == nil {
		return d
	}
	d.Key = keyText(public)
	if spki, err := x509.MarshalPKIXPublicKey(public); err == nil {
		if ids, err := pki.SKIs(spki); err == nil {
			d.SKI = ids[0]
		}
	}
	return d
}

// keyPackage shows a message that carries key pairs, with done, or nothing.
func (i *inspector) keyPackage(der []byte) (done bool, err error) {
	_, content, err := cms.Content(der)
	if err != nil || content == nil {
		return false, nil // told by others
	}
	pairs, err := pki.ParseKeyPairs(content)
	if err != nil {
		return false, nil
	}
	n := len(pairs)
	i.add(finding{Kind: kindSKIP, SHA256: pki.Fingerprint(der), Entries: &n})
	for _, pair := range pairs {
		public, err := x509.ParsePKIXPublicKey(pair.Public)
		if err != nil {
			public = nil
		}
		d, err := i.encryptedKey(kindKeyPair, pki.Piece{Kind: pki.EncryptedPrivateKey, DER: pair.Private}, public)
		if err != nil {
			return true, err
		}
		i.add(d)
	}
	return true, nil
}

func publicOf(key crypto.PrivateKey) crypto.PublicKey {
	if s, ok := key.(crypto.Signer); ok {
		return s.Public()
	}
	return nil
}

func sameKey(a, b crypto.PublicKey) bool {
	x, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && x.Equal(b)
}
