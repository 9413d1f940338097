package pki

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Kind is what sort of artefact bytes are.
type Kind int

// The kinds that Identify tells apart.
const (
	Unknown Kind = iota
	Empty
	Certificate
	Certificates // PEM with several
	CSR
	PKCS7 // certificates in a SignedData that nobody signed
	CMS
	PKCS12
	PrivateKey
	EncryptedPrivateKey
	PublicKey
	OpenSSHKey
	JavaKeyStore
	CRL
	AttributeCertificate
	UnsignedCSR // the part of a request that would be signed, alone
	ToSign      // a dataToSign as the sandbox makes it
)

var kindWords = map[Kind]string{
	Unknown:              "of no known kind",
	Empty:                "empty",
	Certificate:          "a certificate",
	Certificates:         "a bundle of certificates",
	CSR:                  "a certificate request (CSR)",
	PKCS7:                "a PKCS#7 certificate bundle",
	CMS:                  "a CMS (PKCS#7) message",
	PKCS12:               "a PKCS#12 file",
	PrivateKey:           "a private key",
	EncryptedPrivateKey:  "an encrypted private key",
	PublicKey:            "a public key",
	OpenSSHKey:           "an OpenSSH key",
	JavaKeyStore:         "a Java keystore (JKS)",
	CRL:                  "a certificate revocation list (CRL)",
	AttributeCertificate: "an attribute certificate",
	UnsignedCSR:          "an unsigned certificate request",
	ToSign:               "a dataToSign of the sandbox",
}

// String is the kind in words, with its article: "a private key".
func (k Kind) String() string { return kindWords[k] }

// Identify tells what data is: PEM by its first telling block, where
// certificates come before keys, else DER or Base64 by its ASN.1 shape. It
// judges the outline only; the readers judge the content.
func Identify(data []byte) Kind {
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return Empty
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}), bytes.HasPrefix(data, []byte{0xce, 0xce, 0xce, 0xce}):
		return JavaKeyStore
	case isOpenSSH(data):
		return OpenSSHKey
	}
	pieces, err := Split(data)
	if err != nil {
		return Unknown
	}
	found, certificates := Unknown, 0
	for _, p := range pieces {
		switch {
		case p.Kind == Certificate:
			certificates++
		case found == Unknown:
			found = p.Kind
		}
	}
	switch {
	case certificates > 1:
		return Certificates
	case certificates == 1:
		return Certificate
	}
	return found
}

func isOpenSSH(data []byte) bool {
	for _, prefix := range []string{"ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-", "-----BEGIN OPENSSH ", "---- BEGIN SSH2 "} {
		if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(prefix)) {
			return true
		}
	}
	return false
}

var pemKinds = map[string]Kind{
	"CERTIFICATE":             Certificate,
	"X509 CERTIFICATE":        Certificate,
	"TRUSTED CERTIFICATE":     Certificate,
	"CERTIFICATE REQUEST":     CSR,
	"NEW CERTIFICATE REQUEST": CSR,
	"PRIVATE KEY":             PrivateKey,
	"RSA PRIVATE KEY":         PrivateKey,
	"EC PRIVATE KEY":          PrivateKey,
	"DSA PRIVATE KEY":         PrivateKey,
	"ENCRYPTED PRIVATE KEY":   EncryptedPrivateKey,
	"OPENSSH PRIVATE KEY":     OpenSSHKey,
	"PUBLIC KEY":              PublicKey,
	"RSA PUBLIC KEY":          PublicKey,
	"X509 CRL":                CRL,
	"ATTRIBUTE CERTIFICATE":   AttributeCertificate,
	"PKCS12":                  PKCS12,
}

// The first octets of every PKCS#7 content type but the last arc.
var oidPKCS7 = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07}[:8:8]

// identifyDER tells the kind of one DER element by its outline.
func identifyDER(der []byte) Kind {
	var outer cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&outer, asn1.SEQUENCE) {
		return Unknown
	}
	tags := outline(outer)
	var first, second cryptobyte.String
	var tag asn1.Tag
	rest := outer
	_ = rest.ReadAnyASN1(&first, &tag) && rest.ReadAnyASN1(&second, &tag)

	switch tags.at(0) {
	case asn1.OBJECT_IDENTIFIER:
		if len(first) == len(oidPKCS7)+1 && bytes.HasPrefix(first, oidPKCS7) {
			return identifyPKCS7(first[len(oidPKCS7)], second)
		}
	case asn1.INTEGER:
		switch {
		case tags.at(1) == asn1.SEQUENCE && isPFX(first, second):
			return PKCS12
		case tags.at(1) == asn1.SEQUENCE && tags.at(2) == asn1.OCTET_STRING, // PKCS#8
			tags.at(1) == asn1.OCTET_STRING,                          // SEC1
			tags.at(1) == asn1.INTEGER && tags.at(2) == asn1.INTEGER: // PKCS#1
			return PrivateKey
		case tags.at(1) == asn1.INTEGER && len(tags) == 2:
			return PublicKey
		case tags.at(1) == asn1.SEQUENCE && tags.at(2) == asn1.SEQUENCE && identifySigned(outer) == CSR:
			return UnsignedCSR
		case tags.at(1) == asn1.UTF8String && tags.at(3) == asn1.GeneralizedTime && len(tags) == 6:
			return ToSign
		}
	case asn1.SEQUENCE:
		switch {
		case tags.at(1) == asn1.BIT_STRING && len(tags) == 2:
			return PublicKey
		case tags.at(1) == asn1.OCTET_STRING && len(tags) == 2:
			return EncryptedPrivateKey
		case tags.at(1) == asn1.SEQUENCE && tags.at(2) == asn1.BIT_STRING && len(tags) == 3:
			return identifySigned(first)
		}
	}
	return Unknown
}

// identifySigned tells the structures that are SIGNED{} apart by what they
// sign: certificate, request, CRL, attribute certificate.
func identifySigned(tbs cryptobyte.String) Kind {
	tags := outline(tbs)
	switch tags.at(0) {
	case asn1.Tag(0).ContextSpecific().Constructed():
		return Certificate
	case asn1.SEQUENCE: // the CRL's version is optional
		return CRL
	}
	var version, second cryptobyte.String
	if !tbs.ReadASN1(&version, asn1.INTEGER) || !tbs.ReadASN1(&second, asn1.SEQUENCE) {
		return Unknown
	}
	algorithm := outline(second).at(0) == asn1.OBJECT_IDENTIFIER
	switch {
	case algorithm && (tags.at(3) == asn1.UTCTime || tags.at(3) == asn1.GeneralizedTime):
		return CRL
	case algorithm && tags.at(3) == asn1.SEQUENCE:
		return Certificate // version 1: no version field
	case !algorithm && tags.at(2) == asn1.SEQUENCE:
		return CSR
	case !algorithm && tags.at(2) == asn1.Tag(0).ContextSpecific().Constructed():
		return AttributeCertificate
	}
	return Unknown
}

func isPFX(version, authSafe cryptobyte.String) bool {
	return len(version) == 1 && version[0] == 3 && bytes.HasPrefix(authSafe, append([]byte{0x06, 0x09}, oidPKCS7...))
}

// identifyPKCS7 parts a certificate bundle from a signed message.
func identifyPKCS7(arc byte, explicit cryptobyte.String) Kind {
	if arc != 2 {
		return CMS
	}
	sd, err := readSignedData(explicit)
	if err == nil && sd.unsigned && sd.certificates != nil {
		return PKCS7
	}
	return CMS
}

// tagList is the tags of the elements one level down.
type tagList []asn1.Tag

func (l tagList) at(i int) asn1.Tag {
	if i < len(l) {
		return l[i]
	}
	return 0
}

// outline lists the first eight tags: more decide nothing.
func outline(s cryptobyte.String) tagList {
	var tags tagList
	for !s.Empty() && len(tags) < 8 {
		var element cryptobyte.String
		var tag asn1.Tag
		if !s.ReadAnyASN1(&element, &tag) {
			return nil
		}
		tags = append(tags, tag)
	}
	return tags
}
