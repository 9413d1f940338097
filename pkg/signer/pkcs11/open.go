package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"slices"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

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
