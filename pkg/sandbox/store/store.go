package store

import (
	"context"
	"errors"
	"time"
)

var errLater = errors.New("not written yet")

// Store is safe for use by several goroutines.
type Store struct{}

// Open opens the store in the file path, made when missing, or in memory when
// path is empty.
func Open(ctx context.Context, path string) (*Store, error) { return nil, errLater }

// Close writes what is left and releases the file.
func (s *Store) Close() error { return errLater }

// Search returns a page of the certificates that match, in the order of their
// ids, and how many match in all. Nothing found is no error. A filter that
// cannot be read is a *BadField.
func (s *Store) Search(ctx context.Context, q Query) (page []Cert, hits int, err error) {
	return nil, 0, errLater
}

// Get returns one certificate with its bytes; false when there is none.
func (s *Store) Get(ctx context.Context, id int64) (Cert, bool, error) {
	return Cert{}, false, errLater
}

// Add stores a certificate and returns its id: c.ID when given, else the next.
func (s *Store) Add(ctx context.Context, c Cert) (int64, error) { return 0, errLater }

// SetDER keeps the bytes of a seeded certificate; bytes already there stay,
// and those that count are returned.
func (s *Store) SetDER(ctx context.Context, id int64, der []byte) ([]byte, error) {
	return nil, errLater
}

// RevokedBy returns, as of one moment, the number of an issuer's CRL and its
// entries in the order of ids. The number rises with every transaction that
// revokes or reinstates one of the issuer's certificates.
func (s *Store) RevokedBy(ctx context.Context, issuerID string) (number int64, entries []RevokedEntry, err error) {
	return 0, nil, errLater
}

// Meta returns a named value, "" when it was never set.
func (s *Store) Meta(ctx context.Context, key string) (string, error) { return "", errLater }

// SetMeta keeps a named value.
func (s *Store) SetMeta(ctx context.Context, key, value string) error { return errLater }

// Seed fills a store with n certificates; see SeedOptions. It refuses one that
// holds seeded or issued certificates already.
func (s *Store) Seed(ctx context.Context, n int, o SeedOptions) error { return errLater }

// Update runs fn in one transaction: all that it did is kept, or, when it
// returns an error, nothing. Inside fn use tx only, never the Store: there is
// one writer at a time, and a store in memory has one connection.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error { return errLater }

// Tx is a transaction made by Update. It changes state and checks no rules.
type Tx struct{}

// Get is Store.Get with what the transaction changed so far.
func (tx *Tx) Get(id int64) (Cert, bool, error) { return Cert{}, false, errLater }

// Revoke marks a certificate as revoked (Hold: on hold).
func (tx *Tx) Revoke(id int64, reason int, at time.Time) error { return errLater }

// Reinstate makes a certificate active again.
func (tx *Tx) Reinstate(id int64) error { return errLater }

// Add is Store.Add within the transaction.
func (tx *Tx) Add(c Cert) (int64, error) { return 0, errLater }

// SetMeta is Store.SetMeta within the transaction.
func (tx *Tx) SetMeta(key, value string) error { return errLater }

// Use notes that a nonce was used; false when it had been used before.
func (tx *Tx) Use(nonce string) (bool, error) { return false, errLater }
