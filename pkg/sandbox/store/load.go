package store

import (
	"context"
	"database/sql"
	"runtime"
	"sync"

	"github.com/cmctl/cmctl/pkg/sandbox/store/dn"
)

// idsPerLoad is how many ids one query of load covers.
const idsPerLoad = 5000

const selectColumns = `SELECT id, issuer, serial, cn, given_name, surname, org, ou, subject_serial, country, card_serial,
	type, not_before, not_after, revoked, reason, revoked_at, publishable, published_at, ocsp_at,
	field1, field2, field3, field4, field5, field6, ski, domain FROM cert WHERE id BETWEEN ? AND ? ORDER BY id`

// load reads the columns of a store that is being opened: a few seconds for a
// million rows.
func load(ctx context.Context, db *sql.DB) (*columns, error) {
	c := newColumns()
	if err := c.loadIssuers(ctx, db); err != nil {
		return nil, err
	}
	var n int
	var first, last int64
	err := db.QueryRowContext(ctx, "SELECT count(*), coalesce(min(id), 0), coalesce(max(id), -1) FROM cert").Scan(&n, &first, &last)
	if err != nil {
		return nil, err
	}
	c.grow(n)
	type part struct {
		entries []entry
		err     error
	}
	parts := int((last - first + idsPerLoad) / idsPerLoad)
	err = inOrder(ctx, parts,
		func(k int) part {
			lo := first + int64(k)*idsPerLoad
			entries, err := c.loadPart(ctx, db, lo, lo+idsPerLoad-1)
			return part{entries, err}
		},
		func(p part) error {
			for _, e := range p.entries {
				c.add(e)
			}
			return p.err
		})
	return c, err
}

func (c *columns) loadPart(ctx context.Context, db *sql.DB, first, last int64) ([]entry, error) {
	rows, err := db.QueryContext(ctx, selectColumns, first, last)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []entry
	for rows.Next() {
		var r Cert
		var n int32
		var times [timeColumns]int64
		err := rows.Scan(&r.ID, &n, &r.Serial, &r.CN, &r.GivenName, &r.Surname, &r.Org, &r.OU, &r.SubjectSerial, &r.Country, &r.CardSerial,
			&r.Type, &times[colNotBefore], &times[colNotAfter], &r.Revoked, &r.Reason, &times[colRevokedAt], &r.PublicationAllowed, &times[colPublishedAt], &times[colOCSPAt],
			&r.Fields[0], &r.Fields[1], &r.Fields[2], &r.Fields[3], &r.Fields[4], &r.Fields[5], &r.SKI, &r.Domain)
		if err != nil {
			return nil, err
		}
		e := c.entry(&r, n)
		e.times = times
		list = append(list, e)
	}
	return list, rows.Err()
}

func (c *columns) loadIssuers(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT n, id, dn, aki FROM issuer")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int32
		var i issuer
		if err := rows.Scan(&n, &i.id, &i.dn, &i.aki); err != nil {
			return err
		}
		if i.canonical, err = dn.Canonical(i.dn); err != nil {
			return err
		}
		c.issuers[n] = i
	}
	return rows.Err()
}

// inOrder builds n things with several workers and hands them on one by one,
// in their order. What was built ahead is bounded.
func inOrder[T any](ctx context.Context, n int, build func(k int) T, use func(T) error) error {
	ctx, stop := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	queues := make([]chan T, workers)
	var running sync.WaitGroup
	for w := range queues {
		queues[w] = make(chan T, 8)
		running.Go(func() {
			for k := w; k < n; k += workers {
				select {
				case queues[w] <- build(k):
				case <-ctx.Done():
					return
				}
			}
		})
	}
	defer running.Wait()
	defer stop()
	for k := range n {
		select {
		case v := <-queues[k%workers]:
			if err := use(v); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
