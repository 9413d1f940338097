package pki

import (
	"encoding/hex"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DataToSign is what the sandbox asks an officer to sign, as docs/sandbox.md
// describes it. A gateway of CM has a form of its own, which is not public.
type DataToSign struct {
	Operation string // operationId
	Fields    []SignedField
	Time      time.Time
	Nonce     string // hex
}

// SignedField is one field of the write: its value, or the SHA-256 of one that
// is long or secret.
type SignedField struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// ParseDataToSign reads a dataToSign of the sandbox. The seal at its end is
// the sandbox's own matter and not judged.
func ParseDataToSign(der []byte) (*DataToSign, error) {
	bad := errors.New("this is no dataToSign of the sandbox")
	var body, operation, fields, nonce cryptobyte.String
	var version int
	d := &DataToSign{}
	input := cryptobyte.String(der)
	if !input.ReadASN1(&body, asn1.SEQUENCE) || !input.Empty() ||
		!body.ReadASN1Integer(&version) || version != 1 || !body.ReadASN1(&operation, asn1.UTF8String) ||
		!body.ReadASN1(&fields, asn1.SEQUENCE) || !body.ReadASN1GeneralizedTime(&d.Time) ||
		!body.ReadASN1(&nonce, asn1.OCTET_STRING) || !body.SkipASN1(asn1.OCTET_STRING) || !body.Empty() {
		return nil, bad
	}
	d.Operation, d.Nonce = string(operation), hex.EncodeToString(nonce)
	for !fields.Empty() {
		var field, name, value cryptobyte.String
		var tag asn1.Tag
		if !fields.ReadASN1(&field, asn1.SEQUENCE) || !field.ReadASN1(&name, asn1.UTF8String) ||
			!field.ReadAnyASN1(&value, &tag) || !field.Empty() {
			return nil, bad
		}
		f := SignedField{Name: string(name)}
		switch tag {
		case asn1.UTF8String:
			f.Value = string(value)
		case asn1.OCTET_STRING:
			f.SHA256 = hex.EncodeToString(value)
		default:
			return nil, bad
		}
		d.Fields = append(d.Fields, f)
	}
	return d, nil
}
