package cmapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Secret is text that is sent and never printed: every way of formatting shows
// a mask.
type Secret string

// Format keeps the value out of every %v, %+v, %#v and %s.
func (Secret) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(masked)) }

// HMACKey is the key of an ACME registration. It is sent in URL-safe Base64
// without padding (docs/api-notes.md, 25) and never printed.
type HMACKey [32]byte

// ParseHMACKey reads Base64 in either alphabet, padded or not. Its error does
// not show what was read.
func ParseHMACKey(s string) (*HMACKey, error) {
	raw, err := DecodeBase64(s)
	switch {
	case err != nil:
		return nil, errors.New("expected 32 bytes in Base64, got what is no Base64")
	case len(raw) != len(HMACKey{}):
		return nil, fmt.Errorf("expected 32 bytes in Base64, got %d", len(raw))
	}
	return (*HMACKey)(raw), nil
}

// Text is the key as it is sent and stored.
func (k *HMACKey) Text() string { return base64.RawURLEncoding.EncodeToString(k[:]) }

// MarshalText is for the body of a request.
func (k *HMACKey) MarshalText() ([]byte, error) { return []byte(k.Text()), nil }

// Format keeps the key out of every %v, %+v, %#v and %x.
func (*HMACKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(masked)) }

// RegistrationInput is what creating or changing a registration takes. Fields
// of the kind only are accepted; what is empty is not sent, so a change leaves
// it as it is. The tags are the API's names.
type RegistrationInput struct {
	RegID    string `json:"regid,omitempty"` // of a change; given by the server
	FQDN     string `json:"fqdn,omitempty"`
	RegType  string `json:"regtype,omitempty"`  // of a generic creation
	Validity string `json:"validity,omitempty"` // days, or always
	Status   string `json:"status,omitempty"`   // open or closed

	Password     Secret `json:"password,omitempty"`     // SCEP, CMP, EST with HTTP authentication
	IPAddress    string `json:"ipaddress,omitempty"`    // SCEP
	Email        string `json:"email,omitempty"`        // SCEP
	SerialNumber string `json:"serialnumber,omitempty"` // SCEP

	Username         string `json:"username,omitempty"`                      // EST with HTTP authentication
	Realm            string `json:"realm,omitempty"`                         // EST with HTTP authentication
	SubjectCN        string `json:"subject-commonname,omitempty"`            // EST with certificate authentication
	AuthenticationCA string `json:"authentication-certificate-ca,omitempty"` // EST with certificate authentication, by AWB name

	HMACKey        *HMACKey `json:"hmacKey,omitempty"`        // ACME
	AllowedDomains string   `json:"allowedDomains,omitempty"` // ACME, separated by commas
}

// The two forms of an EST registration. Nothing but the fields tells them
// apart, so they are never mixed (docs/api-notes.md, 35).
var (
	estHTTPFields        = []string{"username", "realm", "password"}
	estCertificateFields = []string{"subject-commonname", "authentication-certificate-ca"}
)

// Fields are the API's names of the fields that a kind has besides those of
// all: fqdn, validity and status.
func (k RegistrationKind) Fields() []string {
	switch k {
	case SCEPRegistration:
		return []string{"password", "ipaddress", "email", "serialnumber"}
	case ESTRegistration:
		return slices.Concat(estHTTPFields, estCertificateFields)
	case CMPRegistration:
		return []string{"password"}
	case ACMERegistration:
		return []string{"hmacKey", "allowedDomains"}
	}
	return nil
}

// given are the API's names of the fields that are set, in their order.
func (in RegistrationInput) given() []string {
	var names []string
	v := reflect.ValueOf(in)
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// check refuses fields that the kind does not have, and both forms of EST in
// one. base are the fields that the operation takes of every kind.
func (in RegistrationInput) check(kind RegistrationKind, base ...string) error {
	given := in.given()
	allowed := append(base, kind.Fields()...)
	for _, name := range given {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("it takes no %s", name)
		}
	}
	if kind == ESTRegistration {
		if a, b := firstOf(given, estHTTPFields), firstOf(given, estCertificateFields); a != "" && b != "" {
			return fmt.Errorf("%s is of HTTP authentication and %s of certificate authentication: a registration has one of them", a, b)
		}
	}
	return nil
}

func firstOf(names, among []string) string {
	for _, n := range names {
		if slices.Contains(among, n) {
			return n
		}
	}
	return ""
}
