package cmdutil

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
)

// files are the names in a folder and what they hold.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

func TestOutFile(t *testing.T) {
	t.Run("whole or not at all, and for the owner alone", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.pem")
		o, err := new(OutFiles).Create(path, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil || len(files(t, dir)) != 1 {
			t.Error("it is there before it is whole, or no place was taken")
		}
		if err := o.Commit([]byte("x")); err != nil {
			t.Fatal(err)
		}
		o.Discard()
		if got := files(t, dir); len(got) != 1 || got["a.pem"] != "x" {
			t.Errorf("%v", got)
		}
		if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
			t.Errorf("mode %o", st.Mode().Perm())
		}
	})
	t.Run("discarded", func(t *testing.T) {
		dir := t.TempDir()
		o, err := new(OutFiles).Create(filepath.Join(dir, "a"), false)
		if err != nil {
			t.Fatal(err)
		}
		o.Discard()
		o.Discard()
		(*OutFile)(nil).Discard()
		if got := files(t, dir); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
	t.Run("nothing is overwritten without force", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := new(OutFiles).Create(path, false); exit.Of(err) != exit.Usage || !strings.Contains(exit.HintOf(err), "--force") {
			t.Errorf("%v", err)
		}
		o, err := new(OutFiles).Create(path, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := files(t, dir)["a"]; got != "old" {
			t.Errorf("overwritten too early: %q", got)
		}
		if err := o.Commit([]byte("new")); err != nil {
			t.Fatal(err)
		}
		if got := files(t, dir); len(got) != 1 || got["a"] != "new" {
			t.Errorf("%v", got)
		}
	})
	t.Run("what cannot be written is told first", func(t *testing.T) {
		dir := t.TempDir()
		plain := filepath.Join(dir, "plain")
		if err := os.WriteFile(plain, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for name, path := range map[string]string{"a folder": dir, "no folder": filepath.Join(dir, "no", "a"), "below a file": filepath.Join(plain, "a")} {
			if _, err := new(OutFiles).Create(path, true); exit.Of(err) != exit.Usage {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, path := range map[string]string{"a file": plain, "nothing": filepath.Join(dir, "no")} {
			if err := CheckDir(path); exit.Of(err) != exit.Usage {
				t.Errorf("--out-dir %s: %v", name, err)
			}
		}
		if err := CheckDir(dir); err != nil {
			t.Error(err)
		}
	})
	t.Run("names", func(t *testing.T) {
		if err := UniqueNames([]string{"a", "b", "d/a"}); err != nil {
			t.Error(err)
		}
		for _, twice := range [][]string{{"a", "b", "a"}, {"d/a", "d//a"}, {"a", "./a"}} {
			if err := UniqueNames(twice); exit.Of(err) != exit.Usage {
				t.Errorf("%v: %v", twice, err)
			}
		}
	})
}

// TestFullDisk: a disk that is full when the data comes.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	link, path := filepath.Join(dir, ".a.tmp"), filepath.Join(dir, "a")
	if err := os.Symlink("/dev/full", link); err != nil { // the link is what is taken away, not the device
		t.Fatal(err)
	}
	full, err := os.OpenFile(link, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	o := &OutFile{Path: path, tmp: full}
	if err := o.Commit([]byte("x")); exit.Of(err) != exit.Failure || !strings.Contains(err.Error(), path) {
		t.Errorf("exit %d: %v", exit.Of(err), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// What a killed run left is taken away by its mark, and nothing else is.
func TestClear(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	killed := &OutFiles{}
	for _, place := range []string{dir, other} {
		if _, err := killed.Create(filepath.Join(place, "a.p12"), false); err != nil {
			t.Fatal(err)
		}
		if _, err := killed.CreateIn(place, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := new(OutFiles).Create(filepath.Join(dir, "b.p12"), false); err != nil { // of another run
		t.Fatal(err)
	}
	mark, folders := killed.made()
	kept := []string{"." + mark + ".1", "a." + mark + ".1", ".a." + mark + ".p12", ".a." + mark}
	for _, name := range kept {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".c."+mark+".1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (&OutFiles{mark: mark}).clear(append(folders, filepath.Join(dir, "nowhere"))); err != nil {
		t.Fatal(err)
	}
	for place, n := range map[string]int{dir: len(kept) + 2, other: 0} {
		left, err := os.ReadDir(place)
		if err != nil || len(left) != n {
			t.Errorf("%d left, want %d: %v %v", len(left), n, left, err)
		}
	}
}

// What was made for a plan that does not come about goes again, and nothing else.
func TestTry(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, fails := range []error{errors.New("no room"), nil} {
		var files OutFiles
		made := filepath.Join(dir, "made")
		err := files.Try(func() error {
			for path, force := range map[string]bool{made: false, there: true} {
				out, err := files.Create(path, force)
				if err == nil {
					err = out.Commit([]byte("new"))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			return fails
		})
		_, gone := os.Stat(made)
		_, kept := os.Stat(there)
		if !errors.Is(err, fails) || kept != nil || (gone != nil) != (fails != nil) {
			t.Errorf("%v: %v, %v, %v", fails, err, gone, kept)
		}
	}
}
