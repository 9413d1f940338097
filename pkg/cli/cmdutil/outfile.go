package cmdutil

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cmctl/cmctl/pkg/exit"
)

// OutFile is a file that is made before anything is sent and appears under its
// name only when it is whole: temporary, 0600, beside its place. A full disk
// or a missing folder is met before a certificate is issued.
type OutFile struct {
	Path string
	tmp  *os.File
}

// CreateOut makes the temporary file. Without force a file of that name is not
// overwritten.
func CreateOut(path string, force bool) (*OutFile, error) {
	if st, err := os.Stat(path); err == nil {
		switch {
		case st.IsDir():
			return nil, exit.Usagef("--out-dir takes a folder", "--out %s: this is a folder", path)
		case !force:
			return nil, exit.Usagef("give another name, or --force to overwrite it", "%s is there already", path)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Usagef("", "%w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return nil, exit.Usagef("", "cannot write to %s: %w", path, err)
	}
	return &OutFile{path, tmp}, nil
}

// Commit writes the data, syncs it and gives the file its name.
func (o *OutFile) Commit(data []byte) error {
	_, err := o.tmp.Write(data)
	if err == nil {
		err = o.tmp.Sync()
	}
	if cerr := o.tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(o.tmp.Name(), o.Path)
	}
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
		if seen[p] {
			return exit.Usagef("rename one of the inputs", "two outputs would be written to %s", p)
		}
		seen[p] = true
	}
	return nil
}
