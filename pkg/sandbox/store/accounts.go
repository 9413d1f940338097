package store

import (
	"context"
	"time"
)

// Account is an ACME account under a registration.
type Account struct {
	ID      string
	RegID   string
	FQDN    string // its name
	Officer string
	Created time.Time
	Status  string // active, deactivated, revoked
	Email   string

	KeyID   string  // key id of the registration; read only
	CertIDs []int64 // issued to it; read only
}

// Accounts returns the ACME accounts under a procedure, in the order they were
// made.
func (s *Store) Accounts(ctx context.Context, procID string) ([]Account, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT a.accountid, a.regid, a.fqdn, a.officer, a.created, a.status, a.email, r.fqdn,
		(SELECT coalesce(group_concat(certid), '') FROM (SELECT certid FROM enrolled WHERE accountid = a.accountid ORDER BY certid))
		FROM account a JOIN registration r ON r.regid = a.regid WHERE r.procid = ? ORDER BY a.n`, procID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Account
	for rows.Next() {
		var a Account
		var created int64
		var certIDs string
		if err := rows.Scan(&a.ID, &a.RegID, &a.FQDN, &a.Officer, &created, &a.Status, &a.Email, &a.KeyID, &certIDs); err != nil {
			return nil, err
		}
		a.Created = instant(created)
		if a.CertIDs, err = splitIDs(certIDs); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// AddAccount stores an ACME account.
func (tx *Tx) AddAccount(a Account) error {
	_, err := tx.tx.ExecContext(tx.ctx, "INSERT INTO account (accountid, regid, fqdn, officer, created, status, email) VALUES (?, ?, ?, ?, ?, ?, ?)",
		a.ID, a.RegID, a.FQDN, a.Officer, millis(a.Created), a.Status, a.Email)
	return err
}
