package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"
)

// RevokedBy returns, as of one moment, the number of an issuer's CRL and its
// entries in the order of ids; a zero asOf is now. The number rises with every
// transaction that revokes or reinstates one of the issuer's certificates.
func (s *Store) RevokedBy(ctx context.Context, issuerID string, asOf time.Time) (number int64, entries []RevokedEntry, err error) {
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		undone, err := undo(ctx, tx, issuerID, asOf)
		if err != nil {
			return err
		}
		if number, err = crlNumber(ctx, tx, issuerID, undone); err != nil {
			return err
		}
		entries, err = revoked(ctx, tx, issuerID, undone)
		return err
	})
	return number, entries, err
}

// CRLNumber is the number that RevokedBy returns, without the entries.
func (s *Store) CRLNumber(ctx context.Context, issuerID string, asOf time.Time) (number int64, err error) {
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		undone, err := undo(ctx, tx, issuerID, asOf)
		if err == nil {
			number, err = crlNumber(ctx, tx, issuerID, undone)
		}
		return err
	})
	return number, err
}

func (s *Store) snapshot(ctx context.Context, read func(*sql.Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return read(tx)
}

// before is how a certificate was revoked at the moment that a CRL tells of;
// a zero time says that it was not.
type before struct {
	number int64 // of the CRL that the change made
	entry  RevokedEntry
}

// undo reads the changes of an issuer's certificates since a moment: of each
// certificate the first, which tells how it was then.
func undo(ctx context.Context, tx *sql.Tx, issuerID string, asOf time.Time) (map[int64]before, error) {
	if asOf.IsZero() {
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT number, certid, serial, revoked, reason, revoked_at FROM change WHERE issuer = ? AND at > ? ORDER BY n DESC`,
		issuerID, millis(asOf))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	undone := map[int64]before{}
	for rows.Next() {
		var b before
		var was bool
		var at int64
		if err := rows.Scan(&b.number, &b.entry.ID, &b.entry.Serial, &was, &b.entry.Reason, &at); err != nil {
			return nil, err
		}
		if was {
			b.entry.At = instant(at)
		}
		undone[b.entry.ID] = b
	}
	return undone, rows.Err()
}

func crlNumber(ctx context.Context, tx *sql.Tx, issuerID string, undone map[int64]before) (number int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT coalesce((SELECT number FROM crl WHERE issuer = ?), 1)", issuerID).Scan(&number)
	for _, b := range undone {
		number = min(number, b.number-1)
	}
	return number, err
}

func revoked(ctx context.Context, tx *sql.Tx, issuerID string, undone map[int64]before) ([]RevokedEntry, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, serial, reason, revoked_at FROM cert
		WHERE revoked = 1 AND issuer IN (SELECT n FROM issuer WHERE id = ?) ORDER BY id`, issuerID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []RevokedEntry
	for rows.Next() {
		var e RevokedEntry
		var at int64
		if err := rows.Scan(&e.ID, &e.Serial, &e.Reason, &at); err != nil {
			return nil, err
		}
		e.At = instant(at)
		if _, ok := undone[e.ID]; !ok {
			entries = append(entries, e)
		}
	}
	if len(undone) > 0 {
		for _, b := range undone {
			if !b.entry.At.IsZero() {
				entries = append(entries, b.entry)
			}
		}
		slices.SortFunc(entries, func(a, b RevokedEntry) int { return cmp.Compare(a.ID, b.ID) })
	}
	return entries, rows.Err()
}

// BySerial finds a certificate by its issuer and its serial number in hex,
// whatever its domain: for those who ask about its revocation. Its bytes are
// left out.
func (s *Store) BySerial(ctx context.Context, issuerID, serial string) (Cert, bool, error) {
	s.mu.RLock()
	id := s.cols.bySerial(issuerID, serial)
	s.mu.RUnlock()
	if id == 0 {
		return Cert{}, false, nil
	}
	return s.row(ctx, id)
}

func (c *columns) bySerial(issuerID, serial string) int64 {
	wanted := c.hash(trimZeros(serial))
	for k, h := range c.texts[colSerial] {
		if h == wanted && c.issuers[c.issuer[k]].id == issuerID {
			return c.ids[k]
		}
	}
	return 0
}
