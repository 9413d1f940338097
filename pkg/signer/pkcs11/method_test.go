package pkcs11

import (
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

func pssOf(h crypto.Hash) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
}

// Whatever a token has, its key signs with that, and TLS is offered no more
// than that.
func TestMechanisms(t *testing.T) {
	const tls12 = tls.VersionTLS12
	rsaTLS := "rsa_pss_rsae_sha256 rsa_pss_rsae_sha384 rsa_pss_rsae_sha512 rsa_pkcs1_sha256 rsa_pkcs1_sha384 rsa_pkcs1_sha512"
	pkcs1TLS := "rsa_pkcs1_sha256 rsa_pkcs1_sha384 rsa_pkcs1_sha512"
	ecTLS := "ecdsa_secp256r1_sha256 ecdsa_secp384r1_sha384 ecdsa_secp521r1_sha512"
	type made struct{ pkcs1, pss, message, messagePSS string } // by SHA-256, 384 and 512: + or - each
	for _, c := range []struct {
		name    string
		key     crypto.Signer
		token   []uint64
		allowed []uint64
		schemes string
		max     uint16
		want    made
		last    string
	}{
		{"all, RSA", keyRSA(), everything, nil, rsaTLS, 0, made{"+++", "+++", "+++", "+++"}, "CKM_RSA_PKCS_PSS"},
		{"no PSS", keyRSA(), []uint64{p11.RSAPKCS}, nil, pkcs1TLS, tls12, made{"+++", "---", "+++", "---"}, "CKM_RSA_PKCS"},
		{"bare RSA: padded here", keyRSA(), []uint64{p11.RSAX509}, nil, rsaTLS, 0, made{"+++", "+++", "+++", "+++"}, "CKM_RSA_X_509"},
		{"PKCS#1 and bare RSA", keyRSA(), []uint64{p11.RSAPKCS, p11.RSAX509}, nil, rsaTLS, 0, made{"+++", "+++", "+++", "+++"}, "CKM_RSA_X_509"},
		{"hashes by itself", keyRSA(), []uint64{p11.SHA256RSAPKCS}, nil, "rsa_pkcs1_sha256", tls12, made{"---", "---", "+--", "---"}, "CKM_SHA256_RSA_PKCS"},
		{"hashes by itself, PSS too", keyRSA(), []uint64{p11.SHA256RSAPKCS, p11.SHA256RSAPKCSPSS}, nil, "rsa_pss_rsae_sha256 rsa_pkcs1_sha256", 0, made{"---", "---", "+--", "+--"}, "CKM_SHA256_RSA_PKCS_PSS"},
		{"the key allows less", keyRSA(), everything, []uint64{p11.SHA256RSAPKCS}, "rsa_pkcs1_sha256", tls12, made{"---", "---", "+--", "---"}, "CKM_SHA256_RSA_PKCS"},
		{"PSS only", keyRSA(), []uint64{p11.RSAPKCSPSS}, nil, "rsa_pss_rsae_sha256 rsa_pss_rsae_sha384 rsa_pss_rsae_sha512", 0, made{"---", "+++", "---", "+++"}, "CKM_RSA_PKCS_PSS"},
		{"all, P-256", keyEC(), everything, nil, ecTLS, 0, made{"+++", "+++", "+++", "+++"}, "CKM_ECDSA"},
		{"P-384", keyEC2(), []uint64{p11.ECDSA}, nil, ecTLS, 0, made{"+++", "+++", "+++", "+++"}, "CKM_ECDSA"},
		{"P-521", keyEC5(), []uint64{p11.ECDSA}, nil, ecTLS, 0, made{"+++", "+++", "+++", "+++"}, "CKM_ECDSA"},
		{"ECDSA that hashes by itself", keyEC(), []uint64{p11.ECDSASHA256}, nil, "ecdsa_secp256r1_sha256", 0, made{"---", "---", "+--", "+--"}, "CKM_ECDSA_SHA256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, slot := card(t)
			slot.mechs = c.token
			slot.objects = []*fakeObject{private(1, "\x01", "", c.key), cert(t, 2, "\x01", "", "Officer", c.key)}
			slot.objects[0].Mechanisms = c.allowed
			k := mustOpen(t, f.set(t, Config{}), key1)
			if err := k.Unlock(t.Context()); err != nil {
				t.Fatal(err)
			}
			var schemes []string
			for _, s := range k.TLSSchemes() {
				schemes = append(schemes, schemeName(s))
			}
			if got := strings.Join(schemes, " "); got != c.schemes || k.MaxTLS() != c.max {
				t.Errorf("TLS: %s up to %x; want %s up to %x", got, k.MaxTLS(), c.schemes, c.max)
			}
			try := func(do func(*Key, crypto.SignerOpts) error, pss bool) (out string) {
				for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
					var opts crypto.SignerOpts = h
					if pss {
						opts = pssOf(h)
					}
					switch err := do(k, opts); {
					case err == nil:
						out += "+"
					case exit.Of(err) == exit.Key && strings.Contains(err.Error(), "cannot make a signature"):
						out += "-"
					default:
						out += err.Error()
					}
				}
				return out
			}
			got := made{try(signWith, false), try(signWith, true), try(signMessage, false), try(signMessage, true)}
			if got != c.want {
				t.Errorf("made %+v, want %+v", got, c.want)
			}
			if n, last := k.Used(); last != c.last || n == 0 {
				t.Errorf("%d signatures, the last by %s, want %s", n, last, c.last)
			}
		})
	}
}

// A token whose list promises more than it does.
func TestListThatLies(t *testing.T) {
	for _, code := range []p11.RV{p11.MechanismInvalid, p11.MechanismParam, p11.FunctionNotSupported} {
		f, slot := card(t)
		k := mustOpen(t, f.set(t, Config{}), key1)
		bad := 0
		slot.onSign = func(int) error {
			if bad++; bad == 1 {
				return code
			}
			return nil
		}
		for range 3 {
			if err := signWith(k, pssOf(crypto.SHA256)); err != nil {
				t.Fatal(err)
			}
		}
		if n, last := k.Used(); n != 3 || last != "CKM_RSA_X_509" || bad != 4 {
			t.Errorf("%d signatures, the last by %s, %d tries", n, last, bad)
		}
	}
	f, slot := card(t)
	slot.mechs = []uint64{p11.RSAPKCS}
	slot.onSign = func(int) error { return p11.KeyNotPermitted }
	want := problem{name + " does not sign: CKR_KEY_FUNCTION_NOT_PERMITTED (0x68)", "", exit.Key}
	if got := problemOf(sign(mustOpen(t, f.set(t, Config{}), key1))); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNoMechanism(t *testing.T) {
	f, slot := card(t)
	slot.mechs = []uint64{p11.RSAPKCS}
	_, err := open(t, f.set(t, Config{}), key2, nil)
	want := problem{name + " has no way to sign with its key of type P-256: it lists no mechanism that cmctl knows", "use another key, or another module for this token", exit.Key}
	if got := problemOf(err); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	slot.mechs = []uint64{p11.SHA256RSAPKCS}
	err = signMessage(mustOpen(t, f.set(t, Config{}), key1), crypto.SHA512)
	want = problem{name + " cannot make a signature by RSA with SHA-512", "it signs with SHA-256: set sign-digest in the context", exit.Key}
	if got := problemOf(err); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestKeysThatAreNoUse(t *testing.T) {
	const hint = "RSA keys from 2048 bits, P-256, P-384 and P-521 keys are supported on tokens"
	for text, key := range map[string]crypto.Signer{
		"the RSA key on " + name + " has 1024 bits, which is too small":      keySmall(),
		"the key on " + name + " is of a kind that is not supported (P-224)": key224(),
	} {
		f, slot := card(t)
		slot.objects = []*fakeObject{cert(t, 2, "\x01", "", "Officer", key)}
		_, err := open(t, f.set(t, Config{}), key1, nil)
		if got := problemOf(err); got != (problem{text, hint, exit.Key}) {
			t.Errorf("got %+v, want %s", got, text)
		}
	}
}

func TestWrongDigest(t *testing.T) {
	f, _ := card(t)
	k := mustOpen(t, f.set(t, Config{}), key1)
	for _, c := range []struct {
		digest []byte
		hash   crypto.Hash
	}{{nil, crypto.SHA256}, {make([]byte, 33), crypto.SHA256}, {make([]byte, 20), crypto.SHA1}, {make([]byte, 32), 0}} {
		if _, err := k.Sign(nil, c.digest, c.hash); exit.Of(err) != exit.Key {
			t.Errorf("%d octets for %s: %v", len(c.digest), c.hash, err)
		}
	}
	if f.logins != 0 {
		t.Error("the PIN was entered for nothing")
	}
}

// What tokens give, against the standard or not.
func TestFinish(t *testing.T) {
	half := func(b byte) []byte { return slices.Repeat([]byte{b}, 32) }
	der := []byte{0x30, 6, 2, 1, 5, 2, 1, 7}
	for _, c := range []struct {
		name string
		pub  crypto.PublicKey
		in   []byte
		want string
	}{
		{"RSA", keyRSA().Public(), slices.Repeat([]byte{1}, 256), strings.Repeat("01", 256)},
		{"RSA, leading zero dropped", keyRSA().Public(), slices.Repeat([]byte{1}, 255), "00" + strings.Repeat("01", 255)},
		{"RSA, too long", keyRSA().Public(), make([]byte, 257), "error"},
		{"RSA, nothing", keyRSA().Public(), nil, "error"},
		{"EC", keyEC().Public(), append(half(0x81), half(1)...), "3045022100" + strings.Repeat("81", 32) + "0220" + strings.Repeat("01", 32)},
		{"EC, zeros dropped from both halves", keyEC().Public(), []byte{5, 7}, "3006020105020107"},
		{"EC, DER", keyEC().Public(), der, "3006020105020107"},
		{"EC, odd", keyEC().Public(), make([]byte, 63), "error"},
		{"EC, too long", keyEC().Public(), make([]byte, 66), "error"},
		{"EC, nothing", keyEC().Public(), nil, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sig, err := method{}.finish(c.pub, c.in)
			got := fmt.Sprintf("%x", sig)
			if err != nil {
				got = "error"
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// The paddings made here, for every size of key that they meet.
func TestPaddings(t *testing.T) {
	for bits := 2041; bits <= 2049; bits++ { // PSS depends on the bits modulo 8
		k := key(t, bits)
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			d := h.New().Sum(nil)
			for scheme, pad := range map[string]func(crypto.PublicKey, input) ([]byte, *p11.PSS, error){"PKCS#1": padPKCS1, "PSS": padPSS} {
				em, _, err := pad(&k.PublicKey, input{hash: h, digest: d, salt: h.Size()})
				if err != nil {
					t.Fatal(err)
				}
				sig, err := software(k, p11.SignRequest{Mechanism: p11.RSAX509, Data: em})
				if err != nil {
					t.Fatalf("%d bits, %s: %v", bits, scheme, err)
				}
				if scheme == "PSS" {
					err = rsa.VerifyPSS(&k.PublicKey, h, d, sig, &rsa.PSSOptions{SaltLength: h.Size()})
				} else {
					err = rsa.VerifyPKCS1v15(&k.PublicKey, h, d, sig)
				}
				if err != nil {
					t.Errorf("%d bits, %s with %s: %v", bits, scheme, h, err)
				}
			}
		}
	}
	small := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 499), E: 3}
	for _, pad := range []func(crypto.PublicKey, input) ([]byte, *p11.PSS, error){padPKCS1, padPSS} {
		if _, _, err := pad(small, input{hash: crypto.SHA512, digest: make([]byte, 64), salt: 64}); err == nil {
			t.Error("padded for a key that is too short")
		}
	}
}
