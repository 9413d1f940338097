package cert

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/search"
)

// A page of a listing has as many certificates as this many look-ups, and costs
// as much as a few of them.
const pageWorth = search.PageSize / 10

// sweep lists all certificates when that costs less than to look the items up,
// and keeps what has: a few bytes each.
func (c *checker) sweep(ctx context.Context, n int, has func(string) bool) error {
	if n < 20*pageWorth {
		return nil
	}
	everything := cmapi.CertificateFilter{SubjectType: []string{"EE", "CA"}}
	all, err := search.Count(ctx, c.client.Certificates, everything)
	if err != nil || all > n*pageWorth {
		return err
	}
	err = search.Run(ctx, c.client.Certificates, everything, search.Options{}, func(certs []cmapi.Certificate) error {
		for i := range certs {
			if has(certs[i].CertID) {
				c.states.add(&certs[i])
			}
		}
		return nil
	})
	var incomplete *search.IncompleteError
	if errors.As(err, &incomplete) {
		return nil // what is missing is looked up
	}
	return err
}

// states are what a sweep found, by certid.
type states struct {
	byID map[uint64]uint8
	now  time.Time
}

const (
	stateRevoked = 1 << 4 // over the reason
	stateExpired = 1 << 5
)

func (s *states) add(c *cmapi.Certificate) {
	id, err := strconv.ParseUint(c.CertID, 10, 64)
	if err != nil || c.Status != cmapi.StatusActive && c.Status != cmapi.StatusRevoked {
		return
	}
	var state uint8
	if c.Status == cmapi.StatusRevoked {
		reason, err := pki.ParseReason(c.Reason)
		if err != nil {
			return
		}
		state = stateRevoked | uint8(reason)
	}
	if !c.ValidTo.IsZero() && c.ValidTo.Before(s.now) {
		state |= stateExpired
	}
	if s.byID == nil {
		s.byID = map[uint64]uint8{}
	}
	s.byID[id] = state
}

// of is a certificate as far as it was kept; nil when it was not found.
func (s *states) of(certID string) *cmapi.Certificate {
	id, err := strconv.ParseUint(certID, 10, 64)
	if err != nil {
		return nil
	}
	state, ok := s.byID[id]
	if !ok {
		return nil
	}
	c := &cmapi.Certificate{CertID: certID, Status: cmapi.StatusActive}
	if state&stateRevoked != 0 {
		c.Status, c.Reason = cmapi.StatusRevoked, pki.Reason(state&0x0f).String()
	}
	if state&stateExpired != 0 {
		c.ValidTo = s.now.Add(-time.Second)
	}
	return c
}
