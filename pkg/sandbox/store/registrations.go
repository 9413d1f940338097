package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Registration is a permission to enrol under a procedure.
type Registration struct {
	ID      string // regid
	ProcID  string
	Type    string // est, cmp, scep, acme, device
	FQDN    string
	Days    int       // it stays open that long from Opened; 0: always
	Opened  time.Time // when Days began to count
	Closed  bool      // by an officer
	Officer string    // who signed
	Created time.Time

	Secret  string            // password or HMAC key, encrypted by the caller
	Details map[string]string // what only some types have, and no list shows

	CertIDs    []int64  // issued under it; read only
	AccountIDs []string // ACME accounts under it; read only
}

// Open says whether certificates may be made under the registration.
func (r *Registration) Open(now time.Time) bool {
	return !r.Closed && (r.Days == 0 || r.Opened.Add(time.Duration(r.Days)*day).After(now))
}

// RegistrationQuery holds the filters of registration lists. One with its zero
// value does not narrow the list; names are compared without case.
type RegistrationQuery struct {
	ProcID  string
	ID      string
	FQDN    string
	Type    string
	Officer string
	Days    *int  // 0: always
	Open    *bool // as of Now
	Now     time.Time
}

const selectRegistration = `SELECT regid, procid, type, fqdn, days, opened, closed, officer, created, secret, details,
	(SELECT coalesce(group_concat(certid), '') FROM (SELECT certid FROM enrolled WHERE regid = r.regid ORDER BY certid)),
	(SELECT coalesce(group_concat(accountid), '') FROM (SELECT accountid FROM account WHERE regid = r.regid ORDER BY n))
	FROM registration r `

func scanRegistration(row interface{ Scan(...any) error }) (Registration, error) {
	var r Registration
	var opened, created int64
	var details, certIDs, accountIDs string
	err := row.Scan(&r.ID, &r.ProcID, &r.Type, &r.FQDN, &r.Days, &opened, &r.Closed, &r.Officer, &created, &r.Secret, &details, &certIDs, &accountIDs)
	if err != nil {
		return r, err
	}
	r.Opened, r.Created = instant(opened), instant(created)
	if r.CertIDs, err = splitIDs(certIDs); err != nil {
		return r, err
	}
	if accountIDs != "" {
		r.AccountIDs = strings.Split(accountIDs, ",")
	}
	return r, json.Unmarshal([]byte(details), &r.Details)
}

// splitIDs reads what group_concat made of ids.
func splitIDs(list string) ([]int64, error) {
	if list == "" {
		return nil, nil
	}
	var out []int64
	for _, s := range strings.Split(list, ",") {
		id, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// Registrations returns those that match, in the order they were made.
func (s *Store) Registrations(ctx context.Context, q RegistrationQuery) ([]Registration, error) {
	where, args := []string{"1"}, []any{}
	add := func(wanted bool, condition string, values ...any) {
		if wanted {
			where, args = append(where, condition), append(args, values...)
		}
	}
	add(q.ProcID != "", "procid = ?", q.ProcID)
	add(q.ID != "", "regid = ?", q.ID)
	add(q.FQDN != "", "fqdn = ?", q.FQDN)
	add(q.Type != "", "type = ?", q.Type)
	add(q.Officer != "", "officer = ?", q.Officer)
	if q.Days != nil {
		add(true, "days = ?", *q.Days)
	}
	if q.Open != nil {
		add(true, "(closed = 0 AND (days = 0 OR opened + days * 86400000 > ?)) = ?", millis(q.Now), *q.Open)
	}
	rows, err := s.reader.QueryContext(ctx, selectRegistration+"WHERE "+strings.Join(where, " AND ")+" ORDER BY n", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Registration
	for rows.Next() {
		r, err := scanRegistration(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// RegistrationOf returns the one under which a certificate was issued; false
// when there is none.
func (s *Store) RegistrationOf(ctx context.Context, certID int64) (Registration, bool, error) {
	return oneRegistration(s.reader.QueryRowContext(ctx, selectRegistration+"WHERE regid = (SELECT regid FROM enrolled WHERE certid = ?)", certID))
}

func oneRegistration(row *sql.Row) (Registration, bool, error) {
	r, err := scanRegistration(row)
	if errors.Is(err, sql.ErrNoRows) {
		return Registration{}, false, nil
	}
	return r, err == nil, err
}

// Registration returns one by its id; false when there is none.
func (tx *Tx) Registration(id string) (Registration, bool, error) {
	return oneRegistration(tx.tx.QueryRowContext(tx.ctx, selectRegistration+"WHERE regid = ?", id))
}

// PutRegistration stores a registration, in the place of the one with its id.
func (tx *Tx) PutRegistration(r Registration) error {
	if r.Details == nil {
		r.Details = map[string]string{}
	}
	details, err := json.Marshal(r.Details)
	if err != nil {
		return err
	}
	_, err = tx.tx.ExecContext(tx.ctx, `INSERT INTO registration (regid, procid, type, fqdn, days, opened, closed, officer, created, secret, details)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (regid) DO UPDATE SET fqdn = excluded.fqdn, days = excluded.days,
		opened = excluded.opened, closed = excluded.closed, officer = excluded.officer, secret = excluded.secret, details = excluded.details`,
		r.ID, r.ProcID, r.Type, r.FQDN, r.Days, millis(r.Opened), r.Closed, r.Officer, millis(r.Created), r.Secret, string(details))
	return err
}

// Enrol notes under which registration, and ACME account when there is one, a
// certificate was issued.
func (tx *Tx) Enrol(certID int64, regID, accountID string) error {
	_, err := tx.tx.ExecContext(tx.ctx, "INSERT INTO enrolled (certid, regid, accountid) VALUES (?, ?, ?)", certID, regID, accountID)
	return err
}
