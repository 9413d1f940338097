package signer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/cmctl/cmctl/pkg/exit"
)

// maxFile bounds a key or certificate file; a bundle of a hundred
// certificates has 200 KB.
const maxFile = 4 << 20

// readFile reads a key or certificate file and tells whether others than its
// owner may read it.
func readFile(name string) (data []byte, exposed fs.FileMode, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, exit.New(exit.Key, "", "%s cannot be read: %w", name, plain(err))
	}
	defer f.Close() //nolint:errcheck // only read
	if data, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, 0, exit.New(exit.Key, "", "%s cannot be read: %w", name, plain(err))
	}
	if len(data) > maxFile {
		return nil, 0, exit.New(exit.Key, "", "%s has more than %d bytes, too large for a key or certificate file", name, maxFile)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		exposed = info.Mode().Perm()
	}
	return data, exposed, nil
}

func exposedWarning(name string, mode fs.FileMode) string {
	return fmt.Sprintf("the private key file %s can be read by others (mode %04o): chmod 600 it", name, mode)
}

// plain says in few words why a file cannot be read.
func plain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("permission denied")
	case errors.Is(err, syscall.EISDIR):
		return errors.New("it is a directory")
	}
	return err
}
