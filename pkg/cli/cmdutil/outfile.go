package cmdutil

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
}

const thereHint = "give another name, or --force to overwrite it"

// CreateOut makes the temporary file. Without force a file of that name is not
// overwritten.
func CreateOut(path string, force bool) (*OutFile, error) {
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
	return CreateOutLate(path, force)
}

// CreateOutLate is CreateOut for a file that may turn out to be there and
// right: whether it may be overwritten is found out by Commit.
func CreateOutLate(path string, force bool) (*OutFile, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return nil, exit.Usagef("", "cannot write to %s: %w", path, err)
	}
	return &OutFile{path, tmp, force}, nil
}

// CreateOutIn makes the temporary file of one whose name comes out later:
// CommitAs tells it.
func CreateOutIn(dir string, force bool) (*OutFile, error) {
	tmp, err := os.CreateTemp(dir, ".cmctl-*") // 0600
	if err != nil {
		return nil, exit.Usagef("", "cannot write to %s: %w", dir, err)
	}
	return &OutFile{"", tmp, force}, nil
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

// CommitAs is Commit for a file of CreateOutIn. When the name is taken and may
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
	o.tmp = nil
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
