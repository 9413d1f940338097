package cmdutil

import (
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Lists are what one --from names: a file, standard input, or the files of a
// folder.
type Lists struct {
	name  string
	lists []*List
	spool *os.File // what came through a pipe; nil: nothing did
}

// OpenLists finds the lists that a path names, - for standard input. Close
// gives up what was kept to read them.
func (f *Factory) OpenLists(path string, as ListAs) (*Lists, error) {
	ls := &Lists{name: InputName(path)}
	if path == "-" {
		if err := ls.keep(f.Streams.In); err != nil {
			return nil, err
		}
		ls.lists = []*List{{name: ls.name, as: as, open: ls.kept}}
		return ls, nil
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, exit.Usagef("", "%w", unstat(err))
	}
	paths := []string{path}
	if st.IsDir() {
		names, err := f.CertificateFiles(path)
		if err != nil {
			return nil, err
		}
		paths = paths[:0]
		for _, n := range names {
			paths = append(paths, filepath.Join(path, n))
		}
	} else if !st.Mode().IsRegular() { // a named pipe, or <(...)
		in, err := os.Open(path)
		if err != nil {
			return nil, exit.Usagef("", "%w", err)
		}
		defer func() { _ = in.Close() }()
		if err := ls.keep(in); err != nil {
			return nil, err
		}
		ls.lists = []*List{{name: ls.name, as: as, open: ls.kept}}
		return ls, nil
	}
	for _, p := range paths {
		ls.lists = append(ls.lists, &List{name: p, as: as, among: st.IsDir(), open: func() (io.ReadSeekCloser, error) {
			in, err := os.Open(p)
			if err != nil {
				return nil, exit.Usagef("", "%w", err)
			}
			return in, nil
		}})
	}
	return ls, nil
}

// unstat words a missing file as opening it would.
func unstat(err error) error {
	if pe, ok := err.(*os.PathError); ok { //nolint:errorlint // as os.Stat returns it
		pe.Op = "open"
	}
	return err
}

// keep copies what can be read once into a file that is gone with the program:
// lists are read twice, and never held in memory.
func (ls *Lists) keep(in io.Reader) error {
	file, err := os.CreateTemp("", "cmctl-list-*")
	if err != nil {
		return exit.New(exit.Failure, "set TMPDIR to a folder that can be written", "what comes through a pipe is kept while it is read: %w", err)
	}
	ls.spool = file
	_ = os.Remove(file.Name()) // where an open file cannot be removed, Close does it
	if _, err := io.Copy(file, in); err != nil {
		ls.Close()
		return exit.Usagef("", "%s: %w", ls.name, err)
	}
	return nil
}

type notClosed struct{ io.ReadSeeker }

func (notClosed) Close() error { return nil }

func (ls *Lists) kept() (io.ReadSeekCloser, error) {
	if _, err := ls.spool.Seek(0, io.SeekStart); err != nil {
		return nil, exit.Usagef("", "%s: %w", ls.name, err)
	}
	return notClosed{ls.spool}, nil
}

// Close gives up what was kept.
func (ls *Lists) Close() {
	if ls.spool != nil {
		_ = ls.spool.Close()
		_ = os.Remove(ls.spool.Name())
	}
}

// tellColumns tells what is odd about the columns of lists that were read.
func (ls *Lists) tellColumns(f *Factory) {
	for _, l := range ls.lists {
		for _, note := range l.odd {
			f.remark("columns", place(l.name, 0)+note)
		}
	}
}

// past tells lists that have reasons, and these of the past.
func (ls *Lists) past() bool {
	return slices.ContainsFunc(ls.lists, func(l *List) bool { return l.past })
}

// empty refuses lists without an entry, but for those of what became of items:
// then there is nothing to do.
func (ls *Lists) empty() error {
	if !slices.ContainsFunc(ls.lists, func(l *List) bool { return !l.ends }) {
		return nil
	}
	return exit.Usagef("a list has one certid, serial or record a line", "%s: the list is empty", ls.name)
}

// Each hands out the entries in their order. It ends with all wrong lines, or
// with an error of emit.
func (ls *Lists) Each(emit func(Entry) error) error {
	bad, err := ls.each(emit)
	if err != nil {
		return err
	}
	return bad.err()
}

func (ls *Lists) each(emit func(Entry) error) (problems, error) {
	r := &reading{emit: emit}
	for _, l := range ls.lists {
		if err := l.read(r); err != nil {
			return r.bad, err
		}
	}
	return r.bad, nil
}
