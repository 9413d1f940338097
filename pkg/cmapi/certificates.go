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
	if err = c.takeState(o); err != nil {
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
	c.Subject, c.Issuer, c.Serial = text("subject"), text("issuer"), readSerial(text("certificateserialnumber"))
	c.SubjectType, c.ValidFrom, c.ValidTo = text("subjectType"), date("validfrom"), date("validto")
	c.AKI, c.SKI = strings.ToLower(text("authorityKeyIdentifier")), strings.ToLower(text("subjectKeyIdentifier"))
	if err == nil {
		c.KeyUsage, err = o.texts("keyusage")
	}
	if f, ok := o.take("extendedcertsearch"); ok {
		c.Fields = bytes.Clone(f) // the answer it is a part of is long
	}
	c.Extra = o.rest()
	return err
}

// readState reads what ListStates tells.
func (c *Certificate) readState(raw []byte, o *object) error {
	if err := o.UnmarshalJSON(raw); err != nil {
		return err
	}
	return c.takeState(o)
}

func (c *Certificate) takeState(o *object) (err error) {
	*c = Certificate{}
	if c.CertID, err = o.text("certid"); err != nil {
		return err
	}
	status, err := o.text("status")
	if err != nil {
		return err
	}
	reason, err := o.text("reason")
	if err != nil {
		return err
	}
	c.Status, c.Reason = strings.ToLower(strings.TrimSpace(status)), readReason(reason)
	c.RevocationTime, err = o.time("revocationtime")
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
