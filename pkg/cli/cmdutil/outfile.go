package cmdutil

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// OutFile is a file that is made before anything is sent and appears under its
// name only when it is whole: temporary, 0600, beside its place. A full disk
// or a missing folder is met before a certificate is issued.
type OutFile struct {
	Path  string
	tmp   *os.File
	force bool
	of    *OutFiles // nil: none
}

const thereHint = "give another name, or --force to overwrite it"

// OutFiles makes the output files of a run. The names of the temporary ones have
// its mark in them: what a killed run left behind is known by it, and nobody
// else's file is.
type OutFiles struct {
	mark    string
	folders []string // where temporary files were made, absolute
	trying  bool     // see Try
	whole   []string // then, the files that were made
	dry     bool
}

// DryRun makes no file from now on: what stands in the way of one is told.
func (o *OutFiles) DryRun() { o.dry = true }

// Mark is the mark: that of the job, when the run goes on with one.
func (o *OutFiles) Mark() string {
	if o.mark == "" {
		var unique [6]byte
		_, _ = rand.Read(unique[:]) // never fails (crypto/rand)
		o.mark = hex.EncodeToString(unique[:])
	}
	return o.mark
}

// temp makes a temporary file, 0600; in a dry run none.
func (o *OutFiles) temp(dir, start string) (*os.File, error) {
	if o.dry {
		st, err := os.Stat(dir)
		switch {
		case err != nil:
			return nil, err
		case !st.IsDir():
			return nil, &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder")}
		}
		return nil, writable(dir)
	}
	tmp, err := os.CreateTemp(dir, start+"."+o.Mark()+".*")
	if err != nil {
		return nil, err
	}
	if folder, err := filepath.Abs(dir); err == nil && !slices.Contains(o.folders, folder) {
		o.folders = append(o.folders, folder)
	}
	return tmp, nil
}

// made is the mark and where files have it; empty when there are none.
func (o *OutFiles) made() (mark string, folders []string) { return o.mark, o.folders }

// clear takes away what runs with this mark left in some folders. None of them
// may be at work.
func (o *OutFiles) clear(folders []string) error {
	var errs []error
	for _, dir := range folders {
		entries, _ := os.ReadDir(dir) // not there on another machine, nor is what was left in it
		for _, e := range entries {
			rest, number, ok := strings.Cut(e.Name(), "."+o.mark+".")
			if !ok || rest == "" || rest[0] != '.' || strings.Trim(number, "0123456789") != "" || !e.Type().IsRegular() {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// Try takes away again the files that have come to be there when do fails: what
// they were for does not come about.
func (o *OutFiles) Try(do func() error) error {
	o.trying, o.whole = true, nil
	defer func() { o.trying = false }()
	err := do()
	if err != nil {
		for _, path := range o.whole {
			_ = os.Remove(path)
		}
	}
	return err
}

// Create makes the temporary file. Without force a file of that name is not
// overwritten.
func (o *OutFiles) Create(path string, force bool) (*OutFile, error) {
	if st, err := os.Stat(path); err == nil {
		switch {
		case st.IsDir():
			return nil, exit.Usagef("--out-dir takes a folder", "--out %s: this is a folder", path)
		case !force:
			return nil, exit.Usagef(thereHint, "%s is there already", path)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Usagef("", "%w", err)
	}
	return o.CreateLate(path, force)
}

// CreateLate is Create for a file that may turn out to be there and right:
// whether it may be overwritten is found out by Commit.
func (o *OutFiles) CreateLate(path string, force bool) (*OutFile, error) {
	tmp, err := o.temp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return nil, exit.Usagef("", "cannot write to %s: %w", path, err)
	}
	return &OutFile{path, tmp, force, o}, nil
}

// CreateIn makes the temporary file of one whose name comes out later: CommitAs
// tells it.
func (o *OutFiles) CreateIn(dir string, force bool) (*OutFile, error) {
	tmp, err := o.temp(dir, ".cmctl")
	if err != nil {
		return nil, exit.Usagef("", "cannot write to %s: %w", dir, err)
	}
	return &OutFile{"", tmp, force, o}, nil
}

// Commit writes the data, syncs it and gives the file its name. A file that
// has come to be there since is not overwritten without force.
func (o *OutFile) Commit(data []byte) error {
	err := o.write(data)
	if err == nil {
		err = o.rename(o.Path)
	}
	return o.end(err)
}

// CommitAs is Commit for a file of CreateIn. When the name is taken and may
// not be overwritten, a number is put behind it: the data cannot wait.
func (o *OutFile) CommitAs(path string, data []byte) error {
	err := o.write(data)
	ext := filepath.Ext(path)
	for n := 1; err == nil; n++ {
		o.Path = path
		if n > 1 {
			o.Path = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ext), n, ext)
		}
		if err = o.rename(o.Path); err == nil || !errors.Is(err, fs.ErrExist) {
			break
		}
		err = nil
	}
	return o.end(err)
}

// CommitFrom is Commit for what is too long to be held: write writes it.
func (o *OutFile) CommitFrom(write func(io.Writer) error) error {
	buf := bufio.NewWriterSize(o.tmp, 1<<16)
	err := write(buf)
	if err == nil {
		err = buf.Flush()
	}
	if err = o.sync(err); err == nil {
		err = o.rename(o.Path)
	}
	return o.end(err)
}

func (o *OutFile) write(data []byte) error {
	_, err := o.tmp.Write(data)
	return o.sync(err)
}

// sync brings what was written to disk and closes the temporary file.
func (o *OutFile) sync(err error) error {
	if err == nil {
		err = o.tmp.Sync()
	}
	if cerr := o.tmp.Close(); err == nil {
		err = cerr
	}
	return err
}

// rename gives the file its name. A hard link is the one way to do so without
// overwriting; where the file system has none, a look before has to do.
func (o *OutFile) rename(path string) error {
	if !o.force {
		err := os.Link(o.tmp.Name(), path)
		if err == nil {
			return os.Remove(o.tmp.Name())
		}
		if errors.Is(err, fs.ErrExist) {
			return fs.ErrExist
		}
		if _, err := os.Lstat(path); err == nil {
			return fs.ErrExist
		}
	}
	return os.Rename(o.tmp.Name(), path)
}

func (o *OutFile) end(err error) error {
	if err != nil {
		_ = os.Remove(o.tmp.Name())
		return exit.New(exit.Failure, "", "cannot write %s: %w", o.Path, err)
	}
	if o.tmp = nil; o.of != nil && o.of.trying && !o.force {
		o.of.whole = append(o.of.whole, o.Path)
	}
	return nil
}

// Discard takes the temporary file away; after Commit it does nothing.
func (o *OutFile) Discard() {
	if o != nil && o.tmp != nil {
		_ = o.tmp.Close()
		_ = os.Remove(o.tmp.Name())
		o.tmp = nil
	}
}

// CheckDir refuses an --out-dir that is none.
func CheckDir(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return exit.Usagef("make it first", "--out-dir: %w", err)
	}
	if !st.IsDir() {
		return exit.Usagef("", "--out-dir %s: not a folder", path)
	}
	return nil
}

// UniqueNames refuses two outputs of one name.
func UniqueNames(paths []string) error {
	seen := map[string]bool{}
	for _, p := range paths {
		if seen[filepath.Clean(p)] {
			return exit.Usagef("rename one of the inputs", "two outputs would be written to %s", p)
		}
		seen[filepath.Clean(p)] = true
	}
	return nil
}
