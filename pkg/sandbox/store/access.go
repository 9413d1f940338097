package store

import (
	"context"
	"database/sql"
	"errors"
)

// querier is a pool or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Get returns one certificate with its bytes; false when there is none.
func (s *Store) Get(ctx context.Context, id int64) (Cert, bool, error) {
	return get(ctx, s.reader, id)
}

func get(ctx context.Context, db querier, id int64) (Cert, bool, error) {
	c, err := scan(db.QueryRowContext(ctx, selectOne, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Cert{}, false, nil
	}
	if err != nil {
		return Cert{}, false, err
	}
	err = db.QueryRowContext(ctx, "SELECT der FROM der WHERE id = ?", id).Scan(&c.DER)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Cert{}, false, err
	}
	return c, true, nil
}

// Add stores a certificate and returns its id: c.ID when given, else the next.
func (s *Store) Add(ctx context.Context, c Cert) (id int64, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		id, err = tx.Add(c)
		return err
	})
	return id, err
}

// SetDER keeps the bytes of a seeded certificate; bytes already there stay,
// and those that count are returned.
func (s *Store) SetDER(ctx context.Context, id int64, der []byte) ([]byte, error) {
	if _, err := s.writer.ExecContext(ctx, "INSERT INTO der (id, der) VALUES (?, ?) ON CONFLICT DO NOTHING", id, der); err != nil {
		return nil, err
	}
	var kept []byte
	err := s.writer.QueryRowContext(ctx, "SELECT der FROM der WHERE id = ?", id).Scan(&kept)
	return kept, err
}

// RevokedBy returns, as of one moment, the number of an issuer's CRL and its
// entries in the order of ids. The number rises with every transaction that
// revokes or reinstates one of the issuer's certificates.
func (s *Store) RevokedBy(ctx context.Context, issuerID string) (number int64, entries []RevokedEntry, err error) {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = tx.Rollback() }()
	err = tx.QueryRowContext(ctx, "SELECT coalesce((SELECT number FROM crl WHERE issuer = ?), 1)", issuerID).Scan(&number)
	if err != nil {
		return 0, nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT serial, reason, revoked_at FROM cert
		WHERE revoked = 1 AND issuer IN (SELECT n FROM issuer WHERE id = ?) ORDER BY id`, issuerID)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e RevokedEntry
		var at int64
		if err := rows.Scan(&e.Serial, &e.Reason, &at); err != nil {
			return 0, nil, err
		}
		e.At = instant(at)
		entries = append(entries, e)
	}
	return number, entries, rows.Err()
}

// Meta returns a named value, "" when it was never set.
func (s *Store) Meta(ctx context.Context, key string) (value string, err error) {
	err = s.reader.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// SetMeta keeps a named value.
func (s *Store) SetMeta(ctx context.Context, key, value string) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.SetMeta(key, value) })
}
