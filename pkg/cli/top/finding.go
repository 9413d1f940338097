package top

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// finding is one artefact found in a file: a certificate of a chain, a
// request, a key, a signed message. Members that its kind does not have are
// absent.
type finding struct {
	File      string      `json:"file"`
	Kind      string      `json:"kind"`
	Subject   string      `json:"subject,omitempty"`
	Issuer    string      `json:"issuer,omitempty"`
	Serial    pki.Serial  `json:"certificateserialnumber,omitempty"`
	ValidFrom string      `json:"validfrom,omitempty"` // of a CRL, this update
	ValidTo   string      `json:"validto,omitempty"`   // of a CRL, next update
	Type      string      `json:"subjectType,omitempty"`
	Names     []string    `json:"names,omitempty"` // subject alternative names
	KeyUsage  []string    `json:"keyusage,omitempty"`
	Key       string      `json:"key,omitempty"` // "RSA 2048", "EC P-256"
	Algorithm string      `json:"signaturealgorithm,omitempty"`
	AKI       string      `json:"authorityKeyIdentifier,omitempty"`
	SKI       string      `json:"subjectKeyIdentifier,omitempty"`
	SHA256    string      `json:"sha256,omitempty"` // of the DER; of the content for cms
	Encoding  string      `json:"encoding,omitempty"`
	Content   string      `json:"contenttype,omitempty"`
	Size      *int        `json:"contentsize,omitempty"`
	Signers   []cmsSigner `json:"signers,omitempty"`

	Holder     *holder           `json:"holder,omitempty"` // of an attribute certificate
	Attributes []attribute       `json:"attributes,omitempty"`
	Encryption string            `json:"encryption,omitempty"` // of a private key
	Opened     *bool             `json:"opened,omitempty"`     // whether the password opens it
	CRLNumber  string            `json:"crlnumber,omitempty"`
	Entries    *int              `json:"entries,omitempty"`   // of a CRL, key pairs of a package, certificates of a PKCS#12
	Operation  string            `json:"operation,omitempty"` // that a dataToSign is for
	Time       string            `json:"time,omitempty"`
	Nonce      string            `json:"nonce,omitempty"`
	Fields     []pki.SignedField `json:"fields,omitempty"`
	Problem    string            `json:"problem,omitempty"`
	Outline    []string          `json:"outline,omitempty"` // ASN.1 that has no reader here
}

// The kinds of findings.
const (
	kindCertificate  = "certificate"
	kindCSR          = "csr"
	kindUnsignedCSR  = "unsigned-csr"
	kindCMS          = "cms"
	kindPKCS12       = "pkcs12"
	kindAttrCert     = "attribute-certificate"
	kindSKIP         = "skip"
	kindKeyPair      = "key-pair"
	kindPrivateKey   = "private-key"
	kindEncryptedKey = "encrypted-private-key"
	kindPublicKey    = "public-key"
	kindCRL          = "crl"
	kindToSign       = "data-to-sign"
	kindASN1         = "asn1"
)

type cmsSigner struct {
	Issuer      string     `json:"issuer,omitempty"`
	Serial      pki.Serial `json:"certificateserialnumber,omitempty"`
	KeyID       string     `json:"subjectKeyIdentifier,omitempty"`
	Digest      string     `json:"digest"`
	Algorithm   string     `json:"signaturealgorithm"`
	SigningTime string     `json:"signingtime,omitempty"`
	Verified    bool       `json:"verified"`
	Problem     string     `json:"problem,omitempty"`
}

func (s cmsSigner) String() string {
	who := s.Issuer + " serial " + s.Serial.String()
	if s.KeyID != "" {
		who = "key " + s.KeyID
	}
	verdict := "signature verified"
	if !s.Verified {
		verdict = "NOT verified: " + s.Problem
	}
	return fmt.Sprintf("%s, %s with %s, %s", who, s.Algorithm, s.Digest, verdict)
}

// holder is whose attributes an attribute certificate states.
type holder struct {
	Issuer string     `json:"issuer,omitempty"` // of the base certificate
	Serial pki.Serial `json:"certificateserialnumber,omitempty"`
	Name   string     `json:"name,omitempty"`
	Digest bool       `json:"digest,omitempty"`
}

func (h *holder) String() string {
	var parts []string
	if h.Serial != "" {
		parts = append(parts, "certificate "+h.Serial.String()+" issued by "+h.Issuer)
	}
	if h.Name != "" {
		parts = append(parts, h.Name)
	}
	if h.Digest {
		parts = append(parts, "by a digest")
	}
	return strings.Join(parts, ", ")
}

type attribute struct {
	Type   string   `json:"type"`
	Values []string `json:"values"`
}

var findingNoun = output.Noun[finding]{
	Name:   "artefact",
	Schema: "artefact",
	ID:     func(d finding) string { return d.SHA256 },
	Fields: []output.Field[finding]{
		{Name: "kind", Value: func(d finding) string { return d.Kind }},
		{Name: "subject", Value: func(d finding) string { return d.Subject }},
		{Name: "issuer", Value: func(d finding) string { return d.Issuer }},
		{Name: "serial", Value: func(d finding) string { return d.Serial.String() }},
		{Name: "validfrom", Value: func(d finding) string { return d.ValidFrom }},
		{Name: "validto", Value: func(d finding) string { return d.ValidTo }},
		{Name: "type", Value: func(d finding) string { return d.Type }},
		{Name: "names", Value: func(d finding) string { return strings.Join(d.Names, ",") }},
		{Name: "keyusage", Value: func(d finding) string { return strings.Join(d.KeyUsage, ",") }},
		{Name: "key", Value: func(d finding) string { return d.Key }},
		{Name: "algorithm", Value: func(d finding) string { return d.Algorithm }},
		{Name: "aki", Value: func(d finding) string { return d.AKI }},
		{Name: "ski", Value: func(d finding) string { return d.SKI }},
		{Name: "sha256", Value: func(d finding) string { return d.SHA256 }},
		{Name: "content", Value: contentText},
		{Name: "signers", Value: func(d finding) string { return signersText(d.Signers) }},
		{Name: "file", Value: func(d finding) string { return d.File }},
		{Name: "holder", Value: holderText},
		{Name: "attributes", Value: attributesText},
		{Name: "encryption", Value: encryptionText},
		{Name: "operation", Value: func(d finding) string { return d.Operation }},
		{Name: "time", Value: func(d finding) string { return d.Time }},
		{Name: "fields", Value: fieldsText},
		{Name: "problem", Value: func(d finding) string { return d.Problem }, Tone: func(finding) output.Tone { return output.Bad }},
		{Name: "outline", Value: func(d finding) string { return strings.Join(d.Outline, "\n") }, Below: func(d finding) []string { return d.Outline }},
	},
}

func contentText(d finding) string {
	switch {
	case d.Size != nil:
		return fmt.Sprintf("%d bytes, type %s, in %s", *d.Size, d.Content, d.Encoding)
	case d.Entries == nil:
		return d.Content
	}
	n := strconv.Itoa(*d.Entries)
	switch d.Kind {
	case kindCRL:
		return n + " entries, number " + d.CRLNumber
	case kindSKIP:
		return n + " key pairs"
	}
	return n + " certificates and a private key"
}

func signersText(ss []cmsSigner) string {
	texts := make([]string, len(ss))
	for i, s := range ss {
		texts[i] = s.String()
	}
	return strings.Join(texts, "; ")
}

func holderText(d finding) string {
	if d.Holder == nil {
		return ""
	}
	return d.Holder.String()
}

func attributesText(d finding) string {
	texts := make([]string, len(d.Attributes))
	for i, a := range d.Attributes {
		texts[i] = a.Type + "=" + strings.Join(a.Values, "+")
	}
	return strings.Join(texts, ", ")
}

func encryptionText(d finding) string {
	switch {
	case d.Opened == nil:
		return d.Encryption
	case *d.Opened:
		return d.Encryption + "; the password opens it"
	}
	return d.Encryption + "; NOT opened"
}

func fieldsText(d finding) string {
	texts := make([]string, len(d.Fields))
	for i, f := range d.Fields {
		texts[i] = f.Name + "=" + f.Value
		if f.SHA256 != "" {
			texts[i] = f.Name + " with SHA-256 " + f.SHA256
		}
	}
	return strings.Join(texts, ", ")
}
