package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store/dn"
)

// Tx is a transaction made by Update. It changes state and checks no rules.
type Tx struct {
	ctx     context.Context
	store   *Store
	tx      *sql.Tx
	next    int64            // id of the next certificate
	empty   bool             // no certificate but the sandbox's own
	issuers map[issuer]int32 // those looked up
	crls    map[string]int64 // numbers of the CRLs that change, by issuer
	applied []func(*columns) // what the columns learn once it is committed
}

// Update runs fn in one transaction: all that it did is kept, or, when it
// returns an error, nothing. Inside fn use tx only, never the Store: there is
// one writer at a time, and a store in memory has one connection.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	sqlTx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	tx := &Tx{ctx: ctx, store: s, tx: sqlTx, issuers: map[issuer]int32{}, crls: map[string]int64{}}
	defer func() { _ = sqlTx.Rollback() }() // after a commit it does nothing
	s.mu.RLock()
	tx.next, tx.empty = s.cols.nextID(), s.cols.empty()
	for n, i := range s.cols.issuers {
		tx.issuers[i] = n
	}
	s.mu.RUnlock()
	if err := fn(tx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := sqlTx.Commit(); err != nil {
		if ctx.Err() != nil { // which has rolled it back, a moment before
			return ctx.Err()
		}
		return err
	}
	for _, apply := range tx.applied {
		apply(s.cols)
	}
	return nil
}

// Get is Store.Get with what the transaction changed so far, and without the
// bytes.
func (tx *Tx) Get(id int64) (Cert, bool, error) {
	return known(scan(tx.tx.QueryRowContext(tx.ctx, selectOne, id), func(n int32) issuer {
		for i, m := range tx.issuers { // a few
			if m == n {
				return i
			}
		}
		return issuer{}
	}))
}

// Revoke marks a certificate as revoked (Hold: on hold).
func (tx *Tx) Revoke(id int64, reason int, at time.Time) error {
	return tx.setRevoked(id, RevokedEntry{ID: id, Reason: reason, At: at}, millis(at))
}

// Reinstate makes a certificate active again.
func (tx *Tx) Reinstate(id int64, at time.Time) error {
	return tx.setRevoked(id, RevokedEntry{ID: id}, millis(at))
}

// setRevoked changes how a certificate is revoked; a new entry that has no time
// says that it is not.
func (tx *Tx) setRevoked(id int64, e RevokedEntry, at int64) error {
	if e.Reason < 0 || e.Reason > maxReason {
		return fmt.Errorf("no revocation reason has number %d", e.Reason)
	}
	var issuerID, serial string
	var revoked bool
	var reason int
	var revokedAt int64
	err := tx.tx.QueryRowContext(tx.ctx, "SELECT i.id, c.serial, c.revoked, c.reason, c.revoked_at FROM cert c JOIN issuer i ON i.n = c.issuer WHERE c.id = ?", id).
		Scan(&issuerID, &serial, &revoked, &reason, &revokedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("no certificate has id %d", id)
	}
	if err != nil {
		return err
	}
	number, err := tx.touch(issuerID)
	if err != nil {
		return err
	}
	if _, err := tx.tx.ExecContext(tx.ctx, "INSERT INTO change (issuer, number, at, certid, serial, revoked, reason, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		issuerID, number, at, id, serial, revoked, reason, revokedAt); err != nil {
		return err
	}
	now := !e.At.IsZero()
	if _, err := tx.tx.ExecContext(tx.ctx, "UPDATE cert SET revoked = ?, reason = ?, revoked_at = ? WHERE id = ?", now, e.Reason, millis(e.At), id); err != nil {
		return err
	}
	tx.applied = append(tx.applied, func(c *columns) { c.revoke(id, now, e.Reason, millis(e.At)) })
	return nil
}

// touch gives an issuer's CRL its next number, once in a transaction; imported
// certificates have none.
func (tx *Tx) touch(issuerID string) (number int64, err error) {
	if number, ok := tx.crls[issuerID]; ok || issuerID == "" {
		return number, nil
	}
	err = tx.tx.QueryRowContext(tx.ctx, "INSERT INTO crl (issuer, number) VALUES (?, 2) ON CONFLICT DO UPDATE SET number = number + 1 RETURNING number", issuerID).Scan(&number)
	tx.crls[issuerID] = number
	return number, err
}

// Add is Store.Add within the transaction.
func (tx *Tx) Add(c Cert) (int64, error) {
	if c.Reason < 0 || c.Reason > maxReason {
		return 0, fmt.Errorf("no revocation reason has number %d", c.Reason)
	}
	n, err := tx.issuer(c.IssuerID, c.IssuerDN, c.AKI)
	if err != nil {
		return 0, err
	}
	if c.ID == 0 {
		c.ID = tx.next
	}
	if _, err := tx.tx.ExecContext(tx.ctx, insertCert, args(nil, &c, n)...); err != nil {
		return 0, fmt.Errorf("certificate %d cannot be stored: %w", c.ID, err)
	}
	if c.DER != nil {
		if _, err := tx.tx.ExecContext(tx.ctx, "INSERT INTO der (id, der) VALUES (?, ?)", c.ID, c.DER); err != nil {
			return 0, err
		}
	}
	tx.next = max(tx.next, c.ID+1)
	if c.Revoked {
		if _, err := tx.touch(c.IssuerID); err != nil {
			return 0, err
		}
	}
	tx.applied = append(tx.applied, func(cols *columns) { cols.add(cols.entry(&c, n)) })
	return c.ID, nil
}

// Holds says whether a certificate with that issuer and serial number, both as
// stored, was added before; those that Seed made are not looked at.
func (tx *Tx) Holds(issuerDN, serial string) (held bool, err error) {
	err = tx.tx.QueryRowContext(tx.ctx, `SELECT EXISTS (SELECT 1 FROM cert WHERE seed = 0 AND serial = ?
		AND issuer IN (SELECT n FROM issuer WHERE dn = ?))`, serial, issuerDN).Scan(&held)
	return held, err
}

// issuer returns the number of an issuer, which it gets when it is new.
func (tx *Tx) issuer(id, name, aki string) (int32, error) {
	canonical, err := dn.Canonical(name)
	if err != nil {
		return 0, fmt.Errorf("the issuer's name %q cannot be read: %w", name, err)
	}
	i := issuer{id, name, aki, canonical}
	if n, ok := tx.issuers[i]; ok {
		return n, nil
	}
	var n int32
	if err := tx.tx.QueryRowContext(tx.ctx, "INSERT INTO issuer (id, dn, aki) VALUES (?, ?, ?) RETURNING n", id, name, aki).Scan(&n); err != nil {
		return 0, err
	}
	tx.issuers[i] = n
	tx.applied = append(tx.applied, func(c *columns) { c.issuers[n] = i })
	return n, nil
}

// SetMeta is Store.SetMeta within the transaction.
func (tx *Tx) SetMeta(key, value string) error {
	_, err := tx.tx.ExecContext(tx.ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", key, value)
	return err
}

// Use notes that a nonce was used; false when it had been used before.
func (tx *Tx) Use(nonce string) (bool, error) {
	r, err := tx.tx.ExecContext(tx.ctx, "INSERT INTO used (nonce) VALUES (?) ON CONFLICT DO NOTHING", nonce)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n == 1, err
}
