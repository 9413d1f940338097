package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// MetaSeeded names the value that holds the n of Seed, once it is done.
const MetaSeeded = "seeded"

// Seed fills a store with n certificates of end entities, n/1000 of CAs and,
// from a thousand on, the few that seedOdd makes. It refuses a store that
// holds seeded or issued certificates already.
func (s *Store) Seed(ctx context.Context, n int, o SeedOptions) error {
	if n <= 0 {
		return nil
	}
	if s.reader != s.writer {
		// A transaction that only appends to the file has nothing to save for a
		// rollback, if the journal is of the old kind; a write-ahead log would
		// hold every row a second time. The mode changes when no one else reads.
		s.reader.SetMaxIdleConns(0)
		defer s.reader.SetMaxIdleConns(fileReaders)
		if err := s.journal(ctx, "truncate"); err != nil {
			return err
		}
	}
	err := s.Update(ctx, func(tx *Tx) error { return tx.seed(n, o) })
	if s.reader != s.writer {
		err = errors.Join(err, s.journal(ctx, "wal"))
	}
	return err
}

func (s *Store) journal(ctx context.Context, mode string) error {
	var got string
	if err := s.writer.QueryRowContext(ctx, "PRAGMA journal_mode="+mode).Scan(&got); err != nil {
		return err
	}
	if got != mode {
		return fmt.Errorf("the store's journal is %q instead of %q: is another sandbox using it?", got, mode)
	}
	return nil
}

// rowsPerInsert is past the point from which more rows at a time are no faster.
const rowsPerInsert = 64

// seeded is what one worker made: rows for SQL, and the columns.
type seeded struct {
	args    []any
	entries []entry
}

func (tx *Tx) seed(n int, o SeedOptions) error {
	if !tx.empty {
		return errors.New("the store holds certificates already, it cannot be seeded: use another directory")
	}
	plan := newSeedPlan(n, o)
	numbers := map[string]int32{}
	for _, i := range []SeedIssuer{o.Root, o.Issue[0], o.Issue[1]} {
		number, err := tx.issuer(i.ID, i.DN, i.AKI)
		if err != nil {
			return err
		}
		numbers[i.ID] = number
	}
	insert, err := tx.tx.PrepareContext(tx.ctx, insertCerts(rowsPerInsert))
	if err != nil {
		return err
	}
	defer insert.Close()

	// The columns are read by searches meanwhile: fill others, then copy them.
	fresh := newColumns()
	fresh.seed = tx.store.cols.seed
	total := plan.total()
	fresh.grow(total)
	err = inOrder(tx.ctx, (total+rowsPerInsert-1)/rowsPerInsert,
		func(b int) seeded {
			lo, hi := b*rowsPerInsert, min((b+1)*rowsPerInsert, total)
			out := seeded{args: make([]any, 0, (hi-lo)*len(certColumns))}
			for k := lo; k < hi; k++ {
				c := plan.row(k)
				number := numbers[c.IssuerID]
				out.args = args(out.args, &c, number)
				out.entries = append(out.entries, fresh.entry(&c, number))
			}
			return out
		},
		func(b seeded) error {
			if err := insertSome(tx, insert, b); err != nil {
				return err
			}
			for _, e := range b.entries {
				fresh.add(e)
			}
			return nil
		})
	if err != nil {
		return err
	}
	for id := range numbers {
		if _, err := tx.touch(id); err != nil {
			return err
		}
	}
	tx.applied = append(tx.applied, func(c *columns) { c.merge(fresh) })
	return tx.SetMeta(MetaSeeded, strconv.Itoa(n))
}

func insertSome(tx *Tx, full *sql.Stmt, b seeded) error {
	if len(b.entries) == rowsPerInsert {
		_, err := full.ExecContext(tx.ctx, b.args...)
		return err
	}
	_, err := tx.tx.ExecContext(tx.ctx, insertCerts(len(b.entries)), b.args...)
	return err
}
