// Package pbe reads how a private key or a PKCS#12 file is encrypted, and
// names in words what a reader library cannot decrypt. The libraries answer
// "wrong password" or an object identifier there, which helps no officer.
package pbe

import (
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers, as text.
const (
	PBES2  = "1.2.840.113549.1.5.13"
	PBKDF2 = "1.2.840.113549.1.5.12"
	Scrypt = "1.3.6.1.4.1.11591.4.11"

	HMACSHA1   = "1.2.840.113549.2.7"
	HMACSHA256 = "1.2.840.113549.2.9"
	HMACSHA512 = "1.2.840.113549.2.11"

	AES128CBC = "2.16.840.1.101.3.4.1.2"
	AES192CBC = "2.16.840.1.101.3.4.1.22"
	AES256CBC = "2.16.840.1.101.3.4.1.42"
	DES3CBC   = "1.2.840.113549.3.7"

	SHA3DES3Key = "1.2.840.113549.1.12.1.3"
	SHARC2128   = "1.2.840.113549.1.12.1.5"
	SHARC240    = "1.2.840.113549.1.12.1.6"
)

var names = map[string]string{
	"1.2.840.113549.1.5.1":  "PBES1 (MD2, DES)",
	"1.2.840.113549.1.5.3":  "PBES1 (MD5, DES)",
	"1.2.840.113549.1.5.4":  "PBES1 (MD2, RC2)",
	"1.2.840.113549.1.5.6":  "PBES1 (MD5, RC2)",
	"1.2.840.113549.1.5.10": "PBES1 (SHA-1, DES)",
	"1.2.840.113549.1.5.11": "PBES1 (SHA-1, RC2)",

	"1.2.840.113549.1.12.1.1": "PKCS#12 encryption with 128-bit RC4",
	"1.2.840.113549.1.12.1.2": "PKCS#12 encryption with 40-bit RC4",
	SHA3DES3Key:               "PKCS#12 encryption with 3-key 3DES",
	"1.2.840.113549.1.12.1.4": "PKCS#12 encryption with 2-key 3DES",
	SHARC2128:                 "PKCS#12 encryption with 128-bit RC2",
	SHARC240:                  "PKCS#12 encryption with 40-bit RC2",

	"2.16.840.1.101.3.4.2.4": "SHA-224",
	"2.16.840.1.101.3.4.2.2": "SHA-384",
	"1.2.840.113549.2.5":     "MD5",
	"1.2.643.7.1.1.2.2":      "GOST",

	PBKDF2: "PBKDF2", Scrypt: "scrypt",

	HMACSHA1:                    "hmacWithSHA1",
	"1.2.840.113549.2.8":        "hmacWithSHA224",
	HMACSHA256:                  "hmacWithSHA256",
	"1.2.840.113549.2.10":       "hmacWithSHA384",
	HMACSHA512:                  "hmacWithSHA512",
	"1.2.840.113549.2.6":        "hmacWithMD5",
	"1.2.643.7.1.1.4.1":         "hmacWithGOST-256",
	"1.2.643.7.1.1.4.2":         "hmacWithGOST-512",
	AES128CBC:                   "AES-128-CBC",
	AES192CBC:                   "AES-192-CBC",
	AES256CBC:                   "AES-256-CBC",
	DES3CBC:                     "3DES-CBC",
	"1.3.14.3.2.7":              "DES-CBC",
	"1.2.840.113549.3.2":        "RC2-CBC",
	"2.16.840.1.101.3.4.1.6":    "AES-128-GCM",
	"2.16.840.1.101.3.4.1.26":   "AES-192-GCM",
	"2.16.840.1.101.3.4.1.46":   "AES-256-GCM",
	"1.2.392.200011.61.1.1.1.2": "Camellia-128-CBC",
	"1.2.392.200011.61.1.1.1.4": "Camellia-256-CBC",
	"1.2.410.200046.1.1.2":      "ARIA-128-CBC",
	"1.2.410.200046.1.1.12":     "ARIA-256-CBC",
}

// Name is an object identifier in words, or itself.
func Name(oid string) string {
	if n, ok := names[oid]; ok {
		return n
	}
	return "the algorithm " + oid
}

// Scheme is an encryption by password, taken from its AlgorithmIdentifier.
type Scheme struct {
	OID                 string
	KDF, PRF, Cipher    string // PBES2 only
	IV                  int    // octets
	Iterations          int    // PBKDF2 and PKCS#12; of scrypt, N
	BlockSize, Parallel int    // scrypt
	KeyLength           bool   // PBKDF2 states the key length
}

// Reader is what a library can decrypt. PBES2 parts are listed apart.
type Reader struct {
	Schemes, KDFs, PRFs, Ciphers []string
	KeyLength                    bool
}

// MaxIterations bounds the work that a file can ask for: about ten seconds.
const MaxIterations = 10_000_000

// Unsupported says in words what of s the reader does not decrypt, "" for
// nothing.
func (r Reader) Unsupported(s Scheme) string {
	if s.Iterations < 0 || s.Iterations > MaxIterations || s.KDF == Scrypt && (s.Iterations > 1<<20 || s.BlockSize > 32 || s.Parallel > 64) {
		return fmt.Sprintf("a key derivation with %d rounds", s.Iterations)
	}
	if s.OID != PBES2 {
		if slices.Contains(r.Schemes, s.OID) {
			return ""
		}
		return Name(s.OID)
	}
	switch {
	case !slices.Contains(r.KDFs, s.KDF):
		return "PBES2 with " + Name(s.KDF)
	case s.KDF == PBKDF2 && !slices.Contains(r.PRFs, s.PRF):
		return "PBES2 with " + Name(s.PRF)
	case !slices.Contains(r.Ciphers, s.Cipher):
		return "PBES2 with " + Name(s.Cipher)
	case s.KeyLength && !r.KeyLength:
		return "PBES2 with a stated key length"
	}
	return ""
}

// Legacy tells whether OpenSSL 3 needs its legacy provider for s.
func (s Scheme) Legacy() bool {
	return s.OID != PBES2 && s.OID != SHA3DES3Key && s.OID != "1.2.840.113549.1.12.1.4" || s.Cipher == "1.3.14.3.2.7" || s.Cipher == "1.2.840.113549.3.2"
}

// Parse reads the content of an AlgorithmIdentifier.
func Parse(algorithm cryptobyte.String) (Scheme, error) {
	damaged := fmt.Errorf("the encryption parameters are damaged")
	var s Scheme
	var params cryptobyte.String
	if !ReadOID(&algorithm, &s.OID) {
		return s, damaged
	}
	if !algorithm.ReadASN1(&params, cbasn1.SEQUENCE) {
		return s, nil // no parameters known here: s.OID says enough
	}
	if s.OID != PBES2 {
		if params.SkipASN1(cbasn1.OCTET_STRING) && !params.ReadASN1Integer(&s.Iterations) {
			return s, damaged
		}
		return s, nil
	}
	var kdf, cipher, iv cryptobyte.String
	if !params.ReadASN1(&kdf, cbasn1.SEQUENCE) || !ReadOID(&kdf, &s.KDF) ||
		!params.ReadASN1(&cipher, cbasn1.SEQUENCE) || !ReadOID(&cipher, &s.Cipher) || !params.Empty() {
		return s, damaged
	}
	if cipher.PeekASN1Tag(cbasn1.OCTET_STRING) && cipher.ReadASN1(&iv, cbasn1.OCTET_STRING) {
		s.IV = len(iv)
	}
	if !s.readKDF(kdf) {
		return s, damaged
	}
	return s, nil
}

func (s *Scheme) readKDF(kdf cryptobyte.String) bool {
	var params, prf cryptobyte.String
	switch s.KDF {
	case PBKDF2:
		s.PRF = HMACSHA1 // the default of RFC 8018
		if !kdf.ReadASN1(&params, cbasn1.SEQUENCE) || !params.SkipASN1(cbasn1.OCTET_STRING) || !params.ReadASN1Integer(&s.Iterations) {
			return false
		}
		if params.PeekASN1Tag(cbasn1.INTEGER) {
			s.KeyLength = true
			params.SkipASN1(cbasn1.INTEGER)
		}
		return params.Empty() || params.ReadASN1(&prf, cbasn1.SEQUENCE) && ReadOID(&prf, &s.PRF)
	case Scrypt:
		return kdf.ReadASN1(&params, cbasn1.SEQUENCE) && params.SkipASN1(cbasn1.OCTET_STRING) &&
			params.ReadASN1Integer(&s.Iterations) && params.ReadASN1Integer(&s.BlockSize) && params.ReadASN1Integer(&s.Parallel)
	}
	return true
}

// ReadOID reads an object identifier in its dotted form.
func ReadOID(s *cryptobyte.String, out *string) bool {
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return false
	}
	*out = oid.String()
	return true
}
