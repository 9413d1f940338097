package pemfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/internal/pbe"
)

// encrypted makes a PKCS#8 key with few rounds, as DER.
func encrypted(t testing.TB, cipher pkcs8.Cipher, kdf pkcs8.KDFOpts) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := pkcs8.MarshalPrivateKey(key, []byte("1234"), &pkcs8.Opts{Cipher: cipher, KDFOpts: kdf})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

var few = pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 2, HMACHash: crypto.SHA256}

// rebuild encodes an encrypted PKCS#8 key around what a test changes.
func rebuild(rounds int64, iv, ciphertext []byte) []byte {
	var b cryptobyte.Builder
	oid := func(b *cryptobyte.Builder, id ...int) { b.AddASN1ObjectIdentifier(id) }
	seq := func(b *cryptobyte.Builder, f func(*cryptobyte.Builder)) { b.AddASN1(casn1.SEQUENCE, f) }
	seq(&b, func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			oid(b, 1, 2, 840, 113549, 1, 5, 13)
			seq(b, func(b *cryptobyte.Builder) {
				seq(b, func(b *cryptobyte.Builder) {
					oid(b, 1, 2, 840, 113549, 1, 5, 12)
					seq(b, func(b *cryptobyte.Builder) {
						b.AddASN1OctetString([]byte("saltsalt"))
						b.AddASN1Int64(rounds)
						seq(b, func(b *cryptobyte.Builder) { oid(b, 1, 2, 840, 113549, 2, 9) })
					})
				})
				seq(b, func(b *cryptobyte.Builder) {
					oid(b, 2, 16, 840, 1, 101, 3, 4, 1, 42)
					b.AddASN1OctetString(iv)
				})
			})
		})
		b.AddASN1OctetString(ciphertext)
	})
	return b.BytesOrPanic()
}

// The library panics on some of these and works for hours on one.
func TestOddPKCS8(t *testing.T) {
	iv, text := make([]byte, 16), make([]byte, 32)
	const damaged = "the encrypted private key in f is damaged"
	tests := []struct {
		name string
		der  []byte
		err  string // of Read; empty: Decrypt must refuse
	}{
		{"well formed", rebuild(2, iv, text), ""},
		{"short IV", rebuild(2, iv[:15], text), damaged},
		{"no IV", rebuild(2, nil, text), damaged},
		{"half a block", rebuild(2, iv, text[:24]), damaged},
		{"no ciphertext", rebuild(2, iv, nil), damaged},
		{"cut off", rebuild(2, iv, text)[:40], "f cannot be read: the data is not ASN.1 or is cut off"},
		{"endless", rebuild(1<<31, iv, text), "the private key in f is encrypted with a key derivation with 2147483648 rounds, which is not supported"},
		{"negative rounds", rebuild(-1, iv, text), "the private key in f is encrypted with a key derivation with -1 rounds, which is not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Read("f", tt.der)
			if err != nil {
				if err.Error() != tt.err || exit.Of(err) != exit.Key {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if tt.err != "" {
				t.Fatalf("no error, want %s", tt.err)
			}
			if _, err := f.Key.Decrypt([]byte("1234")); !errors.Is(err, ErrWrongPassword) {
				t.Errorf("Decrypt: %v", err)
			}
		})
	}
}

func TestDecryptEmpty(t *testing.T) {
	f, err := Read("f", encrypted(t, pkcs8.AES128CBC, few))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Key.Decrypt(nil); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("an empty password: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encrypted(f, pkcs8.AES256CBC, few))
	f.Add(encrypted(f, pkcs8.TripleDESCBC, pkcs8.ScryptOpts{SaltSize: 8, CostParameter: 2, BlockSize: 1, ParallelizationParameter: 1}))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		file, err := Read("f", data)
		if err != nil || file.Key == nil {
			return
		}
		if !file.Key.Encrypted {
			_, _ = file.Key.Plain()
			return
		}
		if s, _, err := readPKCS8(file.Key.der); file.Key.block != nil || err == nil && s.Iterations < 1000 && s.KDF == pbe.PBKDF2 {
			_, _ = file.Key.Decrypt([]byte("1234"))
		}
	})
}
