package sandbox

import (
	"encoding/base64"
	"net/mail"
	"net/netip"
	"strings"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// readOwnFields reads the fields that only one type has. Which of them a new
// registration needs, is checked here for all types but EST.
func (g *gateway) readOwnFields(m *members, kind string, create bool) ([]change, error) {
	switch kind {
	case typeSCEP:
		return g.readSCEP(m, create)
	case typeEST:
		return g.readEST(m)
	case typeCMP:
		change, _, err := g.readSecret(m, "password")
		return change, err
	case typeACME:
		return g.readACME(m, create)
	}
	return nil, nil
}

// readSecret reads a password or key, to be kept encrypted.
func (g *gateway) readSecret(m *members, name string) (changes []change, sent bool, err error) {
	value, sent := m.secret(name)
	if !sent {
		return nil, false, nil
	}
	sealed, err := sealSecret(g.sealKey, value)
	return []change{func(r *store.Registration) { r.Secret = sealed }}, true, err
}

// readDetail reads a field that no list shows.
func readDetail(m *members, name string, check func(value string) bool) []change {
	value, sent := m.line(name)
	if !sent {
		return nil
	}
	if check != nil && !check(value) {
		m.bad(name, "%q is not valid", value)
	}
	return []change{func(r *store.Registration) {
		if r.Details == nil {
			r.Details = map[string]string{}
		}
		r.Details[name] = value
	}}
}

func (g *gateway) readSCEP(m *members, create bool) ([]change, error) {
	changes, sent, err := g.readSecret(m, "password")
	if err != nil {
		return nil, err
	}
	if create {
		m.need("password", sent)
	}
	changes = append(changes, readDetail(m, "ipaddress", func(v string) bool {
		_, err := netip.ParseAddr(v)
		return err == nil
	})...)
	changes = append(changes, readDetail(m, "email", isAddress)...)
	return append(changes, readDetail(m, "serialnumber", nil)...), nil
}

// isAddress takes a bare mail address.
func isAddress(v string) bool {
	a, err := mail.ParseAddress(v)
	return err == nil && a.Address == v
}

// The fields of the two forms of EST; read only.
var (
	estHTTP = []string{"username", "realm"} // and the password
	estCert = []string{"subject-commonname", "authentication-certificate-ca"}
)

// readEST reads the fields of one of the two forms. Those of the other, which
// the registration may have had, go.
func (g *gateway) readEST(m *members) ([]change, error) {
	var http, cert []change
	for _, name := range estHTTP {
		http = append(http, readDetail(m, name, nil)...)
	}
	secret, _, err := g.readSecret(m, "password")
	if err != nil {
		return nil, err
	}
	http = append(http, secret...)
	for _, name := range estCert {
		cert = append(cert, readDetail(m, name, nil)...)
	}
	switch {
	case len(http) > 0 && len(cert) > 0:
		m.bad("subject-commonname, authentication-certificate-ca", "not together with username, realm, password")
	case len(http) > 0:
		return append([]change{func(r *store.Registration) { dropDetails(r, estCert) }}, http...), nil
	case len(cert) > 0:
		return append([]change{func(r *store.Registration) { dropDetails(r, estHTTP); r.Secret = "" }}, cert...), nil
	}
	return nil, nil
}

func dropDetails(r *store.Registration, names []string) {
	for _, name := range names {
		delete(r.Details, name)
	}
}

// estComplete says whether an EST registration has what it needs: a password,
// or what the device's own certificate is known by.
func estComplete(r *store.Registration) bool {
	return r.Secret != "" || r.Details[estCert[0]] != "" || r.Details[estCert[1]] != ""
}

// hmacKeyLen is the length of an HMAC key in octets.
const hmacKeyLen = 32

func (g *gateway) readACME(m *members, create bool) ([]change, error) {
	key, sent := m.secret("hmacKey")
	if create {
		m.need("hmacKey", sent)
	}
	var changes []change
	if sent {
		if !isHMACKey(key) {
			m.bad("hmacKey", "expected %d octets in URL-safe Base64", hmacKeyLen)
		}
		sealed, err := sealSecret(g.sealKey, key)
		if err != nil {
			return nil, err
		}
		changes = append(changes, func(r *store.Registration) { r.Secret = sealed })
	}
	return append(changes, readDetail(m, "allowedDomains", func(v string) bool {
		for _, domain := range strings.Split(v, ",") {
			if domain = strings.TrimSpace(domain); domain == "" || strings.ContainsAny(domain, " /@") {
				return false
			}
		}
		return true
	})...), nil
}

// isHMACKey takes either alphabet, padded or not: the API asks for one and
// declares the other.
func isHMACKey(text string) bool {
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	key, err := base64.RawStdEncoding.Strict().DecodeString(standard)
	return err == nil && len(key) == hmacKeyLen && !strings.ContainsAny(text, "\r\n")
}
