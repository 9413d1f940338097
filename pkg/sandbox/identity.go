package sandbox

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// identity is a certificate, its key, and the CA certificate above it.
type identity struct {
	cert  *x509.Certificate
	key   crypto.Signer
	above *x509.Certificate
}

func (id identity) chain() []*x509.Certificate {
	return []*x509.Certificate{id.cert, id.above}
}

// save writes NAME.pem, the certificate first and its CA's after it, and
// NAME.key, unencrypted PKCS#8.
func (id identity) save(dir, name string) error {
	var certs []byte
	for _, c := range id.chain() {
		certs = append(certs, pemOf(c.Raw)...)
	}
	if err := writeFile(dir, name+".pem", certs); err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(id.key)
	if err != nil {
		return err
	}
	return writeFile(dir, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func loadIdentity(dir, name string) (identity, error) {
	data, err := os.ReadFile(filepath.Join(dir, name+".pem"))
	if err != nil {
		return identity{}, err
	}
	certs, err := parseCertificates(data)
	if err != nil || len(certs) != 2 {
		return identity{}, fmt.Errorf("%s.pem does not hold a certificate and its CA's", name)
	}
	if data, err = os.ReadFile(filepath.Join(dir, name+".key")); err != nil {
		return identity{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return identity{}, fmt.Errorf("%s.key is not PEM", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return identity{}, fmt.Errorf("%s.key: %w", name, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return identity{}, fmt.Errorf("%s.key cannot sign", name)
	}
	return identity{certs[0], signer, certs[1]}, nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	certs, err := parseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certs[0], nil
}

// parseCertificates reads PEM certificates, at least one.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for len(bytes.TrimSpace(data)) > 0 {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("no PEM certificate in it")
	}
	return out, nil
}

// ReadOfficer reads the certificate of one more officer for Options.Officers:
// the first one of a PEM file.
func ReadOfficer(path string) (*x509.Certificate, error) { return readCertificate(path) }

// writeFile writes a file that only its owner reads, whole or not at all.
func writeFile(dir, name string, data []byte) error {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// hostOf is the host of a URL that this program made.
func hostOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
