package cmapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// Issuer is one issuing CA, as listIssuers shows it.
type Issuer struct {
	DN      string          // subjectDn
	Subject []NameAttribute // the parts of the DN, as the gateway orders them
	Extra   map[string]json.RawMessage
}

// NameAttribute is one part of a DN by its RFC 1779 name.
type NameAttribute struct{ Name, Value string }

// IssuerParameters are the filters of listCertificates that listIssuers takes
// as well.
func IssuerParameters() []string {
	return []string{
		"certificateSerialNumber", "revocationTimeFrom", "revocationTimeTo", "revocationReason",
		"publicationAllowed", "publicationTimeFrom", "publicationTimeTo", "ocspActivationTimeFrom", "ocspActivationTimeTo",
		"validFromTimeFrom", "validFromTimeTo", "isNotYetValid", "validToTimeFrom", "validToTimeTo", "isExpired",
	}
}

// UnmarshalJSON reads `subject` as one object and as a list of objects, which
// are then one (docs/api-notes.md, 2).
func (i *Issuer) UnmarshalJSON(raw []byte) (err error) {
	var o object
	if err = json.Unmarshal(raw, &o); err != nil {
		return err
	}
	*i = Issuer{}
	if i.DN, err = o.text("subjectDn"); err != nil {
		return err
	}
	if subject, ok := o.take("subject"); ok {
		var parts []json.RawMessage
		if json.Unmarshal(subject, &parts) != nil {
			parts = []json.RawMessage{subject}
		}
		for _, p := range parts {
			if i.Subject, err = appendAttributes(i.Subject, p); err != nil {
				return fmt.Errorf("member %q: %w", "subject", err)
			}
		}
	}
	i.Extra = o.rest()
	return nil
}

// appendAttributes reads one object of attribute names and values; a value may
// be a list where a name has an attribute twice.
func appendAttributes(to []NameAttribute, raw json.RawMessage) ([]NameAttribute, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	for _, name := range memberNames(raw) {
		values, err := o.texts(name)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			to = append(to, NameAttribute{name, v})
		}
	}
	return to, nil
}

// MarshalJSON writes the API's names; `subject` is one object, as the API's
// example shows it.
func (i Issuer) MarshalJSON() ([]byte, error) {
	var m, subject members
	m.put("subjectDn", i.DN)
	var names []string
	values := map[string][]string{}
	for _, a := range i.Subject {
		if values[a.Name] == nil {
			names = append(names, a.Name)
		}
		values[a.Name] = append(values[a.Name], a.Value)
	}
	for _, n := range names {
		if vs := values[n]; len(vs) > 1 {
			subject.put(n, vs)
		} else {
			subject.raw(n, vs[0])
		}
	}
	if len(names) > 0 {
		raw, err := subject.bytes()
		if err != nil {
			return nil, err
		}
		m.raw("subject", json.RawMessage(raw))
	}
	m.extra(i.Extra)
	return m.bytes()
}

// IssuerPage is one answer of listIssuers.
type IssuerPage struct {
	Issuers []Issuer
	Hits    int // searchHits, hits without paging; -1 when the gateway did not say
}

// Issuers fetches one page of issuing CAs (listIssuers, deprecated): at most
// limit after skipping offset; 0 leaves either to the gateway. f takes only
// the filters of IssuerParameters. The list is read under its declared name
// and under that of the API's example (docs/api-notes.md, 1).
func (s *Certificates) Issuers(ctx context.Context, f CertificateFilter, limit, offset int) (*IssuerPage, error) {
	r := opListIssuers.read(f.page(limit, offset), acceptJSON)
	a, err := s.c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	var o object
	if err := decodeJSON(r, a, &o); err != nil {
		return nil, err
	}
	page := &IssuerPage{}
	if page.Hits, err = o.integer("searchHits", -1); err != nil {
		return nil, nonsense(r, a, err)
	}
	for _, name := range []string{"subjects", "issuers"} {
		raw, ok := o.take(name)
		if !ok {
			continue
		}
		var list []Issuer
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, nonsense(r, a, fmt.Errorf("member %q: %w", name, err))
		}
		page.Issuers = append(page.Issuers, list...)
	}
	return page, nil
}

// memberNames are the names of a JSON object in the order they stand in.
func memberNames(raw json.RawMessage) []string {
	var names []string
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return names
		}
		names = append(names, name.(string))
		if err := dec.Decode(new(json.RawMessage)); err != nil {
			return names
		}
	}
	return names
}
