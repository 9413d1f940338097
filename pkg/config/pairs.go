package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// Secret is the one source of a password or PIN that counts for a pair: when
// it turns out wrong, no other is tried. It prints as its origin, never as its
// value.
type Secret struct {
	Origin Origin
	File   string // its first line is the secret; empty: Value
	value  string
}

// Value is the secret itself when it came from a variable.
func (s *Secret) Value() string { return s.value }

// Format keeps the value out of every %v, %+v and %#v.
func (s *Secret) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "(secret of %s)", s.Origin)
}

// role is what a pair is for. Its keys in a context are those of TLS, with a
// prefix for signing.
type role struct {
	prefix string
	pin    string // value of its variable
	pinEnv string
}

func (r role) key(name string) string { return r.prefix + name }

// pairs decides both pairs and what opens them.
func (r *resolver) pairs(s *Settings) {
	tls := role{"", r.pin, "CMCTL_PIN"}
	sign := role{"sign-", r.signPIN, "CMCTL_SIGN_PIN"}

	tlsPair, tlsLevel := r.pair(tls)
	signPair, signLevel := r.pair(sign)
	r.keepOrigins(s, tls, tlsLevel)
	r.keepOrigins(s, sign, signLevel)
	if signPair.IsZero() {
		signPair, signLevel = tlsPair, tlsLevel
	}

	tlsPair.Secret = r.secret(tlsPair, tlsLevel, tls)
	signPair.Secret = r.secret(signPair, signLevel, sign)
	if signPair.Secret == nil && sameRef(tlsPair.ref(), signPair.ref()) {
		signPair.Secret = tlsPair.Secret
	}
	s.TLS, s.Sign = tlsPair, signPair
	for key, p := range map[string]Pair{"pin-file": tlsPair, "sign-pin-file": signPair} {
		delete(s.origins, key)
		if p.Secret != nil {
			s.origins[key] = p.Secret.Origin
		}
	}
}

// pair is what the highest level says that names a member; the other member is
// not looked for below, where it may belong to another key.
func (r *resolver) pair(ro role) (Pair, int) {
	levels := r.levels()
	for i, l := range levels {
		if p := l.pair(ro); !p.IsZero() {
			return p, i
		}
	}
	return Pair{}, len(levels)
}

func (l level) pair(ro role) Pair {
	p := Pair{Cert: l.values[ro.key("cert")], Key: l.values[ro.key("key")]}
	switch {
	case p.Key != "":
		p.Origin = Origin{l.origin(ro.key("key"))}
	case p.Cert != "":
		p.Origin = Origin{l.origin(ro.key("cert"))}
	}
	return p
}

// keepOrigins forgets members that a lower level names: they do not count.
func (r *resolver) keepOrigins(s *Settings, ro role, decided int) {
	for _, key := range []string{ro.key("cert"), ro.key("key")} {
		delete(s.origins, key)
		if levels := r.levels(); decided < len(levels) && levels[decided].values[key] != "" {
			s.origins[key] = Origin{levels[decided].origin(key)}
		}
	}
}

// owner is the pair that a level's secret was meant for: its own for the role,
// else, as signing follows TLS, its TLS pair.
func (l level) owner(ro role) Pair {
	if p := l.pair(ro); !p.IsZero() {
		return p
	}
	return l.pair(role{})
}

// secret finds what opens a pair: flag, variables, context. A secret belongs to
// the key beside which it was named. Tried on another card it would burn one of
// three tries, so where a higher level has put another key in the place, the
// secret is left alone.
func (r *resolver) secret(p Pair, decided int, ro role) *Secret {
	if p.IsZero() {
		return nil
	}
	key := ro.key("pin-file")
	if file := r.flags.values[key]; file != "" {
		return &Secret{Origin: Origin{r.flags.origin(key)}, File: file}
	}
	file := r.env.values[key]
	owner := r.env.owner(ro)
	foreign := decided == 0 && !owner.IsZero() && !sameRef(owner.ref(), p.ref())
	switch {
	case file == "" && ro.pin == "":
	case foreign:
		name := ro.pinEnv
		if file != "" {
			name = r.env.origin(key)
		}
		r.notices = append(r.notices, fmt.Sprintf("%s is not used: it belongs to %s, and %s names another key", name, owner.Origin, p.Origin))
	case file != "":
		return &Secret{Origin: Origin{r.env.origin(key)}, File: file}
	default:
		return &Secret{Origin: Origin{ro.pinEnv}, value: ro.pin}
	}
	file = r.context.values[key]
	if owner := r.context.owner(ro); file != "" && sameRef(owner.ref(), p.ref()) {
		return &Secret{Origin: Origin{r.context.origin(key)}, File: file}
	}
	return nil
}

// sameRef says whether two references name one file or surely one token.
func sameRef(a, b string) bool {
	switch {
	case a == "" || b == "":
		return false
	case uri.Is(a) != uri.Is(b):
		return false
	case uri.Is(a):
		return a == b || sameToken(a, b)
	}
	if one, err := filepath.Abs(a); err == nil {
		if other, err := filepath.Abs(b); err == nil && one == other {
			return true
		}
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// sameToken compares what two PKCS#11 URIs (RFC 7512) say about the token.
// Both have to say the same and enough to mean one: two URIs that name only
// keys may well be found on two cards.
func sameToken(a, b string) bool {
	one, other := tokenAttributes(a), tokenAttributes(b)
	if one["token"] == "" && one["serial"] == "" && one["slot-id"] == "" {
		return false
	}
	for _, attribute := range []string{"token", "serial", "slot-id", "manufacturer", "model", "module-path", "module-name"} {
		if one[attribute] != other[attribute] {
			return false
		}
	}
	return true
}

func tokenAttributes(ref string) map[string]string {
	attributes := map[string]string{}
	path, query, _ := strings.Cut(ref[len(uri.Scheme):], "?")
	for _, part := range append(strings.Split(path, ";"), strings.Split(query, "&")...) {
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		attributes[name] = value
	}
	return attributes
}
