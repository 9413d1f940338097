package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// Sign signs a digest.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.signDigest(digest, opts, false)
}

// SignMessage signs a message, hashing it here or in the token.
func (k *Key) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.signMessage(message, opts, false)
}

// Handshake is the key for TLS. Its PIN entries, where each signature wants
// one, are not those planned for a run's own signatures.
func (k *Key) Handshake() crypto.MessageSigner { return handshake{k} }

type handshake struct{ *Key }

func (h handshake) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return h.signDigest(digest, opts, true)
}

func (h handshake) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return h.signMessage(message, opts, true)
}

func (k *Key) signDigest(digest []byte, opts crypto.SignerOpts, handshake bool) ([]byte, error) {
	h := opts.HashFunc()
	if h == 0 || !h.Available() || len(digest) != h.Size() {
		return nil, badHash(h)
	}
	return k.sign(input{hash: h, digest: digest, handshake: handshake}, opts)
}

func (k *Key) signMessage(message []byte, opts crypto.SignerOpts, handshake bool) ([]byte, error) {
	h := opts.HashFunc()
	if h == 0 || !h.Available() {
		return nil, badHash(h)
	}
	d := h.New()
	d.Write(message)
	if message == nil {
		message = []byte{}
	}
	return k.sign(input{hash: h, digest: d.Sum(nil), message: message, handshake: handshake}, opts)
}

func (k *Key) sign(in input, opts crypto.SignerOpts) ([]byte, error) {
	s := pkcs1
	if _, ok := k.pub.(*ecdsa.PublicKey); ok {
		s = ecdsaRS
	} else if o, ok := opts.(*rsa.PSSOptions); ok {
		s = pss
		in.salt = in.hash.Size()
		if o.SaltLength > 0 {
			in.salt = o.SaltLength
		}
	}
	var last error
	for _, m := range k.methods() {
		if !m.makes(s, in.hash) || m.hash != 0 && in.message == nil {
			continue
		}
		sig, err := k.with(m, in)
		if err == nil {
			return sig, nil
		}
		if !mechanismTrouble(p11.Code(err)) {
			return nil, err
		}
		// Listed, but not done: the next way, now and from now on.
		last = err
		k.refuse(m.mechanism)
		k.tok.set.cfg.Officer.debug(fmt.Sprintf("%s does not do %s: %v", k.tok.place.name(), mechanismName(m.mechanism), err))
	}
	if last != nil {
		return nil, exit.New(exit.Key, "", "%s does not sign: %w", k.tok.place.name(), last)
	}
	return nil, k.noMethod(s, in.hash)
}

func (k *Key) refuse(mechanism uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken, k.ways = append(k.broken, mechanism), nil
}

func (k *Key) noMethod(s scheme, h crypto.Hash) error {
	what := map[scheme]string{pkcs1: "RSA", pss: "RSA-PSS", ecdsaRS: "ECDSA"}[s]
	var can []string
	for _, n := range hashes {
		if slices.ContainsFunc(k.methods(), func(m method) bool { return m.makes(s, n.hash) }) {
			can = append(can, n.hash.String())
		}
	}
	hint := "use another key"
	if len(can) > 0 {
		hint = "it signs with " + strings.Join(can, ", ") + ": set sign-digest in the context"
	}
	return exit.New(exit.Key, hint, "%s cannot make a signature by %s with %s", k.tok.place.name(), what, h)
}

func mechanismTrouble(code p11.RV) bool {
	switch code {
	case p11.MechanismInvalid, p11.MechanismParam, p11.KeyTypeInconsistent, p11.FunctionNotSupported, p11.DataLenRange, p11.KeyNotPermitted:
		return true
	}
	return false
}

// with makes a signature by one method, and again when token or sessions were
// lost in between.
func (k *Key) with(m method, in input) ([]byte, error) {
	data, parameters, err := m.prepare(k.pub, in)
	if err != nil {
		return nil, err
	}
	losses, logins := 0, 0
	for {
		u, err := k.ready(k.run)
		if err != nil {
			return nil, err
		}
		sig, err := k.once(u, p11.SignRequest{Key: u.handle, Mechanism: m.mechanism, PSS: parameters, Data: data}, in.handshake)
		if err == nil {
			return k.finish(m, in, parameters, sig)
		}
		again, err := k.judge(u, err, &losses, &logins)
		if !again {
			return nil, err
		}
	}
}

// once makes one signature in one session.
func (k *Key) once(u use, r p11.SignRequest, handshake bool) ([]byte, error) {
	t := k.tok
	ctx := context.WithoutCancel(k.run) // a signature under way is finished; the deadline is the module's
	if alone := u.always || !t.fast.Load(); alone {
		t.turn.Lock()
		defer t.turn.Unlock()
	} else {
		t.turn.RLock()
		defer t.turn.RUnlock()
	}
	if u.always {
		t.mu.Lock()
		pin, err := t.contextPIN(k.run, handshake)
		t.mu.Unlock()
		if err != nil {
			return nil, err
		}
		r.Context, r.PIN = true, pin
	}
	if u.always && r.PIN == nil {
		defer t.set.cfg.Officer.request("enter the PIN of " + t.place.name() + " on the reader, for the signature")()
	}
	s, err := t.borrow(ctx, u.live, u.load)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	sig, err := u.live.Sign(ctx, s, r)
	last := t.giveBack(u.live, u.load, s, err != nil)
	if err == nil && !t.fast.Load() && time.Since(start) < slowSignature {
		t.fast.Store(true)
	}
	if last || u.always {
		t.mu.Lock()
		if last && t.load == u.load {
			t.loggedIn = false
			k.forgetHandle()
		}
		t.contextWorked = t.contextWorked || err == nil && u.always
		t.mu.Unlock()
	}
	return sig, err
}

// finish brings a signature into its form. The first one is checked with the
// certificate: a key may lie under another one's id.
func (k *Key) finish(m method, in input, p *p11.PSS, sig []byte) ([]byte, error) {
	sig, err := m.finish(k.pub, sig)
	if err != nil {
		return nil, exit.New(exit.Key, "", "%s: %w", k.tok.place.name(), err)
	}
	if !k.proven.Load() {
		if !verify(k.pub, m.scheme, in, sig) {
			return nil, exit.New(exit.Key, "name the pair that belongs together",
				"a signature by %s does not fit the certificate of %s: the key on the token is another", k.tok.place.name(), k.leaf.Subject)
		}
		k.proven.Store(true)
	}
	k.last.Store(m.mechanism)
	k.count.Add(1)
	return sig, nil
}

func verify(pub crypto.PublicKey, s scheme, in input, sig []byte) bool {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if s == pss {
			return rsa.VerifyPSS(key, in.hash, in.digest, sig, &rsa.PSSOptions{SaltLength: in.salt}) == nil
		}
		return rsa.VerifyPKCS1v15(key, in.hash, in.digest, sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, in.digest, sig)
	}
	return false
}
