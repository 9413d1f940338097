package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// KeySpec is a kind of key that can be made.
type KeySpec string

// KeySpecs lists the kinds, for help, completion and errors.
func KeySpecs() []string {
	return []string{"rsa:2048", "rsa:3072", "rsa:4096", "ec:p256", "ec:p384", "ec:p521", "ed25519"}
}

// ParseKeySpec reads a kind of key: rsa:3072, ec:p256, ec:P-256, ...
func ParseKeySpec(s string) (KeySpec, error) {
	folded := strings.ReplaceAll(strings.ToLower(s), "p-", "p")
	for _, spec := range KeySpecs() {
		if folded == spec {
			return KeySpec(spec), nil
		}
	}
	return "", exit.Usagef("", "expected one of %s", strings.Join(KeySpecs(), ", "))
}

// Generate makes a key of this kind.
func (k KeySpec) Generate() (key crypto.Signer, err error) {
	switch k {
	case "rsa:2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa:3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "rsa:4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	case "ec:p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ec:p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ec:p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("%q is no kind of key", string(k))
	}
	if err != nil {
		return nil, exit.New(exit.Failure, "", "cannot make a key: %w", err)
	}
	return key, nil
}
