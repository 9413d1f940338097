package pkcs11

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// Key is a private key on a token: a crypto.Signer, and a crypto.MessageSigner
// for tokens that want to hash by themselves. The token is logged in to when
// the first signature is made, or by Unlock. Several goroutines may use it.
type Key struct {
	tok   *token
	want  wanted
	pub   crypto.PublicKey
	leaf  *x509.Certificate
	certs []*x509.Certificate // on the token, for the chain
	run   context.Context     // of the run: signatures are asked for without one

	mu      sync.Mutex // the fields below, up to the blank line; taken after tok.mu
	load    int        // in which handle is good
	handle  p11.ObjectHandle
	open    bool // usable without a login, as the token shows it before one
	always  bool // wants the PIN for each signature
	known   bool // whether always is known
	allowed []uint64
	broken  []uint64 // mechanisms that the token lists, but does not do
	ways    []method // what follows from these; nil: not worked out yet

	mechanisms []uint64 // of the token
	proven     atomic.Bool
	last       atomic.Uint64 // the mechanism of the last signature
	count      atomic.Int64
}

// take notes what a private key's object says. tok.mu is held.
func (k *Key) take(x *object, load int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.load, k.handle, k.allowed, k.ways = load, x.Handle, x.Mechanisms, nil
	if x.AlwaysAuth != nil {
		k.always, k.known = *x.AlwaysAuth, true
	}
}

// methods are the ways to sign that are left; not to be changed.
func (k *Key) methods() []method {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ways == nil {
		_, isRSA := k.pub.(*rsa.PublicKey)
		k.ways = slices.DeleteFunc(methodsFor(k.mechanisms, k.allowed), func(m method) bool {
			return (m.scheme == ecdsaRS) == isRSA || slices.Contains(k.broken, m.mechanism)
		})
	}
	return k.ways
}

// Public is the key's public half.
func (k *Key) Public() crypto.PublicKey { return k.pub }

// Leaf is the key's certificate.
func (k *Key) Leaf() *x509.Certificate { return k.leaf }

// Certificates are all on the token: the chain may be among them.
func (k *Key) Certificates() []*x509.Certificate { return k.certs }

// Token is the token's name in messages.
func (k *Key) Token() string { return k.tok.place.name() }

// TLSSchemes are the signatures that the key makes in a handshake.
func (k *Key) TLSSchemes() []tls.SignatureScheme { return tlsSchemes(k.pub, k.methods()) }

// MaxTLS is tls.VersionTLS12 for a token whose RSA key makes no RSA-PSS, which
// TLS 1.3 wants; else 0.
func (k *Key) MaxTLS() uint16 {
	if _, ok := k.pub.(*rsa.PublicKey); !ok {
		return 0
	}
	for _, s := range k.TLSSchemes() {
		if s == tls.PSSWithSHA256 || s == tls.PSSWithSHA384 || s == tls.PSSWithSHA512 {
			return 0
		}
	}
	return tls.VersionTLS12
}

// PINEntries tells whether the key wants the PIN for each signature, as far as
// the token has said so, and whether it is yet to be entered for the login.
func (k *Key) PINEntries() (each, known, login bool) {
	k.tok.mu.Lock()
	defer k.tok.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.always, k.known || k.open, !k.tok.loggedIn && !k.open
}

// Used are the number of signatures made, and the mechanism of the last.
func (k *Key) Used() (n int64, mechanism string) {
	return k.count.Load(), mechanismName(k.last.Load())
}

// Unlock logs in to the token, unless that was done or is not needed, and
// finds the private key.
func (k *Key) Unlock(ctx context.Context) error {
	_, err := k.ready(ctx)
	return err
}
