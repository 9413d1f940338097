package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// scheme is what a signature is to be.
type scheme int

const (
	pkcs1 scheme = iota
	pss
	ecdsaRS
)

// input is what is to be signed: always a digest, and the message where the
// caller has it.
type input struct {
	hash    crypto.Hash
	digest  []byte
	message []byte // nil: not known
	salt    int

	handshake bool // it is for TLS
}

// method is one way to make a signature of a scheme with a mechanism. Tokens
// differ in which they have; the first that a token has is taken.
type method struct {
	mechanism uint64
	scheme    scheme
	hash      crypto.Hash // of a mechanism that hashes; 0: any
	prepare   func(pub crypto.PublicKey, in input) (data []byte, p *p11.PSS, err error)
}

type hashNumbers struct {
	hash                    crypto.Hash
	number, mgf             uint64
	rsa, rsaPSS, ecdsa      uint64
	pkcs1TLS, pssTLS, ecTLS tls.SignatureScheme
	digestInfo              []byte
}

var hashes = []hashNumbers{
	{crypto.SHA256, p11.SHA256, p11.MGFSHA256, p11.SHA256RSAPKCS, p11.SHA256RSAPKCSPSS, p11.ECDSASHA256,
		tls.PKCS1WithSHA256, tls.PSSWithSHA256, tls.ECDSAWithP256AndSHA256,
		[]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}},
	{crypto.SHA384, p11.SHA384, p11.MGFSHA384, p11.SHA384RSAPKCS, p11.SHA384RSAPKCSPSS, p11.ECDSASHA384,
		tls.PKCS1WithSHA384, tls.PSSWithSHA384, tls.ECDSAWithP384AndSHA384,
		[]byte{0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30}},
	{crypto.SHA512, p11.SHA512, p11.MGFSHA512, p11.SHA512RSAPKCS, p11.SHA512RSAPKCSPSS, p11.ECDSASHA512,
		tls.PKCS1WithSHA512, tls.PSSWithSHA512, tls.ECDSAWithP521AndSHA512,
		[]byte{0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40}},
}

func numbersOf(h crypto.Hash) (hashNumbers, bool) {
	for _, n := range hashes {
		if n.hash == h {
			return n, true
		}
	}
	return hashNumbers{}, false
}

// methods are all ways, the best first: the token pads, cmctl pads, the token
// hashes.
func methods() []method {
	list := []method{
		{p11.RSAPKCS, pkcs1, 0, digestInfo},
		{p11.RSAX509, pkcs1, 0, padPKCS1},
		{p11.RSAPKCSPSS, pss, 0, pssDigest},
		{p11.RSAX509, pss, 0, padPSS},
		{p11.ECDSA, ecdsaRS, 0, truncated},
	}
	for _, h := range hashes {
		list = append(list, method{h.rsa, pkcs1, h.hash, whole}, method{h.rsaPSS, pss, h.hash, wholePSS}, method{h.ecdsa, ecdsaRS, h.hash, whole})
	}
	return list
}

// methodsFor are the ways that a token has, given its mechanisms and those
// that the key allows (empty: all).
func methodsFor(token, key []uint64) (out []method) {
	for _, m := range methods() {
		if slices.Contains(token, m.mechanism) && (len(key) == 0 || slices.Contains(key, m.mechanism)) {
			out = append(out, m)
		}
	}
	return out
}

func (m method) makes(s scheme, h crypto.Hash) bool {
	return m.scheme == s && (m.hash == 0 || m.hash == h)
}

// tlsSchemes are the signatures that a key makes in TLS handshakes.
func tlsSchemes(pub crypto.PublicKey, have []method) (out []tls.SignatureScheme) {
	add := func(s scheme, name func(hashNumbers) tls.SignatureScheme) {
		for _, h := range hashes {
			if slices.ContainsFunc(have, func(m method) bool { return m.makes(s, h.hash) }) {
				out = append(out, name(h))
			}
		}
	}
	if _, ok := pub.(*ecdsa.PublicKey); ok {
		add(ecdsaRS, func(h hashNumbers) tls.SignatureScheme { return h.ecTLS })
		return out
	}
	add(pss, func(h hashNumbers) tls.SignatureScheme { return h.pssTLS })
	add(pkcs1, func(h hashNumbers) tls.SignatureScheme { return h.pkcs1TLS })
	return out
}

// schemeName is IANA's name of a scheme that tokens serve.
func schemeName(s tls.SignatureScheme) string {
	return map[tls.SignatureScheme]string{
		tls.PKCS1WithSHA256: "rsa_pkcs1_sha256", tls.PKCS1WithSHA384: "rsa_pkcs1_sha384", tls.PKCS1WithSHA512: "rsa_pkcs1_sha512",
		tls.PSSWithSHA256: "rsa_pss_rsae_sha256", tls.PSSWithSHA384: "rsa_pss_rsae_sha384", tls.PSSWithSHA512: "rsa_pss_rsae_sha512",
		tls.ECDSAWithP256AndSHA256: "ecdsa_secp256r1_sha256", tls.ECDSAWithP384AndSHA384: "ecdsa_secp384r1_sha384", tls.ECDSAWithP521AndSHA512: "ecdsa_secp521r1_sha512",
	}[s]
}

// whole gives the message to a mechanism that hashes by itself.
func whole(_ crypto.PublicKey, in input) ([]byte, *p11.PSS, error) {
	if in.message == nil {
		return nil, nil, exit.New(exit.Key, "", "the token wants to hash by itself, and only the digest is at hand")
	}
	return in.message, nil, nil
}

func wholePSS(pub crypto.PublicKey, in input) ([]byte, *p11.PSS, error) {
	data, _, err := whole(pub, in)
	if err != nil {
		return nil, nil, err
	}
	_, p, err := pssDigest(pub, in)
	return data, p, err
}

func digestInfo(_ crypto.PublicKey, in input) ([]byte, *p11.PSS, error) {
	n, ok := numbersOf(in.hash)
	if !ok {
		return nil, nil, badHash(in.hash)
	}
	return slices.Concat(n.digestInfo, in.digest), nil, nil
}

func badHash(h crypto.Hash) error {
	return exit.New(exit.Key, "", "the digest %s is not for signatures by a token", h)
}

// padPKCS1 is EMSA-PKCS1-v1_5 of RFC 8017, section 9.2.
func padPKCS1(pub crypto.PublicKey, in input) ([]byte, *p11.PSS, error) {
	t, _, err := digestInfo(pub, in)
	if err != nil {
		return nil, nil, err
	}
	key, ok := pub.(*rsa.PublicKey)
	if !ok || key.Size() < len(t)+11 {
		return nil, nil, exit.New(exit.Key, "", "the key is too short for the digest")
	}
	em := make([]byte, key.Size())
	em[1] = 1
	body := em[2 : len(em)-len(t)-1]
	for i := range body {
		body[i] = 0xff
	}
	copy(em[len(em)-len(t):], t)
	return em, nil, nil
}

// pssDigest leaves the padding to the token.
func pssDigest(_ crypto.PublicKey, in input) ([]byte, *p11.PSS, error) {
	n, ok := numbersOf(in.hash)
	if !ok {
		return nil, nil, badHash(in.hash)
	}
	return in.digest, &p11.PSS{Hash: n.number, MGF: n.mgf, Salt: uint64(in.salt)}, nil //nolint:gosec // a length
}

// padPSS is EMSA-PSS of RFC 8017, section 9.1.1, for tokens that only do bare
// RSA.
func padPSS(pub crypto.PublicKey, in input) ([]byte, *p11.PSS, error) {
	key, ok := pub.(*rsa.PublicKey)
	if !ok {
		return nil, nil, exit.New(exit.Key, "", "the public key is not known")
	}
	bits := key.N.BitLen() - 1
	size, hLen := (bits+7)/8, len(in.digest)
	if size < hLen+in.salt+2 {
		return nil, nil, exit.New(exit.Key, "", "the key is too short for the digest")
	}
	salt := make([]byte, in.salt)
	rand.Read(salt)
	h := in.hash.New()
	h.Write(make([]byte, 8))
	h.Write(in.digest)
	h.Write(salt)
	sum := h.Sum(nil)

	em := make([]byte, key.Size()) // one octet longer than size where the bits fall so
	block := em[len(em)-size:]
	db := block[:size-hLen-1]
	db[len(db)-in.salt-1] = 1
	copy(db[len(db)-in.salt:], salt)
	copy(block[len(db):], sum)
	block[size-1] = 0xbc
	for i, counter := 0, uint32(0); i < len(db); counter++ { // MGF1
		h.Reset()
		h.Write(sum)
		h.Write([]byte{byte(counter >> 24), byte(counter >> 16), byte(counter >> 8), byte(counter)})
		for _, b := range h.Sum(nil) {
			if i < len(db) {
				db[i] ^= b
				i++
			}
		}
	}
	db[0] &= 0xff >> (8*size - bits)
	return em, nil, nil
}

// truncated cuts a digest to the size of the curve's order, as ECDSA has it:
// some modules fail on a longer one.
func truncated(pub crypto.PublicKey, in input) ([]byte, *p11.PSS, error) {
	digest := in.digest
	if key, ok := pub.(*ecdsa.PublicKey); ok {
		if size := (key.Params().N.BitLen() + 7) / 8; len(digest) > size {
			digest = digest[:size]
		}
	}
	return digest, nil, nil
}

// finish turns what the token gave into the form of the scheme.
func (m method) finish(pub crypto.PublicKey, sig []byte) ([]byte, error) {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if len(sig) > key.Size() || len(sig) < key.Size()-8 {
			return nil, fmt.Errorf("the token gave a signature of %d octets", len(sig))
		}
		if short := key.Size() - len(sig); short > 0 { // leading zeros were dropped
			sig = append(make([]byte, short), sig...)
		}
		return sig, nil
	case *ecdsa.PublicKey:
		size := (key.Params().N.BitLen() + 7) / 8
		if len(sig) != 2*size {
			if isDER(sig) { // against the standard, and ready
				return sig, nil
			}
			if len(sig) == 0 || len(sig)%2 != 0 || len(sig) > 2*size {
				return nil, fmt.Errorf("the token gave a signature of %d octets", len(sig))
			}
			size = len(sig) / 2
		}
		r, s := new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(r)
			b.AddASN1BigInt(s)
		})
		return b.Bytes()
	}
	return sig, nil
}

func isDER(sig []byte) bool {
	var rs struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(sig, &rs)
	return err == nil && len(rest) == 0
}
