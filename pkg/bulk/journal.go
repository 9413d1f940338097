package bulk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// journalVersion is that of the form of the file. 2: each line has a checksum.
const journalVersion = 2

// JournalFile is the journal's name in a job's folder.
const JournalFile = "journal.jsonl"

// Header is what a job is bound to. It is written once, behind the items, and
// never changes.
type Header struct {
	Job       string    `json:"job"`
	Verb      string    `json:"verb"`     // "cert revoke"
	Describe  string    `json:"describe"` // "revoke with reason superseded"
	Context   string    `json:"context,omitempty"`
	Server    string    `json:"server"`
	CA        string    `json:"ca"`      // SHA-256 of the certificates trusted for the gateway; "system"
	Officer   string    `json:"officer"` // SHA-256 of the signing certificate
	Name      string    `json:"officerName"`
	Comment   string    `json:"comment,omitempty"`
	Ticket    string    `json:"ticket,omitempty"`
	Drill     bool      `json:"drill,omitempty"`
	Batch     int       `json:"batch"`
	KeyColumn string    `json:"keyColumn,omitempty"` // what keys are called in lists; certid by default
	OneGroup  bool      `json:"oneGroup,omitempty"`  // by its verb: lists need not give it, and another verb has another
	Created   time.Time `json:"created"`
	Items     int       `json:"items"`
	Excluded  int       `json:"excluded,omitempty"`
	LeftOut   int       `json:"leftOut,omitempty"` // wrong lines, by --skip-invalid
	Remarks   []string  `json:"remarks,omitempty"` // what was odd about the input, as it was told
	SHA256    string    `json:"sha256"`            // of the plan: see Builder.SHA256
	Search    string    `json:"search,omitempty"`  // filters that the plan was made by
	Summary   Summary   `json:"summary,omitzero"`
	Verify    string    `json:"verify,omitempty"`
	Closes    bool      `json:"closes,omitempty"` // its verb has something to do behind the last item
	Pilot     int       `json:"pilot,omitempty"`  // how many go first, and are looked at before the others follow

	// How the verb was called: what is needed to go on. Secrets are never
	// arguments.
	Flags  map[string][]string `json:"flags,omitempty"`
	Args   []string            `json:"args,omitempty"`
	Folder string              `json:"folder,omitempty"` // that file names are relative to

	// Temporary files of its runs have Mark in their names and are in these
	// folders: by that a run knows what one that was killed left there.
	Mark   string   `json:"mark,omitempty"`
	Marked []string `json:"marked,omitempty"`
}

// record is one line of the journal. Which members it has depends on Type.
type record struct {
	Type    string    `json:"t"`
	Version int       `json:"v,omitempty"`
	At      time.Time `json:"at,omitzero"`

	Items    []planned  `json:"items,omitempty"`    // "items"
	Excluded []excluded `json:"excluded,omitempty"` // "excluded"
	Job      *Header    `json:"job,omitempty"`      // "job"

	Batch   int      `json:"b,omitempty"` // "asked", "sent", "answered"
	Indexes ranges   `json:"i,omitempty"`
	Group   string   `json:"g,omitempty"`
	Done    ranges   `json:"done,omitempty"`
	Already ranges   `json:"already,omitempty"`
	Skipped ranges   `json:"skipped,omitempty"` // asked, and then not sent after all
	Signed  ranges   `json:"signed,omitempty"`  // by a drill, of those skipped
	Wrong   []wrong  `json:"wrong,omitempty"`
	Made    []madeID `json:"made,omitempty"`

	New   []Newcomer `json:"new,omitempty"` // "newcomers": some of them
	Count int        `json:"n,omitempty"`   // "newcomers": all, in the last record of a search

	By     string `json:"by,omitempty"`   // "run": SHA-256 of the signing certificate
	Name   string `json:"name,omitempty"` // "run": its subject
	Reason string `json:"why,omitempty"`  // "end"
	Exit   int    `json:"exit,omitempty"` // "end"
	Closed bool   `json:"closed,omitempty"`
}

// The types of records.
const (
	recStart    = "cmctl-journal"
	recItems    = "items"
	recExcluded = "excluded"
	recJob      = "job"
	recRun      = "run"      // a run begins or goes on
	recAsked    = "asked"    // a request without signature is about to leave
	recSent     = "sent"     // a signed request is about to leave
	recAnswered = "answered" // what became of items, as read back
	recPilot    = "pilot"    // the pilot has passed: the others follow
	recEnd      = "end"
	recNew      = "newcomers" // what the search found at the end and the plan does not have
)

type planned struct {
	Key   string `json:"k"`
	Line  int    `json:"l,omitempty"`
	Input string `json:"in,omitempty"`
	Group string `json:"g,omitempty"`
	Data  []byte `json:"d,omitempty"`
	Late  bool   `json:"late,omitempty"` // the data came when the item was planned already, and are not in its digest
}

type excluded struct {
	Key string `json:"k"`
	Why string `json:"why,omitempty"`
}

// wrong is an item that is neither done nor already so.
type wrong struct {
	Index   int     `json:"i"`
	Outcome Outcome `json:"o"`
	Code    int     `json:"code,omitempty"`
	Exit    int     `json:"exit,omitempty"`
	Message string  `json:"msg"`
	ID      string  `json:"id,omitempty"`
	Moment  bool    `json:"moment,omitempty"` // by what stopped the run: the next one may send it again
}

type madeID struct {
	Index int    `json:"i"`
	ID    string `json:"id"`
}

// store is where a journal is kept: a file, or memory for a single item.
type store interface {
	io.ReaderAt
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// appender appends records. Those that must be on disk before something happens are
// synced, many of them at a time. It is safe for concurrent use.
type appender struct {
	s    store
	path string // empty: memory

	mu      sync.Mutex
	wake    *sync.Cond
	size    int64 // written
	buf     bytes.Buffer
	queued  int64 // size after what is in buf
	synced  int64
	syncing bool
	draft   bool  // nothing was sent yet
	err     error // the first that failed: nothing is written after it
}

func newAppender(s store, path string, size int64) *appender {
	l := &appender{s: s, path: path, size: size, queued: size, synced: size}
	l.wake = sync.NewCond(&l.mu)
	return l
}

// append puts a record at the end; durable waits until it is on disk.
func (l *appender) append(r record, durable bool) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	line = seal(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.buf.Write(line)
	l.buf.WriteByte('\n')
	l.queued += int64(len(line)) + 1
	want := l.queued
	if !durable {
		if l.buf.Len() >= 1<<16 && !l.syncing {
			l.flush(false)
		}
		return l.err
	}
	for l.err == nil && l.synced < want {
		if l.syncing {
			l.wake.Wait() // another's sync may take ours along
			continue
		}
		l.flush(true)
	}
	return l.err
}

// flush writes what is queued; sync brings it to disk as well. The lock is held
// on entry and on return, and not while the disk works.
func (l *appender) flush(sync bool) {
	l.syncing = true
	data := bytes.Clone(l.buf.Bytes())
	l.buf.Reset()
	end := l.queued
	l.mu.Unlock()
	n, err := l.s.Write(data)
	if err == nil && sync {
		err = l.s.Sync()
	}
	l.mu.Lock()
	l.syncing = false
	if err != nil {
		if n < len(data) { // half of a record is worse than none
			_ = l.s.Truncate(l.size)
		}
		if l.draft {
			l.err = exit.New(exit.Failure, "make room there and run the same command again", "nothing was sent: the journal %s cannot be written: %w", l.name(), err)
		} else {
			l.err = exit.New(exit.Failure, "make room there; what is settled stands, and `cmctl job resume` reads the rest back", "the journal %s cannot be written: %w", l.name(), err)
		}
	} else {
		l.size = end
		if sync {
			l.synced = end
		}
	}
	l.wake.Broadcast()
}

func (l *appender) name() string {
	if l.path == "" {
		return "in memory"
	}
	return l.path
}

// flushAll writes what is queued and syncs it.
func (l *appender) flushAll() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.syncing {
		l.wake.Wait()
	}
	if l.err == nil && l.synced < l.queued {
		l.flush(true)
	}
	return l.err
}

// sealed is what stands at the end of a line: the CRC-32 of the record without it.
// A disk or a copy that changes a bit of what became of which items is found out.
const sealed = `,"crc":"00000000"}`

// seal puts the checksum into a record.
func seal(line []byte) []byte {
	sum := crc32.ChecksumIEEE(line)
	return fmt.Appendf(line[:len(line)-1], `,"crc":"%08x"}`, sum)
}

// intact tells a line whose checksum is right.
func intact(line []byte) bool {
	n := len(line) - len(sealed)
	return n > 0 && bytes.Equal(line, seal(append(bytes.Clone(line[:n]), '}')))
}

// memory is a store for what need not survive.
type memory struct {
	mu   sync.Mutex
	data []byte
}

func (m *memory) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data = append(m.data, p...)
	return len(p), nil
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if off >= int64(len(m.data)) {
		return 0, io.EOF
	}
	n := copy(p, m.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (*memory) Sync() error          { return nil }
func (*memory) Truncate(int64) error { return nil }
func (*memory) Close() error         { return nil }

// scan reads records from the start and calls each with its place in the file.
// It returns the size up to the end of the last whole record.
func scan(s io.ReaderAt, each func(r *record, at, n int64) error) (int64, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(s, 0, 1<<62), 1<<16)
	var at int64
	for line := 1; ; line++ {
		raw, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return at, nil // a last line without its end was torn by a crash
		case err != nil:
			return at, err
		}
		var r record
		err = json.Unmarshal(raw, &r)
		switch {
		case err != nil:
		case line == 1 && (r.Type != recStart || r.Version != journalVersion):
			return at, fmt.Errorf("line 1: expected a journal of version %d", journalVersion)
		case !intact(bytes.TrimRight(raw, "\r\n")):
			err = errors.New("it was changed since it was written: its checksum is another")
		}
		if err != nil {
			if _, e := in.Peek(1); errors.Is(e, io.EOF) {
				return at, nil // torn: its blocks came to disk in another order
			}
			return at, fmt.Errorf("line %d: %w", line, err)
		}
		if err := each(&r, at, int64(len(raw))); err != nil {
			return at, fmt.Errorf("line %d: %w", line, err)
		}
		at += int64(len(raw))
	}
}

func openAppend(path string, create bool) (*os.File, error) {
	flags := os.O_RDWR | os.O_APPEND
	if create {
		flags |= os.O_CREATE | os.O_EXCL
	}
	return os.OpenFile(path, flags, 0o600)
}
