// Package pemfile reads private keys and certificates from PEM and DER files:
// PKCS#1, SEC1 and PKCS#8 keys, plain or encrypted (PKCS#8 by PBES2, or the
// old Proc-Type header), and the certificates beside them.
//
// What the libraries below cannot decrypt is named before a password is asked
// for, with the openssl line that repacks the file.
package pemfile

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/internal/pbe"
)

// ErrWrongPassword is returned by Decrypt.
var ErrWrongPassword = errors.New("the password is wrong")

// Reader is what the libraries decrypt of PKCS#8.
var reader = pbe.Reader{
	KDFs:    []string{pbe.PBKDF2, pbe.Scrypt},
	PRFs:    []string{pbe.HMACSHA1, pbe.HMACSHA256},
	Ciphers: []string{pbe.AES128CBC, pbe.AES192CBC, pbe.AES256CBC, pbe.DES3CBC},
}

// File is what a file holds. Key is nil when there is none.
type File struct {
	Certificates []*x509.Certificate
	Key          *Key
}

// Key is a private key as it lies in the file.
type Key struct {
	Encrypted bool

	der   []byte
	block *pem.Block // of a key with a Proc-Type header
}

// Read takes the file apart. name is for messages.
func Read(name string, data []byte) (*File, error) {
	pieces, err := pki.Split(data)
	if err != nil {
		return nil, exit.New(exit.Key, "", "%s cannot be read: %w", name, err)
	}
	f := &File{}
	certificates := false
	for _, p := range pieces {
		switch p.Kind {
		case pki.Certificate, pki.PKCS7, pki.CMS:
			certificates = true
		case pki.PrivateKey, pki.EncryptedPrivateKey:
			if f.Key != nil {
				return nil, exit.New(exit.Key, "keep one key in the file", "%s holds several private keys", name)
			}
			if f.Key, err = readKey(name, p); err != nil {
				return nil, err
			}
		}
	}
	if certificates {
		if f.Certificates, err = pki.ReadCertificates(name, data); err != nil {
			return nil, exit.New(exit.Key, exit.HintOf(err), "%w", err)
		}
	}
	return f, nil
}

func readKey(name string, p pki.Piece) (*Key, error) {
	k := &Key{Encrypted: p.Kind == pki.EncryptedPrivateKey, der: p.DER}
	switch {
	case !k.Encrypted:
		return k, nil
	case p.Block != nil && p.Block.Headers["DEK-Info"] != "":
		k.block = p.Block
		cipher, _, _ := strings.Cut(p.Block.Headers["DEK-Info"], ",")
		switch strings.ToUpper(cipher) {
		case "DES-CBC", "DES-EDE3-CBC", "AES-128-CBC", "AES-192-CBC", "AES-256-CBC":
			return k, nil
		}
		return nil, unsupported(name, cipher, false, false)
	}
	scheme, ciphertext, err := readPKCS8(p.DER)
	if err != nil {
		return nil, exit.New(exit.Key, "", "the encrypted private key in %s cannot be read: %w", name, err)
	}
	if cause := reader.Unsupported(scheme); cause != "" {
		return nil, unsupported(name, cause, scheme.Legacy(), p.Block == nil)
	}
	// The library panics on a ciphertext or an IV that does not fit.
	block := 16
	if scheme.Cipher == pbe.DES3CBC {
		block = 8
	}
	if scheme.IV != block || len(ciphertext) == 0 || len(ciphertext)%block != 0 {
		return nil, exit.New(exit.Key, "", "the encrypted private key in %s is damaged", name)
	}
	return k, nil
}

func readPKCS8(der []byte) (pbe.Scheme, []byte, error) {
	var info, algorithm, ciphertext cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&info, asn1.SEQUENCE) || !input.Empty() ||
		!info.ReadASN1(&algorithm, asn1.SEQUENCE) || !info.ReadASN1(&ciphertext, asn1.OCTET_STRING) || !info.Empty() {
		return pbe.Scheme{}, nil, errors.New("it is damaged")
	}
	s, err := pbe.Parse(algorithm)
	return s, ciphertext, err
}

func unsupported(name, cause string, legacy, der bool) error {
	line := "openssl pkcs8"
	if legacy {
		line += " -provider legacy -provider default"
	}
	line += " -topk8 -v2 aes-256-cbc"
	if der {
		line += " -inform DER"
	}
	line += " -in " + pbe.Quote(name) + " -out " + pbe.Quote(pbe.NewName(name, ".key"))
	return exit.New(exit.Key, "repack it: "+line, "the private key in %s is encrypted with %s, which is not supported", name, cause)
}

// Plain returns a key that is not encrypted: an *rsa.PrivateKey,
// *ecdsa.PrivateKey, ed25519.PrivateKey or what else x509 knows.
func (k *Key) Plain() (crypto.PrivateKey, error) { return parse(k.der) }

// Decrypt returns an encrypted key, or ErrWrongPassword. It tries the
// password once.
func (k *Key) Decrypt(password []byte) (crypto.PrivateKey, error) {
	if len(password) == 0 {
		return nil, ErrWrongPassword // the library takes "no password" for "not encrypted"
	}
	if k.block == nil {
		key, err := pkcs8.ParsePKCS8PrivateKey(k.der, password)
		if err != nil {
			return nil, ErrWrongPassword
		}
		return key, nil
	}
	//nolint:staticcheck // deprecated because the format is weak, not because the reader is
	der, err := x509.DecryptPEMBlock(k.block, password)
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, ErrWrongPassword
	}
	if err != nil {
		return nil, err
	}
	// The format has no checksum: one wrong password in 256 passes the padding
	// and shows as a key that cannot be parsed.
	var outline cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&outline, asn1.SEQUENCE) || !input.Empty() {
		return nil, ErrWrongPassword
	}
	return parse(der)
}

// parse tries the three formats, as their PEM labels are often wrong.
func parse(der []byte) (crypto.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, err
}
