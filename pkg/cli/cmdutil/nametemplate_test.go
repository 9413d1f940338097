package cmdutil

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

func TestNameTemplate(t *testing.T) {
	fields := NameFields{Stem: "web", CN: "a/b: \u202ec\x00", CertID: "10003", Serial: "0abc"}
	for template, want := range map[NameTemplate]string{
		"{stem}": "web", "{cn}": "a_b_ _c_", "{certid}-{serial}": "10003-0abc", "x{stem}y": "xweby", "..": "_..", ".{stem}": "_.web", "-{stem}": "_-web",
	} {
		if err := template.Check(); err != nil {
			t.Errorf("%q: %v", template, err)
		}
		if got := template.Name(fields); got != want {
			t.Errorf("%q gives %q, want %q", template, got, want)
		}
	}
	if got := DefaultNameTemplate.Name(NameFields{}); got != "_" {
		t.Errorf("no name gives %q", got)
	}
	long := DefaultNameTemplate.Name(NameFields{Stem: strings.Repeat("ö", 200)})
	if len(long) > maxNamePart || strings.ToValidUTF8(long, "?") != long {
		t.Errorf("%d bytes: %q", len(long), long)
	}
	for _, bad := range []NameTemplate{"", " ", "{cn", "cn}", "{}", "{CN}", "{stem}/x", `a\b`, "a\nb", "{stem}}{"} {
		if err := bad.Check(); exit.Of(err) != exit.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if !NameTemplate("{serial}").Late() || NameTemplate("{stem}-{cn}").Late() {
		t.Error("which names come out late")
	}
}

func FuzzNameTemplate(f *testing.F) {
	f.Add("{stem}-{cn}", "a/../b")
	f.Add("{certid}", "\x00\xff")
	f.Fuzz(func(t *testing.T, template, text string) {
		n := NameTemplate(template)
		if n.Check() != nil {
			return
		}
		name := n.Name(NameFields{text, text, text, text})
		if name != filepath.Base(name) || name == "." || name == ".." || strings.HasPrefix(name, ".") || strings.ContainsRune(name, 0) {
			t.Errorf("%q with %q gives %q", template, text, name)
		}
	})
}

// A name that comes out late and is taken gets a number; nothing is
// overwritten, even by a file that appeared in between.
func TestCommitAs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.p12")
	var paths []string
	for _, force := range []bool{false, false, false, true} {
		o, err := new(OutFiles).CreateIn(dir, force)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.CommitAs(path, []byte{byte('1' + len(paths))}); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Base(o.Path))
		o.Discard()
	}
	if got := strings.Join(paths, " "); got != "a.p12 a-2.p12 a-3.p12 a.p12" {
		t.Errorf("written to %s", got)
	}
	if got := files(t, dir); len(got) != 3 || got["a.p12"] != "4" || got["a-2.p12"] != "2" {
		t.Errorf("%v", got)
	}
	late, err := new(OutFiles).Create(filepath.Join(dir, "b"), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b"), []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := late.Commit([]byte("mine")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if got := files(t, dir); len(got) != 4 || got["b"] != "another's" {
		t.Errorf("%v", got)
	}
	if _, err := new(OutFiles).CreateIn(filepath.Join(dir, "nowhere"), false); exit.Of(err) != exit.Usage {
		t.Errorf("%v", err)
	}
}

func TestKeep(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.FixedZone("", 3600))
	f := &Factory{Now: func() time.Time { return at }, Env: func(name string) (string, bool) { return dir, name == "CMCTL_STATE_DIR" }}
	for _, want := range []string{"20260302T110000Z-7.p12", "20260302T110000Z-7-2.p12"} {
		path, err := f.Keep("7.p12", []byte("x"))
		if err != nil || path != filepath.Join(dir, "kept", want) {
			t.Errorf("%s, %v", path, err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", st, err)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "kept")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st, err)
	}
	homeless := &Factory{Now: f.Now, Env: func(string) (string, bool) { return "", false }}
	if path, err := homeless.Keep("7.p12", nil); err == nil {
		t.Errorf("kept in %s", path)
	}
}
