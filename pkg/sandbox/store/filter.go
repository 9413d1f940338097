package store

import (
	"encoding/hex"
	"math"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store/dn"
)

// A filter keeps those positions of a block of rows, counted from its start
// lo, that match.
type filter func(lo int, sel []int32) []int32

// block is how many rows pass through the filters at a time: few enough for
// the selection to stay in the processor's first cache.
const block = 2048

// filters turns a query into what its rows must pass, the most selective
// first.
func (c *columns) filters(q *Query) ([]filter, error) {
	var list []filter
	serial, err := readHex("certificateSerialNumber", q.Serial)
	if err != nil {
		return nil, err
	}
	ski, err := readHex("subjectKeyIdentifier", q.SKI)
	if err != nil {
		return nil, err
	}
	texts := [textColumns]string{trimZeros(serial), q.CN, q.GivenName, q.Surname, q.Org, q.OU, q.SubjectSerial, q.Country, q.CardSerial, ski,
		q.Fields[0], q.Fields[1], q.Fields[2], q.Fields[3], q.Fields[4], q.Fields[5]}
	for k, text := range texts {
		if text != "" {
			list = append(list, equal(c.texts[k], c.hash(text)))
		}
	}
	for k, bounds := range timeBounds(q) {
		if bounds != everything {
			list = append(list, within(c.times[k], bounds))
		}
	}
	byIssuer, err := c.issuerFilter(q)
	if err != nil {
		return nil, err
	}
	if byIssuer != nil {
		list = append(list, byIssuer)
	}
	byState, err := c.stateFilter(q)
	if err != nil {
		return nil, err
	}
	return append(list, byState, visible(c.domain, c.hash(q.Domain))), nil
}

// readHex reads a number or a key identifier in hex: with or without 0x, with
// or without colons or blanks between octets, in either case.
func readHex(field, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	digits := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "0x")
	groups := strings.FieldsFunc(digits, func(r rune) bool { return r == ':' || r == ' ' })
	for _, g := range groups {
		_, err := hex.DecodeString(g + strings.Repeat("0", len(g)%2))
		if err != nil || len(groups) > 1 && len(g) != 2 {
			return "", &BadField{field, "not a hex number"}
		}
	}
	if len(groups) == 0 {
		return "", &BadField{field, "not a hex number"}
	}
	return strings.Join(groups, ""), nil
}

// span is a range of milliseconds, both ends in it.
type span struct{ from, to int64 }

var everything = span{math.MinInt64, math.MaxInt64}

func (s *span) after(t time.Time, inclusive bool) {
	if !t.IsZero() {
		s.from = max(s.from, ceilMillis(t, inclusive))
	}
}

func (s *span) before(t time.Time, inclusive bool) {
	if !t.IsZero() {
		// The latest moment before t is one short of the earliest at or after it.
		s.to = min(s.to, ceilMillis(t, !inclusive)-1)
	}
}

// ceilMillis is the first whole millisecond after t; or at t, when inclusive.
func ceilMillis(t time.Time, inclusive bool) int64 {
	ms := t.UnixMilli()
	if whole := time.UnixMilli(ms).Equal(t); whole && inclusive {
		return ms
	}
	return ms + 1
}

func timeBounds(q *Query) [timeColumns]span {
	var s [timeColumns]span
	for k := range s {
		s[k] = everything
	}
	s[colNotBefore].after(q.ValidFromAfter, q.Inclusive)
	s[colNotBefore].before(q.ValidFromBefore, q.Inclusive)
	s[colNotAfter].after(q.ExpiresAfter, q.Inclusive)
	s[colNotAfter].before(q.ExpiresBefore, q.Inclusive)
	s[colRevokedAt].after(q.RevokedAfter, q.Inclusive)
	s[colRevokedAt].before(q.RevokedBefore, q.Inclusive)
	s[colPublishedAt].after(q.PublishedAfter, q.Inclusive)
	s[colPublishedAt].before(q.PublishedBefore, q.Inclusive)
	s[colOCSPAt].after(q.OCSPAfter, q.Inclusive)
	s[colOCSPAt].before(q.OCSPBefore, q.Inclusive)
	if q.NotYetValid {
		s[colNotBefore].after(q.Now, false)
	}
	if q.Expired {
		s[colNotAfter].before(q.Now, false)
	}
	return s
}

// issuerFilter is nil when the query names neither issuer nor its key.
func (c *columns) issuerFilter(q *Query) (filter, error) {
	if q.Issuer == "" && q.AKI == "" {
		return nil, nil
	}
	aki, err := readHex("authorityKeyIdentifier", q.AKI)
	if err != nil {
		return nil, err
	}
	name := ""
	if q.Issuer != "" {
		if name, err = dn.Canonical(q.Issuer); err != nil {
			return nil, &BadField{"issuer", err.Error()}
		}
	}
	wanted := make([]bool, len(c.issuers)+1) // issuer.n counts from 1
	for n, i := range c.issuers {
		wanted[n] = (name == "" || i.canonical == name) && (aki == "" || i.aki == aki)
	}
	return among(c.issuer, wanted), nil
}

// stateFilter looks at type, revocation and publication at once: of all the
// states a certificate can be in, it marks those that are asked for.
func (c *columns) stateFilter(q *Query) (filter, error) {
	var types [2]bool
	for _, t := range q.Types {
		switch dn.Fold(strings.TrimSpace(t)) {
		case "ee":
			types[0] = true
		case "ca":
			types[1] = true
		default:
			return nil, &BadField{"subjectType", "neither EE nor CA"}
		}
	}
	if len(q.Types) == 0 {
		types[0] = true
	}
	reasons := map[uint16]bool{}
	for _, r := range q.Reasons {
		if r < 0 || r > maxReason {
			return nil, &BadField{"revocationReason", "not a number from 0 to 10"}
		}
		reasons[uint16(r)] = true
	}
	wanted := make([]bool, (maxReason+1)<<reasonShift)
	for s := range wanted {
		state := uint16(s)
		revoked := state&isRevoked != 0
		wanted[s] = types[state&isCA] &&
			(!q.NotRevoked || !revoked) &&
			(len(reasons) == 0 || revoked && reasons[state>>reasonShift]) &&
			(!q.PublicationAllowed || state&isPublishable != 0)
	}
	return among(c.state, wanted), nil
}

func equal(col []uint64, want uint64) filter {
	return func(lo int, sel []int32) []int32 {
		rows, kept := col[lo:], sel[:0]
		for _, k := range sel {
			if rows[k] == want {
				kept = append(kept, k)
			}
		}
		return kept
	}
}

// within leaves out what has no time.
func within(col []int64, s span) filter {
	return func(lo int, sel []int32) []int32 {
		rows, kept := col[lo:], sel[:0]
		for _, k := range sel {
			if t := rows[k]; t != 0 && s.from <= t && t <= s.to {
				kept = append(kept, k)
			}
		}
		return kept
	}
}

// barren tells of a block that none of its rows is among what was revoked after
// a time, without a look at them.
func (c *columns) barren(q *Query) func(lo int) bool {
	from := timeBounds(q)[colRevokedAt].from
	return func(lo int) bool { return c.revoked[lo/block] < from }
}

func among[T uint16 | int32](col []T, wanted []bool) filter {
	return func(lo int, sel []int32) []int32 {
		rows, kept := col[lo:], sel[:0]
		for _, k := range sel {
			if wanted[rows[k]] {
				kept = append(kept, k)
			}
		}
		return kept
	}
}

// visible keeps what every officer sees and what those of the domain do.
func visible(col []uint64, domain uint64) filter {
	return func(lo int, sel []int32) []int32 {
		rows, kept := col[lo:], sel[:0]
		for _, k := range sel {
			if d := rows[k]; d == 0 || d == domain {
				kept = append(kept, k)
			}
		}
		return kept
	}
}
