package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// object is a token's object with what was read from it.
type object struct {
	p11.Object
	cert *x509.Certificate
	pub  crypto.PublicKey // nil: the attributes do not tell
}

// read makes sense of objects. Certificates that cannot be read are left out:
// tokens hold empty ones.
func read(raw []p11.Object) []*object {
	var out []*object
	for _, r := range raw {
		o := &object{Object: r}
		if r.Class == p11.ClassCertificate {
			cert, err := x509.ParseCertificate(trimmed(r.Value))
			if err != nil {
				continue
			}
			o.cert, o.pub = cert, cert.PublicKey
		} else {
			o.pub = publicKey(r)
		}
		out = append(out, o)
	}
	return out
}

// trimmed cuts what some cards pad a certificate with.
func trimmed(der []byte) []byte {
	var whole asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &whole); err == nil {
		return der[:len(der)-len(rest)]
	}
	return der
}

func publicKey(o p11.Object) crypto.PublicKey {
	switch {
	case o.KeyType == nil:
		return nil
	case *o.KeyType == p11.KeyRSA:
		n, e := new(big.Int).SetBytes(o.Modulus), new(big.Int).SetBytes(o.Exponent)
		if n.BitLen() < 512 || !e.IsInt64() || e.Int64() < 3 || e.BitLen() > 31 {
			return nil
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}
	case *o.KeyType == p11.KeyEC:
		curve := curveOf(o.ECParams)
		if curve == nil {
			return nil
		}
		point := o.ECPoint
		var inner []byte // the standard wraps the point in an OCTET STRING, some modules do not
		if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
			point = inner
		}
		pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
		if err != nil {
			return nil
		}
		return pub
	}
	return nil
}

type namedCurve struct {
	oid   asn1.ObjectIdentifier
	curve elliptic.Curve
}

// curves is no variable: making a curve costs every start a tenth of a millisecond.
func curves() []namedCurve {
	return []namedCurve{
		{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256()},
		{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384()},
		{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521()},
	}
}

func curveOf(params []byte) elliptic.Curve {
	for _, c := range curves() {
		if der, err := asn1.Marshal(c.oid); err == nil && bytes.Equal(params, der) {
			return c.curve
		}
	}
	return nil
}

// keyType is a key's type in words: RSA-2048, P-256.
func keyType(pub crypto.PublicKey, o *object) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return k.Params().Name
	case nil:
	default:
		return fmt.Sprintf("%T", k)
	}
	if o == nil || o.KeyType == nil {
		return ""
	}
	switch *o.KeyType {
	case p11.KeyRSA:
		return "RSA"
	case p11.KeyEC:
		if c := curveOf(o.ECParams); c != nil {
			return c.Params().Name
		}
		return "EC"
	}
	return fmt.Sprintf("key type 0x%x", *o.KeyType)
}

func equal(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && k.Equal(b)
}

// pair is a key on a token with all that belongs to it. private is nil while
// the token hides it.
type pair struct {
	private, public *object
	certs           []*object
	pub             crypto.PublicKey
}

// group puts keys and certificates together: by public key where it is known,
// else by CKA_ID. A certificate of a CA makes no pair by itself.
func group(objects []*object) []*pair {
	var pairs []*pair
	sameKey := func(o *object) *pair {
		for _, p := range pairs {
			if p.pub != nil && equal(p.pub, o.pub) {
				return p
			}
		}
		return nil
	}
	// sameID is the one pair with this CKA_ID whose public key is not known:
	// with two of them, the id decides nothing.
	sameID := func(o *object) *pair {
		var found *pair
		for _, p := range pairs {
			if len(o.ID) > 0 && p.pub == nil && bytes.Equal(p.id(), o.ID) && p.typeFits(o) {
				if found != nil {
					return nil
				}
				found = p
			}
		}
		return found
	}
	of := func(class uint64) (out []*object) {
		for _, o := range objects {
			if o.Class == class {
				out = append(out, o)
			}
		}
		return out
	}
	for _, o := range of(p11.ClassPrivateKey) {
		pairs = append(pairs, &pair{private: o, pub: o.pub})
	}
	for _, o := range of(p11.ClassPublicKey) {
		p := sameKey(o)
		switch {
		case p != nil && p.public != nil: // twice the same
			continue
		case p == nil:
			p = sameID(o)
		}
		if p == nil {
			p = &pair{}
			pairs = append(pairs, p)
		}
		p.public = o
		if p.pub == nil {
			p.pub = o.pub
		}
	}
	for _, o := range of(p11.ClassCertificate) {
		p := sameKey(o)
		if p == nil {
			p = sameID(o)
		}
		if p == nil {
			if o.cert.IsCA {
				continue
			}
			p = &pair{}
			pairs = append(pairs, p)
		}
		p.certs = append(p.certs, o)
		if p.pub == nil {
			p.pub = o.pub
		}
	}
	return wed(pairs)
}

// wed puts a private key that tells nothing of its public half, nor an id, to
// the one public half without id that has none: the first signature proves it.
func wed(pairs []*pair) []*pair {
	for _, kind := range []uint64{p11.KeyRSA, p11.KeyEC} {
		is := func(o *object) bool { k := keyKind(o); return k != nil && *k == kind }
		var private, rest []*pair
		for _, p := range pairs {
			switch {
			case len(p.id()) > 0:
			case p.private != nil && p.pub == nil && is(p.private):
				private = append(private, p)
			case p.private == nil && is(p.objects()[0]):
				rest = append(rest, p)
			}
		}
		if len(private) == 1 && len(rest) == 1 {
			rest[0].private = private[0].private
			pairs = slices.DeleteFunc(pairs, func(p *pair) bool { return p == private[0] })
		}
	}
	return pairs
}

// id is the pair's CKA_ID: the key's, since certificates may have another.
func (p *pair) id() []byte {
	for _, o := range p.objects() {
		if len(o.ID) > 0 {
			return o.ID
		}
	}
	return nil
}

// objects are the pair's, the key's own first.
func (p *pair) objects() (out []*object) {
	for _, o := range []*object{p.private, p.public} {
		if o != nil {
			out = append(out, o)
		}
	}
	return append(out, p.certs...)
}

func (p *pair) label() string {
	for _, o := range p.objects() {
		if o.Label != "" {
			return o.Label
		}
	}
	return ""
}

// typeFits keeps an EC certificate from an RSA key that happens to share its id.
func (p *pair) typeFits(o *object) bool {
	have := keyKind(p.private)
	if have == nil {
		have = keyKind(p.public)
	}
	want := keyKind(o)
	return have == nil || want == nil || *have == *want
}

// mayHave tells whether a public key can be that of a pair that does not show
// its own: type and curve rule out some.
func (p *pair) mayHave(pub crypto.PublicKey) bool {
	for _, o := range []*object{p.private, p.public} {
		if o == nil || o.KeyType == nil {
			continue
		}
		switch k := pub.(type) {
		case *rsa.PublicKey:
			return *o.KeyType == p11.KeyRSA
		case *ecdsa.PublicKey:
			curve := curveOf(o.ECParams)
			return *o.KeyType == p11.KeyEC && (len(o.ECParams) == 0 || curve == k.Curve)
		}
		return false
	}
	return true
}

func keyKind(o *object) *uint64 {
	if o == nil {
		return nil
	}
	kind := uint64(p11.KeyRSA)
	switch o.pub.(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		kind = p11.KeyEC
	default:
		return o.KeyType
	}
	return &kind
}

// signs tells whether the key may sign, as far as the token tells.
func (p *pair) signs() bool { return p.private == nil || p.private.Sign == nil || *p.private.Sign }

// newest is the certificate that is valid longest: a renewed one for the same
// key is the one to use.
func newest(certs []*x509.Certificate) *x509.Certificate {
	var best *x509.Certificate
	for _, c := range certs {
		if best == nil || c.NotAfter.After(best.NotAfter) {
			best = c
		}
	}
	return best
}

func (p *pair) certificates() (out []*x509.Certificate) {
	for _, o := range p.certs {
		out = append(out, o.cert)
	}
	return out
}
