package pkcs11

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// wanted says which key of a token is meant.
type wanted struct {
	key   *uri.URI
	certs []*x509.Certificate // named apart; nil: those on the token
}

// fits tells whether a pair is what is wanted. While the token hides private
// keys, a key's label may only be told by its certificate or public key.
func (w wanted) fits(p *pair, loggedIn bool) bool {
	if loggedIn && p.private == nil || !p.signs() {
		return false
	}
	if !matches(p, w.key, loggedIn) {
		return false
	}
	return w.certs == nil || len(w.certificates(p)) > 0
}

// matches compares a pair with the URI's attributes of objects.
func matches(p *pair, u *uri.URI, loggedIn bool) bool {
	candidates := p.objects()
	if u.Type != nil {
		switch *u.Type {
		case uri.TypeCert:
			candidates = p.certs
		case uri.TypePublic:
			candidates = nil
			if p.public != nil {
				candidates = []*object{p.public}
			}
		case uri.TypePrivate:
			if p.private != nil {
				candidates = []*object{p.private}
			} else if loggedIn {
				candidates = nil
			}
		default:
			candidates = nil
		}
	}
	hasID, hasLabel := u.ID == nil, u.Object == nil
	for _, o := range candidates {
		hasID = hasID || bytes.Equal(u.ID, o.ID)
		hasLabel = hasLabel || sameLabel(*u.Object, o.Label)
	}
	return len(candidates) > 0 && hasID && hasLabel
}

func sameLabel(a, b string) bool {
	return strings.TrimRight(a, " \x00") == strings.TrimRight(b, " \x00")
}

// certificates are those of a pair that are wanted.
func (w wanted) certificates(p *pair) (out []*x509.Certificate) {
	if w.certs != nil {
		return named(w.certs, p)
	}
	byURI := w.key.Type != nil && *w.key.Type == uri.TypeCert
	for _, o := range p.certs {
		if !byURI || certFits(o, w.key) {
			out = append(out, o.cert)
		}
	}
	return out
}

// named are those of the certificates named apart that a pair's key has. Where
// the token tells nothing of the public half, it is the first one that may be,
// and the first signature will tell: the first of an end entity, for the rest
// is its chain, or the very first, for an officer's own certificate may be
// marked as a CA's.
func named(certs []*x509.Certificate, p *pair) (out []*x509.Certificate) {
	if p.pub != nil {
		for _, c := range certs {
			if equal(c.PublicKey, p.pub) {
				out = append(out, c)
			}
		}
		return out
	}
	leaves := slices.DeleteFunc(slices.Clone(certs), func(c *x509.Certificate) bool { return c.IsCA })
	if len(leaves) == 0 {
		leaves = certs[:min(1, len(certs))]
	}
	for _, c := range leaves {
		if p.mayHave(c.PublicKey) {
			return []*x509.Certificate{c}
		}
	}
	return nil
}

// certFits tells whether a URI's attributes of objects are a certificate's.
func certFits(o *object, u *uri.URI) bool {
	return (u.Type == nil || *u.Type == uri.TypeCert) && (u.ID == nil || bytes.Equal(u.ID, o.ID)) && (u.Object == nil || sameLabel(*u.Object, o.Label))
}

// choice is a pair and where it is.
type choice struct {
	place place
	pair  *pair
}

// one gives the choice when there is no other. The same key stored twice is
// one.
func one(choices []choice) (choice, bool) {
	if len(choices) == 0 {
		return choice{}, false
	}
	first := choices[0]
	for _, c := range choices[1:] {
		if c.place.mod != first.place.mod || c.place.slot.ID != first.place.slot.ID || !equal(c.pair.pub, first.pair.pub) {
			return choice{}, false
		}
	}
	return first, true
}

// uri names the key, as short as does: by id where the token has no other key
// of that id, else by label too.
func (c choice) uri(among []*pair) *uri.URI {
	u := c.place.uri()
	typ := uri.TypePrivate
	u.Type = &typ
	id, label := c.pair.id(), c.pair.label()
	shared := func(same func(*pair) bool) bool {
		return slices.ContainsFunc(among, func(p *pair) bool { return p != c.pair && same(p) })
	}
	if len(id) > 0 {
		u.ID = id
	}
	if label != "" && (len(id) == 0 || shared(func(p *pair) bool { return bytes.Equal(p.id(), id) })) {
		u.Object = &label
	}
	if len(id) == 0 && shared(func(p *pair) bool { return label == "" || p.label() == label }) {
		u.ID, u.Object = []byte{}, &label // "without id" tells it from the others
	}
	return u
}

// mostListed bounds what an error lists.
const mostListed = 20

// ambiguous lists what a URI may mean.
func ambiguous(u *uri.URI, choices []choice) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s fits %d keys, and cmctl does not guess", Describe(u), len(choices))
	for i, c := range choices {
		if i == mostListed {
			fmt.Fprintf(&b, "\n  and %d more", len(choices)-i)
			break
		}
		var among []*pair // of the same token
		for _, other := range choices {
			if !spread([]choice{c, other}) {
				among = append(among, other.pair)
			}
		}
		fmt.Fprintf(&b, "\n  %s  %s", c.uri(among), keyType(c.pair.pub, c.pair.private))
		if leaf := newest(c.pair.certificates()); leaf != nil {
			fmt.Fprintf(&b, "  %s, valid to %s", pki.DN(leaf.RawSubject), pki.FormatTime(leaf.NotAfter))
		}
	}
	what := "id or object"
	if spread(choices) {
		what = "token or serial"
	}
	return exit.New(exit.Key, "name one of them: add its "+what+" to the URI", "%s", b.String())
}

// tooMany lists tokens that a URI fits, when keys cannot be told apart without
// a login: a PIN belongs to one token.
func tooMany(u *uri.URI, places []place) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s fits %d tokens, and none shows the key without a PIN", Describe(u), len(places))
	for _, p := range places {
		fmt.Fprintf(&b, "\n  %s", p.uri())
	}
	return exit.New(exit.Key, "name one of them: add its token or serial to the URI", "%s", b.String())
}

// notTheirs says that keys which a URI fits belong to none of the certificates.
func notTheirs(w wanted, others []choice) error {
	var b strings.Builder
	fmt.Fprintf(&b, "no key that %s fits belongs to the certificate", Describe(w.key))
	for i, c := range others {
		if i == mostListed {
			break
		}
		fmt.Fprintf(&b, "\n  there is %s  %s", c.uri([]*pair{c.pair}), keyType(c.pair.pub, c.pair.private))
	}
	return exit.New(exit.Key, "name the certificate and the key that belong together", "%s", b.String())
}

// none says that a token has no such key, and what it has.
func none(w wanted, p place, pairs []*pair, loggedIn bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s has no key that fits %s", p.name(), Describe(w.key))
	if w.certs != nil {
		b.WriteString(" and belongs to the certificate")
	}
	n := 0
	for _, x := range pairs {
		if loggedIn && x.private == nil {
			continue
		}
		if n++; n > mostListed {
			b.WriteString("\n  and more")
			break
		}
		fmt.Fprintf(&b, "\n  there is %s  %s", choice{p, x}.uri(pairs), keyType(x.pub, x.private))
		if !x.signs() {
			b.WriteString("  (not for signing)")
		}
	}
	hint := "correct the URI; `cmctl key list` shows what is there"
	if n == 0 {
		b.WriteString(": it has none")
		hint = "is this the right token? `cmctl key list` shows what is there"
	}
	if w.certs != nil {
		hint = "name the certificate and the key that belong together"
	}
	return exit.New(exit.Key, hint, "%s", b.String())
}
