package cmapi

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// CertificateFilter narrows listCertificates; every field given narrows the
// search, text is compared exactly and without case. Field tags are the API's
// parameter names.
type CertificateFilter struct {
	CardSerialNumber        string `query:"cardSerialNumber"`
	CertificateSerialNumber string `query:"certificateSerialNumber"` // hex
	SubjectCommonName       string `query:"subjectCommonName"`
	SubjectGivenName        string `query:"subjectGivenName"`
	SubjectSurName          string `query:"subjectSurName"`
	SubjectOrganisationName string `query:"subjectOrganisationName"`
	SubjectOrganisationUnit string `query:"subjectOrganisationUnit"`
	SubjectSerialNumber     string `query:"subjectSerialNumber"`
	SubjectCountry          string `query:"subjectCountry"`
	Issuer                  string `query:"issuer"` // RFC 1779 DN
	AuthorityKeyIdentifier  string `query:"authorityKeyIdentifier"`
	SubjectKeyIdentifier    string `query:"subjectKeyIdentifier"`

	// SubjectType is EE, CA or both; none means EE only. Sent as one value
	// with commas (docs/api-notes.md, 18), as RevocationReason is (17).
	SubjectType      []string `query:"subjectType"`
	RevocationReason []int    `query:"revocationReason"`

	Field1 string `query:"field1"`
	Field2 string `query:"field2"`
	Field3 string `query:"field3"`
	Field4 string `query:"field4"`
	Field5 string `query:"field5"`
	Field6 string `query:"field6"`

	// Times bound exclusively: From means after, To means before.
	RevocationTimeFrom     time.Time `query:"revocationTimeFrom"`
	RevocationTimeTo       time.Time `query:"revocationTimeTo"`
	PublicationTimeFrom    time.Time `query:"publicationTimeFrom"`
	PublicationTimeTo      time.Time `query:"publicationTimeTo"`
	OCSPActivationTimeFrom time.Time `query:"ocspActivationTimeFrom"`
	OCSPActivationTimeTo   time.Time `query:"ocspActivationTimeTo"`
	ValidFromTimeFrom      time.Time `query:"validFromTimeFrom"`
	ValidFromTimeTo        time.Time `query:"validFromTimeTo"`
	ValidToTimeFrom        time.Time `query:"validToTimeFrom"`
	ValidToTimeTo          time.Time `query:"validToTimeTo"`

	// Flags are sent when true and left out when false: the API describes
	// what true means only (docs/api-notes.md, 37).
	IsNotRevoked       bool `query:"isNotRevoked"`
	PublicationAllowed bool `query:"publicationAllowed"`
	IsNotYetValid      bool `query:"isNotYetValid"`
	IsExpired          bool `query:"isExpired"`

	// Extra are parameters that only a newer gateway knows.
	Extra url.Values
}

// Query is the filter as query parameters, times in RFC 3339 with Z.
func (f CertificateFilter) Query() url.Values {
	q := url.Values{}
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("query")
		switch x := v.Field(i).Interface().(type) {
		case string:
			setUnlessEmpty(q, name, x)
		case []string:
			setUnlessEmpty(q, name, strings.Join(x, ","))
		case []int:
			codes := make([]string, len(x))
			for i, n := range x {
				codes[i] = strconv.Itoa(n)
			}
			setUnlessEmpty(q, name, strings.Join(codes, ","))
		case time.Time:
			if !x.IsZero() {
				q.Set(name, x.UTC().Format("2006-01-02T15:04:05.999Z07:00"))
			}
		case bool:
			if x {
				q.Set(name, "true")
			}
		case url.Values:
			for n, vs := range x {
				q[n] = append(q[n], vs...)
			}
		}
	}
	return q
}

func setUnlessEmpty(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// page is the query for one page: at most limit after skipping offset; 0 leaves
// either to the gateway.
func (f CertificateFilter) page(limit, offset int) url.Values {
	q := f.Query()
	if limit > 0 {
		q.Set("searchLimit", strconv.Itoa(limit))
	}
	if offset > 0 {
		q.Set("searchOffset", strconv.Itoa(offset))
	}
	return q
}

// FilterParameters are the API's names of the filters, and those of paging.
func FilterParameters() []string {
	names := []string{"searchLimit", "searchOffset"}
	t := reflect.TypeFor[CertificateFilter]()
	for i := range t.NumField() {
		if n := t.Field(i).Tag.Get("query"); n != "" {
			names = append(names, n)
		}
	}
	return names
}

// CertificatePage is one answer of listCertificates. The gateway may return
// fewer than asked for, in no promised order.
type CertificatePage struct {
	Certificates []Certificate
	Hits         int // searchHits, hits without paging; -1 when the gateway did not say
}

// List fetches one page (listCertificates): at most limit certificates after
// skipping offset hits; 0 leaves either to the gateway.
func (s *Certificates) List(ctx context.Context, f CertificateFilter, limit, offset int) (*CertificatePage, error) {
	return s.list(ctx, f, limit, offset, (*Certificate).read)
}

// ListStates is List for those who look for many certificates to see how they
// stand: of each it reads CertID, Status, Reason and RevocationTime alone.
func (s *Certificates) ListStates(ctx context.Context, f CertificateFilter, limit, offset int) (*CertificatePage, error) {
	return s.list(ctx, f, limit, offset, (*Certificate).readState)
}

// readCertificate reads one of a page, with an object that others have used.
type readCertificate func(*Certificate, []byte, *object) error

func (s *Certificates) list(ctx context.Context, f CertificateFilter, limit, offset int, read readCertificate) (*CertificatePage, error) {
	r := opListCertificates.read(f.page(limit, offset), acceptJSON)
	a, err := s.c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	return readPage(r, a, read)
}

func readPage(r Request, a *Answer, read readCertificate) (page *CertificatePage, err error) {
	var o object
	if err := decodeJSON(r, a, &o); err != nil {
		return nil, err
	}
	page = &CertificatePage{}
	if page.Hits, err = o.integer("searchHits", -1); err != nil {
		return nil, nonsense(r, a, err)
	}
	if raw, ok := o.take("certificates"); ok {
		if raw[0] != '[' {
			return nil, nonsense(r, a, json.Unmarshal(raw, &page.Certificates))
		}
		list := splitList(raw)
		page.Certificates = make([]Certificate, len(list))
		var one object
		for i := range list {
			if err := read(&page.Certificates[i], list[i], &one); err != nil {
				return nil, nonsense(r, a, err)
			}
		}
	}
	return page, nil
}
