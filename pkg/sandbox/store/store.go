package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"sync"

	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schema string

// fileReaders is how many connections read from a file at once.
const fileReaders = 4

// Store is safe for use by several goroutines.
type Store struct {
	// One connection writes. Reads have others in a file store; in memory
	// there is only the one, and both names mean it.
	writer, reader *sql.DB

	mu   sync.RWMutex // guards what follows; held over a commit, so that both change at once
	cols *columns
}

// Open opens the store in the file path, made when missing, or in memory when
// path is empty.
func Open(ctx context.Context, path string) (*Store, error) {
	s := &Store{}
	var err error
	if path == "" {
		if s.writer, err = connect("file::memory:", "temp_store(memory)", 1); err != nil {
			return nil, err
		}
		s.reader = s.writer
	} else {
		file := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String()
		if s.writer, err = connect(file, "journal_mode(wal)", 1); err != nil {
			return nil, err
		}
		if s.reader, err = connect(file, "query_only(1)", fileReaders); err != nil {
			return nil, errors.Join(err, s.writer.Close())
		}
	}
	if _, err = s.writer.ExecContext(ctx, schema); err == nil {
		s.cols, err = load(ctx, s.reader)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the store cannot be opened: %w", err), s.Close())
	}
	return s, nil
}

// connect opens a pool. What SQLite keeps after a crash of the process is all
// that was committed; synchronous(normal) may lose the last moments when the
// machine itself goes down, which a sandbox can bear.
func connect(file, pragma string, conns int) (*sql.DB, error) {
	q := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", pragma, "synchronous(normal)", "cache_size(-65536)"},
	}
	db, err := sql.Open("sqlite", file+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// Close writes what is left and releases the file.
func (s *Store) Close() error {
	if s.reader == s.writer {
		return s.writer.Close()
	}
	return errors.Join(s.reader.Close(), s.writer.Close())
}
