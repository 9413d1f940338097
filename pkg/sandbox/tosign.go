package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// field is one field of a write as its dataToSign shows it. What is long or
// secret stands there as its SHA-256.
type field struct {
	name   string
	text   string
	digest []byte // of the value; then text is empty
}

func textField(name, value string) field { return field{name: name, text: value} }

func digestField(name string, value []byte) field {
	sum := sha256.Sum256(value)
	return field{name: name, digest: sum[:]}
}

const nonceLen = 16

// sealed is what a dataToSign of this gateway says. As ASN.1, in DER:
//
//	DataToSign ::= SEQUENCE {
//	    version    INTEGER (1),
//	    operation  UTF8String,             -- operationId
//	    fields     SEQUENCE OF Field,      -- in the order of the operation's definition
//	    time       GeneralizedTime,
//	    nonce      OCTET STRING (SIZE (16)),
//	    seal       OCTET STRING (SIZE (32)) } -- HMAC-SHA-256 over all before it
//	Field ::= SEQUENCE {
//	    name       UTF8String,
//	    value      CHOICE { text UTF8String, sha256 OCTET STRING } }
//
// The seal lets the gateway know its own octets again without keeping any of
// them; what it keeps is the nonces that were used.
type sealed struct {
	operation string
	fields    []byte // encoded
	time      time.Time
	nonce     []byte
}

func newSealed(operation string, fields []field, now time.Time) sealed {
	nonce := make([]byte, nonceLen)
	rand.Read(nonce) // never fails (crypto/rand)
	return sealed{operation, encodeFields(fields), now.UTC().Truncate(time.Second), nonce}
}

func encodeFields(fields []field) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, f := range fields {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addUTF8(b, f.name)
				if f.digest != nil {
					b.AddASN1OctetString(f.digest)
				} else {
					addUTF8(b, f.text)
				}
			})
		}
	})
	return b.BytesOrPanic()
}

func addUTF8(b *cryptobyte.Builder, s string) {
	b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
}

// encode is the dataToSign, sealed with key.
func (s sealed) encode(key []byte) []byte {
	var body cryptobyte.Builder
	body.AddASN1Int64(1)
	addUTF8(&body, s.operation)
	body.AddBytes(s.fields)
	body.AddASN1GeneralizedTime(s.time)
	body.AddASN1OctetString(s.nonce)
	inner := body.BytesOrPanic()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(inner)
		b.AddASN1OctetString(seal(key, inner))
	})
	return b.BytesOrPanic()
}

func seal(key, data []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	return mac.Sum(nil)
}

// openSealed reads a dataToSign back and checks that it was sealed with key.
func openSealed(der, key []byte) (sealed, error) {
	foreign := errors.New("what was signed is not a dataToSign of this gateway")
	in := cryptobyte.String(der)
	var outer, op, fields, nonce, mac cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() {
		return sealed{}, foreign
	}
	inner := outer
	var version int
	var s sealed
	if !outer.ReadASN1Integer(&version) || version != 1 || !outer.ReadASN1(&op, cbasn1.UTF8String) ||
		!outer.ReadASN1Element(&fields, cbasn1.SEQUENCE) || !outer.ReadASN1GeneralizedTime(&s.time) ||
		!outer.ReadASN1(&nonce, cbasn1.OCTET_STRING) {
		return sealed{}, foreign
	}
	inner = inner[:len(inner)-len(outer)]
	if !outer.ReadASN1(&mac, cbasn1.OCTET_STRING) || !outer.Empty() || !hmac.Equal(mac, seal(key, inner)) {
		return sealed{}, foreign
	}
	s.operation, s.fields, s.nonce = string(op), fields, nonce
	return s, nil
}
