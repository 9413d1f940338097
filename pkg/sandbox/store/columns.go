package store

import (
	"hash/maphash"
	"slices"
	"strings"

	"github.com/cmctl/cmctl/pkg/sandbox/store/dn"
)

// The columns of text, of time and of state that searches look at.
const (
	colSerial = iota
	colCN
	colGivenName
	colSurname
	colOrg
	colOU
	colSubjectSerial
	colCountry
	colCardSerial
	colSKI
	colField1
	textColumns = colField1 + 6
)

const (
	colNotBefore = iota
	colNotAfter
	colRevokedAt
	colPublishedAt
	colOCSPAt
	timeColumns
)

const (
	isCA uint16 = 1 << iota
	isRevoked
	isPublishable
	reasonShift = 8
)

const maxReason = 10 // of RFC 5280

// columns is what searches look at, one slice per filter, the same position in
// each for the same certificate, in the order of ids.
type columns struct {
	// A text is held as a hash of its folded form: a million rows fit into
	// 200 MB, and a hit is wrong once in 2^44 searches of a million rows. The
	// seed is new in every process, so that no text can be made to collide.
	seed maphash.Seed

	ids    []int64
	state  []uint16
	issuer []int32 // issuer.n
	domain []uint64
	times  [timeColumns][]int64
	texts  [textColumns][]uint64

	// Of each block of rows, when one was revoked last, or a time after that:
	// who looks for what was revoked lately, as after mass revocations, passes
	// over nearly all of them.
	revoked []int64

	issuers map[int32]issuer
}

// issuer is what a certificate says about who made it.
type issuer struct {
	id, dn, aki string
	canonical   string // dn, as dn.Canonical gives it
}

// entry is one row of columns.
type entry struct {
	id     int64
	state  uint16
	issuer int32
	domain uint64
	times  [timeColumns]int64
	texts  [textColumns]uint64
}

func newColumns() *columns {
	return &columns{seed: maphash.MakeSeed(), issuers: map[int32]issuer{}}
}

// entry describes a certificate of issuer n.
func (c *columns) entry(r *Cert, n int32) entry {
	return entry{
		id: r.ID, state: stateOf(r), issuer: n, domain: c.hash(r.Domain),
		times: [timeColumns]int64{millis(r.NotBefore), millis(r.NotAfter), millis(r.RevokedAt), millis(r.PublishedAt), millis(r.OCSPActivatedAt)},
		texts: [textColumns]uint64{
			c.hash(trimZeros(r.Serial)), c.hash(r.CN), c.hash(r.GivenName), c.hash(r.Surname), c.hash(r.Org), c.hash(r.OU),
			c.hash(r.SubjectSerial), c.hash(r.Country), c.hash(r.CardSerial), c.hash(r.SKI),
			c.hash(r.Fields[0]), c.hash(r.Fields[1]), c.hash(r.Fields[2]), c.hash(r.Fields[3]), c.hash(r.Fields[4]), c.hash(r.Fields[5]),
		},
	}
}

func stateOf(r *Cert) uint16 {
	state := uint16(0)
	if r.Type == CA {
		state |= isCA
	}
	if r.PublicationAllowed {
		state |= isPublishable
	}
	if r.Revoked {
		state |= isRevoked | uint16(r.Reason)<<reasonShift
	}
	return state
}

// trimZeros brings serials into the form in which equal numbers are equal.
func trimZeros(hex string) string {
	if s := strings.TrimLeft(hex, "0"); s != "" || hex == "" {
		return s
	}
	return "0"
}

// hash is 0 for no text.
func (c *columns) hash(s string) uint64 {
	if s == "" {
		return 0
	}
	// Most texts are short and ASCII; they need no allocation.
	var buf [96]byte
	if len(s) > len(buf) {
		return maphash.String(c.seed, dn.Fold(s))
	}
	for k := 0; k < len(s); k++ {
		b := s[k]
		switch {
		case b >= 0x80:
			return maphash.String(c.seed, dn.Fold(s))
		case 'A' <= b && b <= 'Z':
			b += 'a' - 'A'
		}
		buf[k] = b
	}
	return maphash.Bytes(c.seed, buf[:len(s)])
}

// grow makes room for n more rows.
func (c *columns) grow(n int) {
	c.ids = slices.Grow(c.ids, n)
	c.state = slices.Grow(c.state, n)
	c.issuer = slices.Grow(c.issuer, n)
	c.domain = slices.Grow(c.domain, n)
	for k := range c.times {
		c.times[k] = slices.Grow(c.times[k], n)
	}
	for k := range c.texts {
		c.texts[k] = slices.Grow(c.texts[k], n)
	}
}

// add puts a row where its id belongs: nearly always the end.
func (c *columns) add(e entry) {
	at, _ := slices.BinarySearch(c.ids, e.id)
	c.ids = slices.Insert(c.ids, at, e.id)
	c.state = slices.Insert(c.state, at, e.state)
	c.issuer = slices.Insert(c.issuer, at, e.issuer)
	c.domain = slices.Insert(c.domain, at, e.domain)
	for k := range c.times {
		c.times[k] = slices.Insert(c.times[k], at, e.times[k])
	}
	for k := range c.texts {
		c.texts[k] = slices.Insert(c.texts[k], at, e.texts[k])
	}
	c.noteRevoked(at)
}

// noteRevoked takes the rows from one on into revoked.
func (c *columns) noteRevoked(from int) {
	c.revoked = append(c.revoked, make([]int64, (len(c.ids)+block-1)/block-len(c.revoked))...)
	for k, at := range c.times[colRevokedAt][from:] {
		b := &c.revoked[(from+k)/block]
		*b = max(*b, at)
	}
}

// revoke changes the state of a row; revoked false reinstates it.
func (c *columns) revoke(id int64, revoked bool, reason int, at int64) {
	k, ok := slices.BinarySearch(c.ids, id)
	if !ok {
		return
	}
	c.state[k] &= isCA | isPublishable
	if revoked {
		c.state[k] |= isRevoked | uint16(reason)<<reasonShift
	}
	c.times[colRevokedAt][k] = at
	c.revoked[k/block] = max(c.revoked[k/block], at)
}

// nextID is the id of the next certificate that is given none.
func (c *columns) nextID() int64 {
	if n := len(c.ids); n > 0 {
		return max(FirstID, c.ids[n-1]+1)
	}
	return FirstID
}

// empty says that there is no certificate but those whose ids the caller named.
func (c *columns) empty() bool {
	return len(c.ids) == 0 || c.ids[len(c.ids)-1] < firstHidden
}

// merge appends the rows of others, which all have greater ids.
func (c *columns) merge(o *columns) {
	from := len(c.ids)
	c.ids = append(c.ids, o.ids...)
	c.state = append(c.state, o.state...)
	c.issuer = append(c.issuer, o.issuer...)
	c.domain = append(c.domain, o.domain...)
	for k := range c.times {
		c.times[k] = append(c.times[k], o.times[k]...)
	}
	for k := range c.texts {
		c.texts[k] = append(c.texts[k], o.texts[k]...)
	}
	c.noteRevoked(from)
}
