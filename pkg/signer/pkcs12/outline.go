package pkcs12

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/internal/pbe"
)

// reader is what go-pkcs12 decrypts.
var reader = pbe.Reader{
	Schemes:   []string{pbe.SHA3DES3Key, pbe.SHARC2128, pbe.SHARC240},
	KDFs:      []string{pbe.PBKDF2},
	PRFs:      []string{pbe.HMACSHA1, pbe.HMACSHA256, pbe.HMACSHA512},
	Ciphers:   []string{pbe.AES128CBC, pbe.AES192CBC, pbe.AES256CBC},
	KeyLength: true,
}

const (
	oidData          = "1.2.840.113549.1.7.1"
	oidEncryptedData = "1.2.840.113549.1.7.6"
	oidKeyBag        = "1.2.840.113549.1.12.10.1.1"
	oidShroudedBag   = "1.2.840.113549.1.12.10.1.2"
	oidPBMAC1        = "1.2.840.113549.1.5.14"
)

// What go-pkcs12 verifies.
var macs = map[string]bool{
	"1.3.14.3.2.26": true, "2.16.840.1.101.3.4.2.1": true, "2.16.840.1.101.3.4.2.3": true, oidPBMAC1: true,
}

// outline is what a PKCS#12 file shows without its password.
type outline struct {
	mac           bool
	macOID        string
	macIterations int
	ber           bool // inside, where the MAC pins every byte
	foreign       string
	parts         int
	keys          int
	legacy        bool
	cause         string // of the first scheme that cannot be decrypted
}

// unsupported says in words what stands in the way, "" for nothing.
func (o outline) unsupported() string {
	switch {
	case o.foreign != "":
		return o.foreign
	case !o.mac:
		return "no MAC"
	case !macs[o.macOID]:
		return "a MAC by " + pbe.Name(o.macOID)
	case o.macIterations > pbe.MaxIterations:
		return fmt.Sprintf("a MAC of %d rounds", o.macIterations)
	case o.ber:
		return "BER encoding inside"
	case o.cause != "":
		return o.cause
	case o.keys > 1:
		return fmt.Sprintf("%d private keys", o.keys)
	case o.parts > 2:
		return fmt.Sprintf("its contents in %d parts, as certtool writes a chain", o.parts)
	}
	return ""
}

var (
	errDamaged = errors.New("it is damaged")
	explicit0  = cbasn1.Tag(0).ContextSpecific().Constructed()
)

func readOutline(der []byte) (outline, error) {
	var o outline
	var pfx, info, content, safe cryptobyte.String
	var kind string
	input := cryptobyte.String(der)
	if !input.ReadASN1(&pfx, cbasn1.SEQUENCE) || !input.Empty() || !pfx.SkipASN1(cbasn1.INTEGER) ||
		!pfx.ReadASN1(&info, cbasn1.SEQUENCE) || !pbe.ReadOID(&info, &kind) {
		return o, errDamaged
	}
	if kind != oidData {
		o.foreign = "a signature by a public key instead of a password"
		return o, nil
	}
	if !info.ReadASN1(&content, explicit0) || !content.ReadASN1(&content, cbasn1.OCTET_STRING) || !o.readMAC(pfx) {
		return o, errDamaged
	}
	if der, err := pki.DER(content); err == nil && !bytes.Equal(der, content) {
		o.ber = true
		return o, nil
	}
	if !content.ReadASN1(&safe, cbasn1.SEQUENCE) || !content.Empty() {
		return o, errDamaged
	}
	for !safe.Empty() {
		if !o.readPart(&safe) {
			return o, errDamaged
		}
		o.parts++
	}
	return o, nil
}

func (o *outline) readMAC(pfx cryptobyte.String) bool {
	if pfx.Empty() {
		return true
	}
	var mac, digest, algorithm cryptobyte.String
	o.mac = true
	o.macIterations = 1
	if !pfx.ReadASN1(&mac, cbasn1.SEQUENCE) || !mac.ReadASN1(&digest, cbasn1.SEQUENCE) ||
		!digest.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !mac.SkipASN1(cbasn1.OCTET_STRING) {
		return false
	}
	if !pbe.ReadOID(&algorithm, &o.macOID) || !mac.Empty() && !mac.ReadASN1Integer(&o.macIterations) {
		return false
	}
	if o.macOID == oidPBMAC1 {
		// The rounds are in the parameters, which are built like those of PBES2.
		var params, kdf, kdfParams cryptobyte.String
		if !algorithm.ReadASN1(&params, cbasn1.SEQUENCE) || !params.ReadASN1(&kdf, cbasn1.SEQUENCE) ||
			!kdf.SkipASN1(cbasn1.OBJECT_IDENTIFIER) || !kdf.ReadASN1(&kdfParams, cbasn1.SEQUENCE) ||
			!kdfParams.SkipASN1(cbasn1.OCTET_STRING) || !kdfParams.ReadASN1Integer(&o.macIterations) {
			return false
		}
	}
	return true
}

// readPart reads one ContentInfo of the authenticated safe.
func (o *outline) readPart(safe *cryptobyte.String) bool {
	var info, content, data cryptobyte.String
	var kind string
	if !safe.ReadASN1(&info, cbasn1.SEQUENCE) || !pbe.ReadOID(&info, &kind) || !info.ReadASN1(&content, explicit0) {
		return false
	}
	switch kind {
	case oidData:
		return content.ReadASN1(&data, cbasn1.OCTET_STRING) && o.readBags(data)
	case oidEncryptedData:
		var encrypted, inner, algorithm cryptobyte.String
		if !content.ReadASN1(&encrypted, cbasn1.SEQUENCE) || !encrypted.SkipASN1(cbasn1.INTEGER) ||
			!encrypted.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.SkipASN1(cbasn1.OBJECT_IDENTIFIER) ||
			!inner.ReadASN1(&algorithm, cbasn1.SEQUENCE) {
			return false
		}
		return o.note(algorithm)
	}
	o.foreign = "contents encrypted to a public key instead of a password"
	return true
}

func (o *outline) readBags(data cryptobyte.String) bool {
	var bags cryptobyte.String
	if !data.ReadASN1(&bags, cbasn1.SEQUENCE) {
		return false
	}
	for !bags.Empty() {
		var bag, value, shrouded, algorithm cryptobyte.String
		var kind string
		if !bags.ReadASN1(&bag, cbasn1.SEQUENCE) || !pbe.ReadOID(&bag, &kind) || !bag.ReadASN1(&value, explicit0) {
			return false
		}
		switch kind {
		case oidShroudedBag:
			o.keys++
			if !value.ReadASN1(&shrouded, cbasn1.SEQUENCE) || !shrouded.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !o.note(algorithm) {
				return false
			}
		case oidKeyBag:
			o.keys++
		}
	}
	return true
}

// note remembers what of an encryption the library cannot do.
func (o *outline) note(algorithm cryptobyte.String) bool {
	s, err := pbe.Parse(algorithm)
	if err != nil {
		return false
	}
	o.legacy = o.legacy || s.Legacy()
	if cause := reader.Unsupported(s); cause != "" && o.cause == "" {
		o.cause = cause
	}
	return true
}
