package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParseRequest reads a PKCS#10 request: DER, PEM, or Base64 with or without
// line breaks. The signature must be right, and nothing may follow.
func ParseRequest(raw []byte) (*x509.CertificateRequest, error) {
	der, err := requestDER(raw)
	if err != nil {
		return nil, err
	}
	csr, err := x509.ParseCertificateRequest(der) // refuses what follows, too
	if err != nil {
		return nil, fmt.Errorf("the request cannot be decoded: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("the request's signature is wrong: %w", err)
	}
	return csr, nil
}

func requestDER(raw []byte) ([]byte, error) {
	text := bytes.TrimSpace(raw)
	switch {
	case len(text) == 0:
		return nil, errors.New("the request is empty")
	case len(raw) > 1 && raw[0] == 0x30: // no Base64, in which a SEQUENCE starts with M
		return raw, nil
	case bytes.HasPrefix(text, []byte("-----")):
		block, rest := pem.Decode(text)
		switch {
		case block == nil:
			return nil, errors.New("the request's PEM cannot be decoded")
		case block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST":
			return nil, fmt.Errorf("a request is wanted, not PEM of type %q", block.Type)
		case len(bytes.TrimSpace(rest)) > 0:
			return nil, errors.New("something follows the request")
		}
		return block.Bytes, nil
	}
	// Fields drops line breaks and the indentation that some tools add.
	packed := bytes.Join(bytes.Fields(text), nil)
	der := make([]byte, base64.StdEncoding.DecodedLen(len(packed)))
	n, err := base64.StdEncoding.Strict().Decode(der, packed)
	if err != nil {
		return nil, errors.New("the request is neither DER nor PEM nor Base64")
	}
	return der[:n], nil
}
