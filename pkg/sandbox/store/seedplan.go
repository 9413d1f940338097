package store

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Where seeded certificates are, by id:
//
//	9001-9003  EE of the domain OtherDomain: officers do not find them (909)
//	9011-9012  CA, locked (902)
//	10001-     n of EE, in groups of twenty: sixteen active (one in two hundred
//	           not valid yet), one on hold, two revoked, one expired
//	then       n/1000 of CA, issued by the root
//
// The first two only from a thousand certificates on, so that small stores
// hold nothing odd. They come besides the n, as the CAs do: what an officer
// finds are exactly n EE certificates, all of which may be changed.
const (
	firstHidden, hiddenRows = 9001, 3
	firstLocked, lockedRows = 9011, 2
	oddFrom                 = 1000
	group                   = 20
)

// OtherDomain is the domain of the seeded certificates that no officer of the
// sandbox sees.
const OtherDomain = "other"

const day = 24 * time.Hour

// seedPlan knows every row of a seeded store. Rows follow from ids and the
// options alone, so that workers can make them in any order.
type seedPlan struct {
	SeedOptions
	n   int
	ids []int64 // of the odd ones
	// The crowd: certificates of two issuers that all become valid, and end, in
	// the same second, three times as many as a search returns. One issuer has
	// three quarters, still more than that; the other has fewer.
	crowdStart, crowdSize int
}

func newSeedPlan(n int, o SeedOptions) seedPlan {
	o.Now = o.Now.UTC().Truncate(time.Second)
	p := seedPlan{SeedOptions: o, n: n}
	if n >= oddFrom {
		for k := range hiddenRows {
			p.ids = append(p.ids, int64(firstHidden+k))
		}
		for k := range lockedRows {
			p.ids = append(p.ids, int64(firstLocked+k))
		}
	}
	if o.Cap > 0 && n >= 10*o.Cap {
		p.crowdStart, p.crowdSize = n/2/group*group, 3*o.Cap
	}
	return p
}

// total counts the rows.
func (p seedPlan) total() int { return len(p.ids) + p.n + p.n/1000 }

// row makes one row, counted in the order of ids.
func (p seedPlan) row(k int) Cert {
	switch i := k - len(p.ids); {
	case i >= p.n:
		return p.ca(FirstID + int64(i))
	case i >= 0:
		return p.ee(i)
	case p.ids[k] >= firstLocked:
		c := p.ca(p.ids[k])
		c.Locked = true
		return c
	default:
		c := p.base(p.ids[k], p.Issue[0])
		p.person(&c, newRand(c.ID))
		c.Domain = OtherDomain
		return p.finish(c)
	}
}

// newRand gives each id its own numbers.
func newRand(id int64) *rand.Rand { return rand.New(rand.NewPCG(uint64(id), 0x5eed)) }

// upTo is a whole number of seconds below d.
func upTo(r *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(d/time.Second))) * time.Second
}

// base is a certificate that is valid now.
func (p seedPlan) base(id int64, i SeedIssuer) Cert {
	r := rand.New(rand.NewPCG(uint64(id), 0x7173))
	life := time.Duration(1+r.IntN(3)) * 365 * day
	from := p.Now.Add(-day - upTo(r, life-2*day))
	return Cert{
		ID: id, Seed: id, Serial: serialOf(id), Type: EE, NotBefore: from, NotAfter: from.Add(life),
		IssuerID: i.ID, IssuerDN: i.DN, AKI: i.AKI, ProcID: p.ProcID,
	}
}

// serialOf gives a serial number of 16 octets, or one of the forms that are
// easily taken for something else: digits only; leading zeros; an id.
func serialOf(id int64) string {
	r := rand.New(rand.NewPCG(uint64(id), 0x5e71a1))
	switch i := id - FirstID; {
	case i >= 0 && i%100 == 26:
		return fmt.Sprintf("%08d", id)
	case i >= 0 && i%10 == 6:
		return fmt.Sprintf("00%014x", r.Uint64()>>8)
	case i >= 0 && i%10 == 3:
		return fmt.Sprintf("%016d", r.Uint64N(1e16))
	}
	var b [16]byte
	for k := range b {
		b[k] = byte(r.Uint64())
	}
	b[0] = b[0]&0x7f | 0x40 // positive, and no leading zero
	return hex.EncodeToString(b[:])
}

// ee makes the i-th certificate of an end entity.
func (p seedPlan) ee(i int) Cert {
	issuer := p.issuerOf(i)
	c := p.base(FirstID+int64(i), p.Issue[issuer])
	r := newRand(c.ID)
	if i%4 == 3 {
		p.device(&c, r)
	} else {
		p.person(&c, r)
	}
	if i%group == 7 {
		hostileText(&c, i/group)
	}
	// Now and then two issuers use the same serial number.
	if i%500 == 251 && p.issuerOf(i-1) != issuer {
		c.Serial = serialOf(c.ID - 1)
	}
	life := c.NotAfter.Sub(c.NotBefore)
	switch i % group {
	case 16: // on hold for at most a month
		since := c.NotBefore
		if month := p.Now.Add(-30 * day); since.Before(month) {
			since = month
		}
		c.Revoked, c.Reason = true, Hold
		c.RevokedAt = since.Add(upTo(r, p.Now.Sub(since)))
	case 17, 18:
		reasons := [...]int{0, 1, 3, 4, 5, 9}
		c.Revoked, c.Reason = true, reasons[(i/group*2+i%group-17)%len(reasons)]
		c.RevokedAt = c.NotBefore.Add(upTo(r, p.Now.Sub(c.NotBefore)))
	case 19:
		c.NotAfter = p.Now.Add(-day - upTo(r, 700*day))
		c.NotBefore = c.NotAfter.Add(-life)
	case 5:
		if i/group%10 == 0 { // not valid yet
			c.NotBefore = p.Now.Add(day + upTo(r, 30*day))
			c.NotAfter = c.NotBefore.Add(life)
		}
	}
	if _, crowded := p.crowd(i); crowded {
		c.NotBefore, c.NotAfter = p.Now.Add(-30*day), p.Now.Add(335*day)
	}
	return p.finish(c)
}

// crowd counts the i-th certificate among the crowd.
func (p seedPlan) crowd(i int) (int, bool) {
	i -= p.crowdStart
	k := i/group*16 + i%group
	return k, i >= 0 && i%group < 16 && k < p.crowdSize
}

func (p seedPlan) issuerOf(i int) int {
	if k, crowded := p.crowd(i); crowded {
		return k % 4 / 3
	}
	return (i/group + i) % 2
}

func (p seedPlan) ca(id int64) Cert {
	c := p.base(id, p.Root)
	c.Type, c.CN, c.Org, c.Country = CA, fmt.Sprintf("Demo Sub CA %d", id), "Demo", "SE"
	c.KeyUsage = []string{"keyCertSign", "cRLSign"}
	return p.finish(c)
}

// finish sets what follows from the rest.
func (p seedPlan) finish(c Cert) Cert {
	var values []string
	for _, v := range []string{c.CN, c.GivenName, c.Surname, c.SubjectSerial, c.OU, c.Org, c.Country} {
		if v != "" {
			values = append(values, v)
		}
	}
	c.Subject = strings.Join(values, ", ")
	c.SKI = p.SKI(c.Seed)
	c.PublicationAllowed = c.ID%10 != 0
	if c.NotBefore.Before(p.Now) {
		if c.PublicationAllowed {
			c.PublishedAt = c.NotBefore.Add(5 * time.Minute)
		}
		if c.ID%5 != 4 {
			c.OCSPActivatedAt = c.NotBefore.Add(10 * time.Minute)
		}
	}
	return c
}
