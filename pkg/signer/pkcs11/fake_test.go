package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/modules"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/refused"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// fake is a module that plays tokens, as bad as any that was met.
type fake struct {
	mu    sync.Mutex
	slots []*fakeSlot
	loads int
	err   error // of the next loads

	logins, contexts, signs int // counted over all loads
	sessions, most          int // open now, and at most
	closed                  int // loads
}

type fakeSlot struct {
	id      uint64
	token   p11.Token
	gone    bool
	pin     string
	pinEach string // the PIN for signatures; empty: pin
	objects []*fakeObject
	mechs   []uint64
	max     int // sessions, though MaxSessions says nothing; -1: none

	loginErr   error
	afterLogin func()            // changes what comes
	onSign     func(n int) error // an error instead of the n-th signature, counted from 1
	delay      time.Duration
	logsOut    bool // a failed signature logs the whole token out
}

type fakeObject struct {
	p11.Object
	key    crypto.Signer
	hidden bool // before the login
	each   bool // wants a context login, whatever AlwaysAuth says
}

// load is one load of the module: sessions and logins end with it.
type fakeLoad struct {
	*fake
	dead     bool
	sessions map[p11.Session]*fakeSession
	loggedIn map[*fakeSlot]bool
}

type fakeSession struct {
	slot   *fakeSlot
	active bool // an operation was left open
	busy   bool
}

func (f *fake) load(context.Context, p11.Spec) (p11.Module, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loads++
	if f.err != nil {
		return nil, f.err
	}
	return &fakeLoad{fake: f, sessions: map[p11.Session]*fakeSession{}, loggedIn: map[*fakeSlot]bool{}}, nil
}

// set makes a run's tokens that use the fake.
func (f *fake) set(t testing.TB, cfg Config) *Tokens {
	t.Helper()
	cfg.Module = "/fake.so"
	set := New(cfg)
	set.load, set.supported, set.finder = f.load, true, modules.Finder{}
	if cfg.StateDir == "" {
		set.memory = refused.Memory{Dir: filepath.Join(t.TempDir(), "refused-pins")}
	}
	t.Cleanup(set.Close)
	return set
}

func (l *fakeLoad) enter() func() {
	l.mu.Lock()
	return l.mu.Unlock
}

func (l *fakeLoad) Info(context.Context) (p11.Info, error) {
	return p11.Info{Description: "Fake", Manufacturer: "Makers", Major: 3, Minor: 1}, nil
}

func (l *fakeLoad) Slots(context.Context) ([]p11.Slot, error) {
	defer l.enter()()
	var out []p11.Slot
	for _, s := range l.slots {
		if !s.gone {
			out = append(out, p11.Slot{ID: s.id, Description: "Reader", Token: s.token})
		}
	}
	return out, nil
}

func (l *fakeLoad) slot(id uint64) (*fakeSlot, error) {
	for _, s := range l.slots {
		if s.id == id {
			if s.gone {
				return nil, p11.TokenNotPresent
			}
			return s, nil
		}
	}
	return nil, p11.SlotIDInvalid
}

func (l *fakeLoad) Token(_ context.Context, slot uint64) (p11.Token, error) {
	defer l.enter()()
	s, err := l.slot(slot)
	if err != nil {
		return p11.Token{}, err
	}
	return s.token, nil
}

func (l *fakeLoad) Mechanisms(_ context.Context, slot uint64) ([]uint64, error) {
	defer l.enter()()
	s, err := l.slot(slot)
	if err != nil {
		return nil, err
	}
	return s.mechs, nil
}

func (l *fakeLoad) OpenSession(_ context.Context, slot uint64) (p11.Session, error) {
	defer l.enter()()
	s, err := l.slot(slot)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, x := range l.sessions {
		if x.slot == s {
			n++
		}
	}
	if limit := max(s.max, int(s.token.MaxSessions)); s.max < 0 || limit > 0 && n >= limit {
		return 0, p11.SessionCount
	}
	id := p11.Session(0) // a number like any other
	for l.sessions[id] != nil {
		id++
	}
	l.sessions[id] = &fakeSession{slot: s}
	l.fake.sessions++
	l.most = max(l.most, l.fake.sessions)
	return id, nil
}

func (l *fakeLoad) session(id p11.Session) (*fakeSession, error) {
	s := l.sessions[id]
	if s == nil || l.dead {
		return nil, p11.SessionHandleInvalid
	}
	if s.slot.gone {
		return nil, p11.DeviceRemoved
	}
	return s, nil
}

func (l *fakeLoad) CloseSession(_ context.Context, id p11.Session) error {
	defer l.enter()()
	s, err := l.session(id)
	if err != nil {
		return err
	}
	delete(l.sessions, id)
	l.fake.sessions--
	for _, other := range l.sessions {
		if other.slot == s.slot {
			return nil
		}
	}
	l.loggedIn[s.slot] = false
	return nil
}

func (l *fakeLoad) Login(_ context.Context, id p11.Session, pin []byte) error {
	defer l.enter()()
	s, err := l.session(id)
	if err != nil {
		return err
	}
	l.logins++
	slot := s.slot
	switch {
	case slot.loginErr != nil:
		return slot.loginErr
	case l.loggedIn[slot]:
		return p11.AlreadyLoggedIn
	case slot.token.Flags.Has(p11.PINLocked):
		return p11.PINIsLocked
	case pin == nil && !slot.token.Flags.Has(p11.Keypad):
		return p11.ArgumentsBad
	case pin != nil && string(pin) != slot.pin:
		return p11.PINIncorrect
	}
	l.loggedIn[slot] = true
	if slot.afterLogin != nil {
		slot.afterLogin()
	}
	return nil
}

func (l *fakeLoad) Objects(_ context.Context, id p11.Session) ([]p11.Object, error) {
	defer l.enter()()
	s, err := l.session(id)
	if err != nil {
		return nil, err
	}
	var out []p11.Object
	for _, o := range s.slot.objects {
		if !o.hidden || l.loggedIn[s.slot] {
			out = append(out, o.Object)
		}
	}
	return out, nil
}

func (l *fakeLoad) Sign(_ context.Context, id p11.Session, r p11.SignRequest) ([]byte, error) {
	l.mu.Lock()
	s, err := l.session(id)
	if err == nil && s.busy {
		err = p11.OperationActive // two goroutines in one session
	}
	if err != nil {
		l.mu.Unlock()
		return nil, err
	}
	s.busy = true
	slot := s.slot
	l.mu.Unlock()
	time.Sleep(slot.delay)
	l.mu.Lock()
	defer l.mu.Unlock()
	s.busy = false
	return l.signNow(s, r)
}

func (l *fakeLoad) signNow(s *fakeSession, r p11.SignRequest) ([]byte, error) {
	slot := s.slot
	var o *fakeObject
	for _, x := range slot.objects {
		if x.Handle == r.Key && x.key != nil {
			o = x
		}
	}
	switch {
	case o == nil:
		return nil, p11.KeyHandleInvalid
	case s.active:
		return nil, p11.OperationActive
	case !slices.Contains(slot.mechs, r.Mechanism):
		return nil, p11.MechanismInvalid
	}
	s.active = true
	if r.Context {
		l.contexts++
		want := slot.pinEach
		if want == "" {
			want = slot.pin
		}
		if r.PIN != nil && string(r.PIN) != want {
			return nil, &p11.ContextError{Err: p11.PINIncorrect}
		}
	}
	l.signs++
	if slot.onSign != nil {
		if err := slot.onSign(l.signs); err != nil {
			return nil, err
		}
	}
	if o.hidden && !l.loggedIn[slot] || o.each && !r.Context {
		if slot.logsOut {
			l.loggedIn[slot] = false
		}
		return nil, p11.NotLoggedIn
	}
	s.active = false
	return software(o.key, r)
}

func (l *fakeLoad) Close() error {
	defer l.enter()()
	if !l.dead {
		l.dead = true
		l.closed++
		l.fake.sessions -= len(l.sessions)
	}
	return nil
}

// software does what a mechanism does.
func software(key crypto.Signer, r p11.SignRequest) ([]byte, error) {
	hash := map[uint64]crypto.Hash{
		p11.SHA256RSAPKCS: crypto.SHA256, p11.SHA384RSAPKCS: crypto.SHA384, p11.SHA512RSAPKCS: crypto.SHA512, p11.SHA256RSAPKCSPSS: crypto.SHA256, p11.ECDSASHA256: crypto.SHA256,
	}[r.Mechanism]
	data := r.Data
	if hash != 0 {
		h := hash.New()
		h.Write(data)
		data = h.Sum(nil)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		switch r.Mechanism {
		case p11.RSAX509:
			m := new(big.Int).SetBytes(data)
			if len(data) != k.Size() || m.Cmp(k.N) >= 0 {
				return nil, p11.DataLenRange
			}
			return m.Exp(m, k.D, k.N).FillBytes(make([]byte, k.Size())), nil
		case p11.RSAPKCSPSS, p11.SHA256RSAPKCSPSS:
			hash := map[p11.PSS]crypto.Hash{{Hash: 0x250, MGF: 2, Salt: 32}: crypto.SHA256, {Hash: 0x260, MGF: 3, Salt: 48}: crypto.SHA384, {Hash: 0x270, MGF: 4, Salt: 64}: crypto.SHA512}[*r.PSS]
			if hash == 0 {
				return nil, p11.MechanismParam
			}
			return rsa.SignPSS(rand.Reader, k, hash, data, &rsa.PSSOptions{SaltLength: int(r.PSS.Salt)})
		}
		return rsa.SignPKCS1v15(nil, k, hash, data)
	case *ecdsa.PrivateKey:
		size := (k.Params().N.BitLen() + 7) / 8
		if len(data) > size {
			return nil, p11.DeviceError // as one module does
		}
		rr, ss, err := ecdsa.Sign(rand.Reader, k, data)
		if err != nil {
			return nil, err
		}
		return append(rr.FillBytes(make([]byte, size)), ss.FillBytes(make([]byte, size))...), nil
	}
	return nil, p11.KeyTypeInconsistent
}

// Keys are made once: they take a while.
var (
	keyRSA   = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	keyRSA2  = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	keySmall = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 1024)) })
	keyEC    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	keyEC2   = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	keyEC5   = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	key224   = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)) })
)

func must[K crypto.Signer](k K, err error) crypto.Signer {
	if err != nil {
		panic(err)
	}
	return k
}

// Objects of a key, as tokens have them.

func private(h p11.ObjectHandle, id, label string, key crypto.Signer) *fakeObject {
	no := false
	o := &fakeObject{Object: p11.Object{Handle: h, Class: p11.ClassPrivateKey, ID: []byte(id), Label: label, AlwaysAuth: &no}, key: key, hidden: true}
	fillKey(&o.Object, key.Public())
	o.ECPoint = nil // few tokens tell the point of a private key
	return o
}

func public(h p11.ObjectHandle, id, label string, key crypto.Signer) *fakeObject {
	o := &fakeObject{Object: p11.Object{Handle: h, Class: p11.ClassPublicKey, ID: []byte(id), Label: label}}
	fillKey(&o.Object, key.Public())
	return o
}

func fillKey(o *p11.Object, pub crypto.PublicKey) {
	typ := uint64(p11.KeyRSA)
	switch k := pub.(type) {
	case *rsa.PublicKey:
		o.Modulus, o.Exponent = k.N.Bytes(), big.NewInt(int64(k.E)).Bytes()
	case *ecdsa.PublicKey:
		typ = p11.KeyEC
		for _, c := range curves() {
			if c.curve == k.Curve {
				o.ECParams, _ = asn1.Marshal(c.oid)
			}
		}
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		o.ECPoint, _ = asn1.Marshal(point)
	}
	o.KeyType = &typ
}

func cert(t testing.TB, h p11.ObjectHandle, id, label, cn string, key crypto.Signer) *fakeObject {
	t.Helper()
	return &fakeObject{Object: p11.Object{Handle: h, Class: p11.ClassCertificate, ID: []byte(id), Label: label, Value: certificate(t, cn, key.Public())}}
}

var everything = p11.Signing()

// card is a fake with one token, an RSA key and an EC key, each with its
// certificate.
func card(t testing.TB) (*fake, *fakeSlot) {
	t.Helper()
	s := &fakeSlot{
		id: 5, pin: testPIN, mechs: everything,
		token: p11.Token{Label: "Officer card", Manufacturer: "Makers", Model: "SW\x00TPM", Serial: "0123", Flags: p11.LoginRequired | p11.Initialized | p11.PINInitialized, MinPIN: 4, MaxPIN: 8},
		objects: []*fakeObject{
			private(0, "\x01", "Key 1", keyRSA()), cert(t, 1, "\x01", "Cert 1", "Officer", keyRSA()),
			private(2, "\x02", "Key 2", keyEC()), cert(t, 3, "\x02", "Cert 2", "Signer", keyEC()),
		},
	}
	return &fake{slots: []*fakeSlot{s}}, s
}

const (
	testPIN = "1234"
	key1    = "pkcs11:token=Officer%20card;id=%01"
	key2    = "pkcs11:token=Officer%20card;id=%02"
)

// open opens a key of the run's tokens.
func open(t testing.TB, set *Tokens, ref string, pin PINSource) (*Key, error) {
	t.Helper()
	u, err := uri.Parse(ref)
	if err != nil {
		t.Fatal(err)
	}
	return set.Open(context.Background(), Request{Key: u, PIN: pin})
}

func mustOpen(t testing.TB, set *Tokens, ref string) *Key {
	t.Helper()
	k, err := open(t, set, ref, fixedPIN(testPIN))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func fixedPIN(pin string) PINSource {
	return func(context.Context, string) (PIN, error) { return PIN{bytes.Clone([]byte(pin)), "from a test"}, nil }
}

// sign makes a signature with SHA-256 and checks it.
func sign(k *Key) error { return signWith(k, crypto.SHA256) }

var messages atomic.Int64

func signWith(k *Key, opts crypto.SignerOpts) error {
	h := opts.HashFunc().New()
	fmt.Fprintf(h, "message %d", messages.Add(1)) // an answer to another's question is no answer
	digest := h.Sum(nil)
	sig, err := k.Sign(rand.Reader, digest, opts)
	if err != nil {
		return err
	}
	return check(k, digest, opts, sig)
}

func signMessage(k *Key, opts crypto.SignerOpts) error {
	h := opts.HashFunc().New()
	h.Write([]byte("message"))
	sig, err := k.SignMessage(rand.Reader, []byte("message"), opts)
	if err != nil {
		return err
	}
	return check(k, h.Sum(nil), opts, sig)
}

func check(k *Key, digest []byte, opts crypto.SignerOpts, sig []byte) error {
	switch pub := k.Leaf().PublicKey.(type) {
	case *rsa.PublicKey:
		if o, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(pub, o.Hash, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.VerifyPKCS1v15(pub, opts.HashFunc(), digest, sig)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(pub, digest, sig) {
			return rsa.ErrVerification
		}
	}
	return nil
}

// together signs n times at once and gives the errors.
func together(n int, keys ...*Key) (errs []error) {
	errs = make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = sign(keys[i%len(keys)]) })
	}
	all.Wait()
	return errs
}

// key makes an RSA key of an odd size, which crypto/rsa does not.
func key(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	e := big.NewInt(65537)
	for {
		p, err := rand.Prime(rand.Reader, (bits+1)/2)
		if err != nil {
			t.Fatal(err)
		}
		q, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		n := new(big.Int).Mul(p, q)
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, phi)
		if n.BitLen() == bits && d != nil {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, D: d, Primes: []*big.Int{p, q}}
		}
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
