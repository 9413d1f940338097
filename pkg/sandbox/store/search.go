package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Search returns a page of the certificates that match, in the order of their
// ids or the reverse, and how many match in all. Nothing found is no error. A
// filter that cannot be read is a *BadField.
func (s *Store) Search(ctx context.Context, q Query) (page []Cert, hits int, err error) {
	s.mu.RLock()
	found, hits, err := s.cols.find(&q)
	s.mu.RUnlock()
	if err != nil || len(found) == 0 {
		return nil, hits, err
	}
	ids := make([]int64, len(found))
	for k, e := range found {
		ids[k] = e.id
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, 0, err
	}
	rows, err := s.reader.QueryContext(ctx, selectPage, string(list))
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	page = make([]Cert, 0, len(found))
	for rows.Next() {
		c, err := scanOwn(rows)
		if err != nil {
			return nil, 0, err
		}
		found[len(page)].complete(&c)
		page = append(page, c)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, err
	}
	if len(page) != len(found) {
		return nil, 0, fmt.Errorf("the store has lost %d of %d certificates", len(found)-len(page), len(found))
	}
	if q.Descending {
		slices.Reverse(page)
	}
	return page, hits, nil
}

// hit is a certificate that was found, and what the columns know of it. Only
// its revocation ever changes: it is shown as it was when the rows were chosen,
// so that the page and its filters agree.
type hit struct {
	id     int64
	state  uint16
	issuer issuer
	times  [timeColumns]int64
}

func (c *columns) hit(at int) hit {
	h := hit{id: c.ids[at], state: c.state[at], issuer: c.issuers[c.issuer[at]]}
	for k := range h.times {
		h.times[k] = c.times[k][at]
	}
	return h
}

// complete adds to a row what it was not asked for.
func (h *hit) complete(c *Cert) {
	c.setIssuer(h.issuer)
	c.Type = EE
	if h.state&isCA != 0 {
		c.Type = CA
	}
	c.PublicationAllowed, c.Revoked = h.state&isPublishable != 0, h.state&isRevoked != 0
	c.Reason = int(h.state >> reasonShift)
	c.setTimes(&h.times)
}

// find counts the rows that match and picks those of the page, by rising id.
func (c *columns) find(q *Query) (page []hit, hits int, err error) {
	filters, err := c.filters(q)
	if err != nil {
		return nil, 0, err
	}
	barren := c.barren(q)
	first, last := max(q.Offset, 0), max(q.Offset, 0)+max(q.Limit, 0)
	if q.Descending {
		_, hits = c.pick(barren, filters, 0, 0)
		first, last = max(hits-last, 0), max(hits-first, 0)
	}
	page, hits = c.pick(barren, filters, first, last)
	return page, hits, nil
}

// pick counts the rows that pass the filters, of which barren blocks have none,
// and returns those from the first-th to before the last-th.
func (c *columns) pick(barren func(lo int) bool, filters []filter, first, last int) (page []hit, hits int) {
	var all, buf [block]int32
	for k := range all {
		all[k] = int32(k)
	}
	for lo := 0; lo < len(c.ids); lo += block {
		if barren(lo) {
			continue
		}
		sel := buf[:copy(buf[:], all[:min(block, len(c.ids)-lo)])]
		for _, f := range filters {
			if sel = f(lo, sel); len(sel) == 0 {
				break
			}
		}
		if hits < last && hits+len(sel) > first {
			for _, k := range sel[max(first-hits, 0):min(last-hits, len(sel))] {
				page = append(page, c.hit(lo+int(k)))
			}
		}
		hits += len(sel)
	}
	return page, hits
}
