package store

import (
	"context"
	"database/sql"
	"errors"
)

// Get returns one certificate with its bytes; false when there is none.
func (s *Store) Get(ctx context.Context, id int64) (Cert, bool, error) {
	c, found, err := s.row(ctx, id)
	if err != nil || !found {
		return c, found, err
	}
	err = s.reader.QueryRowContext(ctx, "SELECT der FROM der WHERE id = ?", id).Scan(&c.DER)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Cert{}, false, err
	}
	return c, true, nil
}

// row is Get without the bytes.
func (s *Store) row(ctx context.Context, id int64) (Cert, bool, error) {
	return known(scan(s.reader.QueryRowContext(ctx, selectOne, id), func(n int32) issuer {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.cols.issuers[n]
	}))
}

// known is a row that may be missing.
func known(c Cert, err error) (Cert, bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return Cert{}, false, nil
	}
	return c, err == nil, err
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

// Meta returns a named value, "" when it was never set.
func (s *Store) Meta(ctx context.Context, key string) (value string, err error) {
	err = s.reader.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}
