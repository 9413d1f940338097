package cmapi

import (
	"crypto"
	"crypto/tls"
	"io"
	"strings"
	"sync"
)

// keyWitness remembers why the officer's key did not sign a handshake:
// crypto/tls keeps only the text of such an error, and a card that was pulled
// would look like a gateway that is down.
type keyWitness struct {
	mu  sync.Mutex
	err error // the last
}

// watch gives a certificate whose key is watched.
func (w *keyWitness) watch(cert *tls.Certificate) *tls.Certificate {
	key, ok := cert.PrivateKey.(crypto.Signer)
	if !ok {
		return cert
	}
	watched := *cert
	watched.PrivateKey = &watchedKey{key, w}
	return &watched
}

// cause is the error of the key that an error of the handshake tells of.
func (w *keyWitness) cause(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil && strings.Contains(err.Error(), w.err.Error()) {
		return w.err
	}
	return nil
}

func (w *keyWitness) note(err error) {
	if err != nil {
		w.mu.Lock()
		w.err = err
		w.mu.Unlock()
	}
}

type watchedKey struct {
	crypto.Signer
	witness *keyWitness
}

// Sign signs a digest.
func (k *watchedKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := k.Signer.Sign(rand, digest, opts)
	k.witness.note(err)
	return sig, err
}

// SignMessage leaves the hashing to a key that wants to do it itself.
func (k *watchedKey) SignMessage(rand io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := crypto.SignMessage(k.Signer, rand, message, opts)
	k.witness.note(err)
	return sig, err
}
