package pki

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Piece is one artefact of a file.
type Piece struct {
	Kind  Kind
	DER   []byte     // of an encrypted block with a Proc-Type header, what it holds
	Block *pem.Block // nil when it was not PEM
}

// HoldsCertificates tells what certificates may be read from.
func (p Piece) HoldsCertificates() bool {
	return p.Kind == Certificate || p.Kind == PKCS7 || p.Kind == CMS
}

var (
	errDamagedPEM = errors.New("a PEM block in it is damaged or cut off")
	errUTF16      = errors.New("it is UTF-16 text; save it as UTF-8 or ASCII")
)

// Split takes a file apart: the blocks of a PEM file, else the one element of
// a DER or bare Base64 file. Text around PEM blocks is allowed, as OpenSSL
// writes it, half a block is not: encoding/pem would skip it without a word.
func Split(data []byte) ([]Piece, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, errUTF16
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// ASN.1 first: a signed message may hold PEM text.
	der, err := DER(data)
	switch {
	case err == nil:
	case bytes.Contains(data, []byte("-----BEGIN")):
		return splitPEM(data)
	default:
		if decoded, ok := bareBase64(data); ok {
			der, err = DER(decoded)
		}
	}
	if err != nil {
		return nil, err
	}
	return []Piece{{Kind: identifyDER(der), DER: der}}, nil
}

func splitPEM(data []byte) ([]Piece, error) {
	var pieces []Piece
	for {
		block, rest := pem.Decode(data)
		skipped := data
		if block != nil {
			// What was consumed ends with the block; a second BEGIN in it
			// belongs to a block that was skipped.
			skipped = data[:len(data)-len(rest)]
			if bytes.Count(skipped, []byte("-----BEGIN")) > 1 {
				return nil, errDamagedPEM
			}
		} else {
			if bytes.Contains(skipped, []byte("-----BEGIN")) {
				return nil, errDamagedPEM
			}
			return pieces, nil
		}
		p, err := pemPiece(block)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
		data = rest
	}
}

func pemPiece(block *pem.Block) (Piece, error) {
	p := Piece{Kind: pemKinds[block.Type], DER: block.Bytes, Block: block}
	switch {
	case block.Type == "PKCS7" || block.Type == "CMS" || block.Type == "PKCS #7 SIGNED DATA":
		der, err := DER(block.Bytes)
		if err != nil {
			return p, err
		}
		p.DER, p.Kind = der, identifyDER(der)
	case block.Type == "TRUSTED CERTIFICATE":
		// OpenSSL appends its trust settings to the certificate.
		input := cryptobyte.String(block.Bytes)
		var element cryptobyte.String
		if input.ReadASN1Element(&element, asn1.SEQUENCE) {
			p.DER = element
		}
	case p.Kind == CSR && identifyDER(block.Bytes) == UnsignedCSR:
		p.Kind = UnsignedCSR
	case p.Kind == PrivateKey && strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		p.Kind = EncryptedPrivateKey
	}
	return p, nil
}

// bareBase64 decodes Base64 without armour, in one line or many.
func bareBase64(data []byte) ([]byte, bool) {
	text := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, string(data))
	if len(text) < 8 {
		return nil, false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	return decoded, err == nil
}
