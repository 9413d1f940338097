package cmdutil

import (
	"os"
	"path/filepath"

	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
)

// Keep puts an answer that cannot be had again into the state folder, 0600,
// when it cannot be written where it was wanted, and returns its path.
func (f *Factory) Keep(name string, data []byte) (string, error) {
	state := config.StateDir(f.Env)
	if state == "" {
		return "", exit.New(exit.Failure, "set CMCTL_STATE_DIR", "there is no state folder to keep it in")
	}
	dir := filepath.Join(state, "kept")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", exit.New(exit.Failure, "", "it cannot be kept: %w", err)
	}
	file, err := f.files.CreateIn(dir, false)
	if err != nil {
		return "", exit.New(exit.Failure, "", "it cannot be kept: %w", err)
	}
	defer file.Discard()
	if err := file.CommitAs(filepath.Join(dir, f.Now().UTC().Format("20060102T150405Z-")+name), data); err != nil {
		return "", exit.New(exit.Failure, "", "it cannot be kept: %w", err)
	}
	return file.Path, nil
}
