package pemfile

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/youmark/pkcs8"
)

// rounds of PBKDF2 for a key that is written: about a quarter of a second for
// each guess at its password.
const rounds = 600_000

// Encode writes a private key as PKCS#8 in PEM: encrypted with AES-256
// (PBES2, PBKDF2 with HMAC-SHA-256) under the password, or in the clear when
// the password is empty.
func Encode(key crypto.PrivateKey, password []byte) ([]byte, error) {
	if len(password) == 0 {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("cannot encode the private key: %w", err)
		}
		defer clear(der)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	der, err := pkcs8.MarshalPrivateKey(key, password, &pkcs8.Opts{
		Cipher:  pkcs8.AES256CBC,
		KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 16, IterationCount: rounds, HMACHash: crypto.SHA256},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), nil
}
