package cmapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/pki"
)

// Certificates calls the operations on certificates.
type Certificates struct{ c *Client }

// Values of Certificate.Status that the API's prose names.
const (
	StatusActive  = "active"
	StatusRevoked = "revoked"
)

// Certificate is what CM knows of one certificate (JsonCertificate), with
// values brought to one form: Status in lower case, Reason a word of RFC 5280
// where it is one, serial and key identifiers lower-case hex with leading
// zeros kept, times UTC. A value that the gateway left out is zero.
type Certificate struct {
	CertID         string
	Subject        string
	Issuer         string
	Serial         pki.Serial // certificateserialnumber
	SubjectType    string     // EE or CA
	ValidFrom      time.Time
	ValidTo        time.Time
	Status         string // active or revoked; a certificate on hold is revoked
	Reason         string // keyCompromise, certificateHold, ...
	RevocationTime time.Time
	KeyUsage       []string
	AKI            string          // authorityKeyIdentifier
	SKI            string          // subjectKeyIdentifier
	Fields         json.RawMessage // extendedcertsearch, an object or a list
	Extra          map[string]json.RawMessage
}

// OnHold tells a certificate on hold: revoked with reason certificateHold.
func (c *Certificate) OnHold() bool {
	return c.Status == StatusRevoked && c.Reason == pki.CertificateHold.String()
}

// UnmarshalJSON reads every form that gateways are known to answer with.
func (c *Certificate) UnmarshalJSON(raw []byte) error { return c.read(raw, new(object)) }

// read is UnmarshalJSON with an object that others have used.
func (c *Certificate) read(raw []byte, o *object) (err error) {
	if err = o.UnmarshalJSON(raw); err != nil {
		return err
	}
	text := func(name string) (s string) {
		if err == nil {
			s, err = o.text(name)
		}
		return s
	}
	date := func(name string) (t time.Time) {
		if err == nil {
			t, err = o.time(name)
		}
		return t
	}
	*c = Certificate{
		CertID: text("certid"), Subject: text("subject"), Issuer: text("issuer"),
		Serial: readSerial(text("certificateserialnumber")), SubjectType: text("subjectType"),
		ValidFrom: date("validfrom"), ValidTo: date("validto"),
		Status: strings.ToLower(strings.TrimSpace(text("status"))), Reason: readReason(text("reason")),
		RevocationTime: date("revocationtime"),
		AKI:            strings.ToLower(text("authorityKeyIdentifier")), SKI: strings.ToLower(text("subjectKeyIdentifier")),
	}
	if err == nil {
		c.KeyUsage, err = o.texts("keyusage")
	}
	if f, ok := o.take("extendedcertsearch"); ok {
		c.Fields = bytes.Clone(f) // the answer it is a part of is long
	}
	c.Extra = o.rest()
	return err
}

// MarshalJSON writes the API's names in a fixed order, then unknown members.
func (c Certificate) MarshalJSON() ([]byte, error) { return c.AppendJSON(nil) }

// AppendJSON appends what MarshalJSON gives.
func (c Certificate) AppendJSON(dst []byte) ([]byte, error) {
	m := members{buf: append(dst, '{')}
	m.text("certid", c.CertID)
	m.text("subject", c.Subject)
	m.text("issuer", c.Issuer)
	m.text("certificateserialnumber", c.Serial.String())
	m.text("subjectType", c.SubjectType)
	m.time("validfrom", c.ValidFrom)
	m.time("validto", c.ValidTo)
	m.text("status", c.Status)
	m.text("reason", c.Reason)
	m.time("revocationtime", c.RevocationTime)
	m.texts("keyusage", c.KeyUsage)
	m.text("authorityKeyIdentifier", c.AKI)
	m.text("subjectKeyIdentifier", c.SKI)
	if len(c.Fields) > 0 {
		m.raw("extendedcertsearch", c.Fields)
	}
	m.extra(c.Extra)
	return m.bytes()
}

// readReason turns a name or a code into the word of RFC 5280; what is
// neither stays as it is (docs/api-notes.md, 7).
func readReason(s string) string {
	if s == "" {
		return ""
	}
	if r, err := pki.ParseReason(s); err == nil {
		return r.String()
	}
	return s
}

// readSerial takes the serial as answered: hex, perhaps with colons or upper
// case. What is not hex is kept as it is.
func readSerial(s string) pki.Serial {
	if n, err := pki.ParseHexSerial(s); err == nil {
		return n
	}
	return pki.Serial(s)
}
