package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
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

	mechanisms []uint64 // of the token
	proven     atomic.Bool
	last       atomic.Uint64 // the mechanism of the last signature
	count      atomic.Int64
}

// Request says which key to open.
type Request struct {
	Key   *uri.URI
	Cert  *uri.URI            // of the certificate, where it is another
	Certs []*x509.Certificate // from a file; then the token's do not count
	PIN   PINSource
}

// Open finds a key and its certificate. It logs in only when the token does
// not show them without.
func (t *Tokens) Open(ctx context.Context, r Request) (*Key, error) {
	w := wanted{r.Key, r.Certs}
	if r.Cert != nil {
		var err error
		if w.certs, err = t.Certificates(ctx, r.Cert, r.PIN); err != nil {
			return nil, err
		}
	}
	places, err := t.find(ctx, r.Key)
	if err != nil {
		return nil, err
	}
	var choices, others []choice // that fit, and that only the URI fits
	var pairs []*pair
	var objects []*object
	views := map[*pair][]*object{}
	for _, p := range places {
		tok := t.token(p)
		tok.mu.Lock()
		if tok.source == nil {
			tok.source = r.PIN
		}
		err := tok.ready(ctx, false)
		if err == nil {
			objects, err = tok.objects(ctx)
		}
		loggedIn := tok.loggedIn
		tok.mu.Unlock()
		if err != nil {
			return nil, err
		}
		pairs = group(objects)
		for _, x := range pairs {
			switch {
			case w.fits(x, loggedIn):
				choices = append(choices, choice{p, x})
				views[x] = objects
			case matches(x, w.key, loggedIn):
				others = append(others, choice{p, x})
			}
		}
	}
	c, ok := one(choices)
	switch {
	case ok && (len(w.certificates(c.pair)) > 0 || c.pair.private != nil):
		return t.key(ctx, w, c, views[c.pair])
	case len(places) > 1 && len(choices) > 0 && spread(choices):
		return nil, ambiguous(r.Key, choices)
	case len(places) > 1 && len(choices) == 0 && len(others) > 0 && w.certs != nil:
		return nil, notTheirs(w, others)
	case len(places) > 1 && len(choices) == 0:
		return nil, tooMany(r.Key, places)
	}
	// One token, which does not show enough: the PIN will.
	p := places[0]
	if len(choices) > 0 {
		p = choices[0].place
	}
	return t.openLoggedIn(ctx, w, p)
}

// spread tells whether choices are on several tokens.
func spread(choices []choice) bool {
	return slices.ContainsFunc(choices, func(c choice) bool {
		return c.place.mod != choices[0].place.mod || c.place.slot.ID != choices[0].place.slot.ID
	})
}

func (t *Tokens) openLoggedIn(ctx context.Context, w wanted, p place) (*Key, error) {
	tok := t.token(p)
	tok.mu.Lock()
	err := tok.ready(ctx, true)
	var objects []*object
	if err == nil {
		objects, err = tok.objects(ctx)
	}
	tok.mu.Unlock()
	if err != nil {
		return nil, err
	}
	pairs := group(objects)
	var choices []choice
	for _, x := range pairs {
		if w.fits(x, true) {
			choices = append(choices, choice{p, x})
		}
	}
	c, ok := one(choices)
	switch {
	case len(choices) == 0:
		return nil, none(w, p, pairs, true)
	case !ok:
		return nil, ambiguous(w.key, choices)
	}
	return t.key(ctx, w, c, objects)
}

// key makes the Key of a choice.
func (t *Tokens) key(ctx context.Context, w wanted, c choice, objects []*object) (*Key, error) {
	tok := t.token(c.place)
	k := &Key{tok: tok, want: w, pub: c.pair.pub, run: ctx}
	if k.leaf = newest(w.certificates(c.pair)); k.leaf == nil {
		return nil, exit.New(exit.Key, "name the file with its certificate: --cert (--sign-cert for the signing pair)",
			"%s holds no certificate for the key %s", tok.place.name(), c.uri([]*pair{c.pair}))
	}
	if k.pub == nil {
		k.pub = k.leaf.PublicKey
	}
	for _, o := range objects {
		if o.cert != nil {
			k.certs = append(k.certs, o.cert)
		}
	}
	if err := usable(k.pub, tok.place.name()); err != nil {
		return nil, err
	}
	tok.mu.Lock()
	defer tok.mu.Unlock()
	if err := tok.ready(ctx, false); err != nil {
		return nil, err
	}
	var err error
	if k.mechanisms, err = tok.live.Mechanisms(ctx, tok.place.slot.ID); err != nil {
		if p11.Code(err) == 0 {
			return nil, tok.place.mod.check(tok.load, err)
		}
		// What every token has that signs at all.
		k.mechanisms = []uint64{p11.RSAPKCS, p11.ECDSA}
	}
	if x := c.pair.private; x != nil {
		specific := w.key.ID != nil || w.key.Object != nil
		k.open = !tok.loggedIn && specific && x.Private != nil && !*x.Private && (x.AlwaysAuth == nil || !*x.AlwaysAuth)
		if tok.loggedIn || k.open {
			k.take(x, tok.load)
		}
	}
	if len(k.methods()) == 0 {
		return nil, exit.New(exit.Key, "use another key, or another module for this token", "%s has no way to sign with its key of type %s: it lists no mechanism that cmctl knows",
			tok.place.name(), keyType(k.pub, nil))
	}
	return k, nil
}

// usable refuses keys that serve neither TLS nor signing.
func usable(pub crypto.PublicKey, name string) error {
	const hint = "RSA keys from 2048 bits, P-256, P-384 and P-521 keys are supported on tokens"
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 {
			return exit.New(exit.Key, hint, "the RSA key on %s has %d bits, which is too small", name, bits)
		}
		return nil
	case *ecdsa.PublicKey:
		if slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, k.Curve) {
			return nil
		}
	}
	return exit.New(exit.Key, hint, "the key on %s is of a kind that is not supported (%s)", name, keyType(pub, nil))
}

// take notes what a private key's object says. tok.mu is held.
func (k *Key) take(x *object, load int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.load, k.handle, k.allowed = load, x.Handle, x.Mechanisms
	if x.AlwaysAuth != nil {
		k.always, k.known = *x.AlwaysAuth, true
	}
}

// methods are the ways to sign that are left.
func (k *Key) methods() []method {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, isRSA := k.pub.(*rsa.PublicKey)
	return slices.DeleteFunc(methodsFor(k.mechanisms, k.allowed), func(m method) bool {
		return (m.scheme == ecdsaRS) == isRSA || slices.Contains(k.broken, m.mechanism)
	})
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
	k.broken = append(k.broken, mechanism)
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

// use is what a signature needs.
type use struct {
	live   p11.Module
	load   int
	handle p11.ObjectHandle
	always bool
}

// ready logs in and finds the private key, unless that was done.
func (k *Key) ready(ctx context.Context) (use, error) {
	t := k.tok
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		u, err := k.readyNow(ctx)
		var gone *goneError
		if !errors.As(err, &gone) || !t.set.cfg.Officer.present() || t.set.cfg.Officer.Wait == nil {
			return u, err
		}
		if err := t.set.cfg.Officer.Wait(ctx, gone.name+" was removed: put it back"); err != nil {
			return use{}, err
		}
		t.lost()
		t.place.mod.again()
	}
}

func (k *Key) readyNow(ctx context.Context) (use, error) {
	t := k.tok
	k.mu.Lock()
	open, load := k.open, k.load
	k.mu.Unlock()
	if err := t.ready(ctx, !open); err != nil {
		return use{}, err
	}
	if load != t.load {
		if err := k.resolve(ctx, !open); err != nil {
			return use{}, err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return use{t.live, t.load, k.handle, k.always}, nil
}

// resolve finds the private key's object, now that the token shows it.
func (k *Key) resolve(ctx context.Context, loggedIn bool) error {
	objects, err := k.tok.objects(ctx)
	if err != nil {
		return err
	}
	pairs := group(objects)
	var choices []choice
	for _, x := range pairs {
		if x.private != nil && k.want.fits(x, loggedIn) {
			choices = append(choices, choice{k.tok.place, x})
		}
	}
	c, ok := one(choices)
	switch {
	case len(choices) == 0:
		return none(k.want, k.tok.place, pairs, loggedIn)
	case !ok:
		return ambiguous(k.want.key, choices)
	case c.pair.pub != nil && !equal(c.pair.pub, k.pub):
		return exit.New(exit.Key, "name the pair that belongs together", "the key %s does not belong to the certificate of %s",
			c.uri(pairs), k.leaf.Subject)
	}
	k.take(c.pair.private, k.tok.load)
	return nil
}

// The most that is done about a signature that fails.
const (
	mostLosses = 3 // of the token or its sessions
	mostLogins = 3
)

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

// judge says what to do about a signature that failed: try again, or what is
// wrong.
func (k *Key) judge(u use, err error, losses, logins *int) (again bool, _ error) {
	t := k.tok
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil {
		return false, t.failed
	}
	code := p11.Code(err)
	var context *p11.ContextError
	switch {
	case code == 0 && errors.As(err, new(exit.Coder)):
		return false, err
	case code == 0:
		// Someone else gave up this load because the token was lost?
		if *losses++; t.place.mod.dropped(u.load) && *losses <= mostLosses {
			k.lost(u)
			return true, nil
		}
		return false, t.place.mod.check(u.load, err)
	case errors.As(err, &context) && !removed(code) && code != p11.NotLoggedIn:
		return false, t.contextFailed(err)
	case code == p11.NotLoggedIn:
		if *logins++; *logins > mostLogins {
			break
		}
		k.loggedOut(u, *logins > 1)
		return true, nil
	case removed(code), stale(code):
		if *losses++; *losses > mostLosses {
			break
		}
		k.lost(u)
		return true, nil
	case code == p11.DeviceError || code == p11.GeneralError || code == p11.FunctionFailed:
		// What a card says first when it is pulled; looking again tells.
		if *losses++; *losses > 1 {
			break
		}
		k.lost(u)
		return true, nil
	case mechanismTrouble(code):
		return false, err
	}
	return false, exit.New(exit.Key, "", "%s did not sign: %w", t.place.name(), err)
}

// lost gives up the load in which a signature failed.
func (k *Key) lost(u use) {
	if k.tok.load == u.load {
		k.tok.lost()
	}
}

// loggedOut is a signature for which the token wants a login: the login was
// lost, or the key wants the PIN each time, whatever its attributes say.
func (k *Key) loggedOut(u use, again bool) {
	t := k.tok
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.open:
		k.open = false
		t.mustLogin = true
	case again || !k.known && k.count.Load() == 0:
		k.always, k.known = true, true
	}
	if t.load == u.load { // some modules log the whole token out then
		t.loggedIn = false
		k.load = 0
	}
}

// forgetHandle makes the next signature look for the key's object anew: a
// private object's handle ends with the login.
func (k *Key) forgetHandle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.load = 0
}

// stale tells the return values of handles that are good no more.
func stale(code p11.RV) bool {
	switch code {
	case p11.SessionHandleInvalid, p11.SessionClosed, p11.KeyHandleInvalid, p11.ObjectHandleInvalid, p11.NotInitialized, p11.OperationActive, p11.OperationNotInit:
		return true
	}
	return false
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
