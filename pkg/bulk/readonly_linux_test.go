package bulk

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Of a folder that cannot be written a finished job is opened all the same, and
// no other is.
func TestReadOnlyFolder(t *testing.T) {
	finished := plan(t, t.TempDir(), 4, 2, 1)
	if err := finished.Run(t.Context(), &write{w: newWorld(1)}, Options{}, func(Result) {}); err != nil {
		t.Fatal(err)
	}
	unfinished := plan(t, t.TempDir(), 4, 2, 1)
	for _, j := range []*Job{finished, unfinished} {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		for path, mode := range map[string]os.FileMode{
			filepath.Join(j.dir, JournalFile): 0o444, filepath.Join(j.dir, lockFile): 0o444, j.dir: 0o555,
			filepath.Dir(j.dir): 0o755, filepath.Dir(filepath.Dir(j.dir)): 0o755,
		} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		defer func() { _ = os.Chmod(j.dir, 0o755) }()
	}
	if os.Getuid() == 0 { // who may write everywhere
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	j, err := Open(finished.dir)
	if err != nil {
		t.Fatalf("a finished job: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(unfinished.dir); exit.Of(err) != exit.Failure {
		t.Errorf("an unfinished job: %v", err)
	}
}
