package sandbox

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// listCertificates searches.
func (g *gateway) listCertificates(c *call) (*answer, error) {
	q, err := g.readQuery(c, nil)
	if err != nil {
		return nil, err
	}
	page, hits, err := g.search(c, q)
	if err != nil {
		return nil, err
	}
	out := make([]jsonCertificate, 0, len(page))
	for i := range page {
		out = append(out, g.jsonCertificate(&page[i]))
	}
	return jsonAnswer(http.StatusOK, codeOK, struct {
		status
		Hits         int               `json:"searchHits"`
		Certificates []jsonCertificate `json:"certificates"`
	}{done, hits, out}), nil
}

// search runs a query under the gateway's cap.
func (g *gateway) search(c *call, q store.Query) ([]store.Cert, int, error) {
	if q.Limit > g.opts.MaxHits {
		if g.opts.MaxHitsMode == MaxHitsPage {
			return nil, 0, refuse(codeBadValue, "too many: searchLimit is above %d", g.opts.MaxHits)
		}
		q.Limit = g.opts.MaxHits
	}
	page, hits, err := g.store.Search(c.ctx, q)
	var bad *store.BadField
	if errors.As(err, &bad) {
		return nil, 0, refuse(codeBadValue, "%v", bad)
	}
	if err == nil && g.opts.MaxHitsMode == MaxHitsTotal && hits > g.opts.MaxHits {
		return nil, 0, refuse(codeBadValue, "too many: %d hits, at most %d", hits, g.opts.MaxHits)
	}
	return page, hits, err
}

// query reads the parameters of a search and remembers the first that is wrong.
type query struct {
	values url.Values
	err    error
}

func (q *query) fail(name, format string, args ...any) {
	if q.err == nil {
		q.err = refuse(codeBadValue, name+": "+format, args...)
	}
}

// text returns the one value of a parameter, "" when it is absent. An empty
// value is refused: a filter that a script forgot to fill must not find all.
func (q *query) text(name string) string {
	v, present := q.values[name]
	switch {
	case !present:
		return ""
	case len(v) > 1:
		q.fail(name, "given %d times", len(v))
	case v[0] == "":
		q.fail(name, "empty")
	case !utf8.ValidString(v[0]):
		q.fail(name, "not UTF-8")
	default:
		return v[0]
	}
	return ""
}

func (q *query) time(name string) time.Time {
	s := q.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.IsZero() {
		q.fail(name, "not a date-time such as 2026-01-31T12:00:00Z")
	}
	return t
}

// flag is set by true. The API describes no meaning of false, which therefore
// asks for nothing.
func (q *query) flag(name string) bool {
	switch strings.ToLower(q.text(name)) {
	case "true":
		return true
	case "", "false":
	default:
		q.fail(name, "expected true")
	}
	return false
}

func (q *query) number(name string, absent int) int {
	s := q.text(name)
	if s == "" {
		return absent
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		q.fail(name, "expected a number, 0 or more")
	}
	return n
}

// list takes one value with commas and one pair for each value alike: the API
// describes the first and declares the second.
func (q *query) list(name string) []string {
	var out []string
	for _, v := range q.values[name] {
		for _, one := range strings.Split(v, ",") {
			if one == "" {
				q.fail(name, "empty")
			}
			out = append(out, one)
		}
	}
	return out
}

// searchReasons are the codes that the API names for a search; read only.
var searchReasons = []int{0, 1, 2, 3, 4, 5, 6, 8, 9, 10}

func (q *query) reasons(name string) []int {
	var out []int
	for _, s := range q.list(name) {
		n, err := strconv.Atoi(s)
		if err != nil || !slices.Contains(searchReasons, n) {
			q.fail(name, "%q is no reason", s)
		}
		out = append(out, n)
	}
	return out
}

func (q *query) types(name string) []string {
	var out []string
	for _, s := range q.list(name) {
		s = strings.ToUpper(s)
		if s != store.EE && s != store.CA {
			q.fail(name, "expected EE or CA")
		}
		out = append(out, s)
	}
	return out
}

// parameters reads the query. Parameters that the API does not have are
// ignored, as gateways do.
func (c *call) parameters() (*query, error) {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, refuse(codeEncoding, "the query is not properly percent-encoded")
	}
	return &query{values: values}, nil
}

// readQuery turns the parameters into filters: all, or only those named.
func (g *gateway) readQuery(c *call, only []string) (store.Query, error) {
	q, err := c.parameters()
	if err != nil {
		return store.Query{}, err
	}
	if only != nil {
		maps.DeleteFunc(q.values, func(name string, _ []string) bool { return !slices.Contains(only, name) })
	}
	out := store.Query{
		Limit: q.number("searchLimit", g.opts.MaxHits), Offset: q.number("searchOffset", 0),
		CardSerial: q.text("cardSerialNumber"), Serial: q.text("certificateSerialNumber"),
		RevokedAfter: q.time("revocationTimeFrom"), RevokedBefore: q.time("revocationTimeTo"),
		Reasons: q.reasons("revocationReason"), NotRevoked: q.flag("isNotRevoked"),
		CN: q.text("subjectCommonName"), GivenName: q.text("subjectGivenName"), Surname: q.text("subjectSurName"),
		Org: q.text("subjectOrganisationName"), OU: q.text("subjectOrganisationUnit"),
		SubjectSerial: q.text("subjectSerialNumber"), Country: q.text("subjectCountry"),
		PublicationAllowed: q.flag("publicationAllowed"),
		PublishedAfter:     q.time("publicationTimeFrom"), PublishedBefore: q.time("publicationTimeTo"),
		OCSPAfter: q.time("ocspActivationTimeFrom"), OCSPBefore: q.time("ocspActivationTimeTo"),
		ValidFromAfter: q.time("validFromTimeFrom"), ValidFromBefore: q.time("validFromTimeTo"),
		NotYetValid:  q.flag("isNotYetValid"),
		ExpiresAfter: q.time("validToTimeFrom"), ExpiresBefore: q.time("validToTimeTo"),
		Expired: q.flag("isExpired"),
		AKI:     q.text("authorityKeyIdentifier"), SKI: q.text("subjectKeyIdentifier"),
		Types: q.types("subjectType"), Issuer: q.text("issuer"),
		Inclusive: g.opts.Bounds == BoundsInclusive, Now: c.now,
		Descending: q.flag("orderDescending"),
	}
	if order := q.text("orderBy"); order != "" && order != "certid" {
		q.fail("orderBy", "this gateway orders by certid")
	}
	for i := range out.Fields {
		out.Fields[i] = q.text("field" + strconv.Itoa(i+1))
	}
	return out, q.err
}
