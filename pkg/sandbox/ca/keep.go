package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// hierarchyFile holds certificate and key of each issuer, in the order of
// Issuers. It is one file, so that it is there as a whole or not at all.
const hierarchyFile = "authority.pem"

// Save writes certificates and keys into dir, readable by the owner only.
func (h *Hierarchy) Save(dir string) error {
	var out bytes.Buffer
	for _, i := range h.Issuers() {
		key, err := x509.MarshalPKCS8PrivateKey(i.key)
		if err != nil {
			return err
		}
		for _, b := range []pem.Block{{Type: "CERTIFICATE", Bytes: i.Cert.Raw}, {Type: "PRIVATE KEY", Bytes: key}} {
			if err := pem.Encode(&out, &b); err != nil {
				return err
			}
		}
	}
	// CreateTemp makes files that only the owner reads.
	f, err := os.CreateTemp(dir, hierarchyFile+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(out.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, hierarchyFile))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Load reads what Save wrote; the error is fs.ErrNotExist when nothing was
// saved there. baseURL is for certificates issued from now on.
func Load(dir, baseURL string) (*Hierarchy, error) {
	path := filepath.Join(dir, hierarchyFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	h := &Hierarchy{Root: &Issuer{ID: RootID}, Issuing: [2]*Issuer{{ID: Issuing1ID}, {ID: Issuing2ID}}}
	for _, i := range h.Issuers() {
		i.base = baseURL
		if data, err = i.load(data); err != nil {
			return nil, fmt.Errorf("%s cannot be read: %s: %w", path, i.ID, err)
		}
	}
	return h, nil
}

// load reads the issuer's two blocks and returns what follows.
func (i *Issuer) load(data []byte) (rest []byte, err error) {
	cert, data := pem.Decode(data)
	key, data := pem.Decode(data)
	if cert == nil || key == nil {
		return nil, errors.New("a certificate or key is missing")
	}
	if i.Cert, err = x509.ParseCertificate(cert.Bytes); err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return nil, errors.New("its key cannot be decoded")
	}
	var ok bool
	if i.key, ok = parsed.(*ecdsa.PrivateKey); !ok || !i.key.PublicKey.Equal(i.Cert.PublicKey) {
		return nil, errors.New("its key is not the one of its certificate")
	}
	return data, nil
}
