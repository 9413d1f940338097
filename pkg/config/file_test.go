package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
)

func TestLoad(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		current    string
		contexts   []entry
	}{
		{"empty", "", "", nil},
		{"comments alone", "# mine\n", "", nil},
		{"nulls", "current-context:\ncontexts:\n", "", nil},
		{"the contract's example", twoContexts, "prod", nil},
		{"dots, digits, empty contexts", "contexts:\n  eu-1.prod_a:\n  2nd: {}\n", "", []entry{{"eu-1.prod_a", map[string]string{}}, {"2nd", map[string]string{}}}},
		{
			"values stay the text they are", "contexts:\n  a:\n    pin-file: 0123\n    cert: 123456789012345678901234567890\n    key: yes\n    ca-file: 1.10\n    tls-server-name: ~\n", "",
			[]entry{{"a", map[string]string{"pin-file": "0123", "cert": "123456789012345678901234567890", "key": "yes", "ca-file": "1.10"}}},
		},
		{"CRLF and BOM", "\ufeffcurrent-context: a\r\ncontexts:\r\n  a:\r\n    server: https://x\r\n", "a", []entry{{"a", map[string]string{"server": "https://x"}}}},
		{"current-context that names none", "current-context: gone\n", "gone", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := load(t, tt.text)
			if f.Current != tt.current || tt.contexts != nil && !reflect.DeepEqual(f.contexts, tt.contexts) || f.Warnings != nil {
				t.Errorf("got %q, %+v, %v", f.Current, f.contexts, f.Warnings)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, text    string
		message, hint string
	}{
		{"unknown key", "current-contxt: a\n", `PATH:1: unknown key "current-contxt" in the file`, `did you mean "current-context"?`},
		{"unknown key of a context", "contexts:\n  a:\n    server: https://x\n    ca_file: x\n", `PATH:4: unknown key "ca_file" in context "a"`, `did you mean "ca-file"?`},
		{"upper case key", "contexts:\n  a:\n    Server: https://x\n", `PATH:3: unknown key "Server" in context "a"`, `did you mean "server"?`},
		{"nothing near", "contexts:\n  a:\n    color: x\n", `PATH:3: unknown key "color" in context "a"`,
			"keys are server, ca-file, tls-server-name, cert, key, pin-file, sign-cert, sign-key, sign-pin-file, module, timeout, batch, parallel, sign-digest, protected"},
		{"no overriding in a file", "contexts:\n  a:\n    yes: true\n", `PATH:3: unknown key "yes" in context "a"`,
			"keys are server, ca-file, tls-server-name, cert, key, pin-file, sign-cert, sign-key, sign-pin-file, module, timeout, batch, parallel, sign-digest, protected"},
		{"repeated key", "contexts:\n  a:\n    cert: x\n    key: y\n    cert: z\n", `PATH:5: "cert" is there already on line 3`, "keep one of them"},
		{"repeated context", "contexts:\n  a:\n  b:\n  a:\n", `PATH:4: "a" is there already on line 2`, "keep one of them"},
		{"upper case context", "contexts:\n  Prod:\n", `PATH:2: "Prod" cannot be the name of a context`, "use up to 64 lower-case letters, digits, dots, underscores and hyphens, a letter or digit first"},
		{"context that is no file name", "contexts:\n  ../x:\n", `PATH:2: "../x" cannot be the name of a context`, "use up to 64 lower-case letters, digits, dots, underscores and hyphens, a letter or digit first"},
		{"hidden name", "contexts:\n  .x:\n", `PATH:2: ".x" cannot be the name of a context`, "use up to 64 lower-case letters, digits, dots, underscores and hyphens, a letter or digit first"},
		{"cut in a quoted value", "contexts:\n  a:\n    server: \"https://x", "PATH:3: not valid YAML: found unexpected end of stream", "the file may be cut off"},
		{"cut in a key", "contexts:\n  a:\n    server: https://x\n    ca-f", "PATH:4: not valid YAML: could not find expected ':'", "the file may be cut off"},
		{"cut in the first key", "contex", "PATH:1: the file has to be a list of `key: value` lines", "the file may be cut off"},
		{"context that is a word", "contexts:\n  a: https://x\n", "PATH:2: context \"a\" has to be a list of `key: value` lines", "the file may be cut off"},
		{"list for a value", "contexts:\n  a:\n    server: [x]\n", `PATH:3: "server" has to be a single value`, ""},
		{"several lines in a value", "contexts:\n  a:\n    cert: |\n      x\n      y\n", `PATH:3: "cert" has to be one line`, ""},
		{"alias", "contexts:\n  a: &a\n    cert: x\n  b: *a\n", "PATH:4: context \"b\" has to be a list of `key: value` lines", "the file may be cut off"},
		{"merge", "contexts:\n  a: &a\n    cert: x\n  b:\n    <<: *a\n", `PATH:5: unknown key "<<" in context "b"`,
			"keys are server, ca-file, tls-server-name, cert, key, pin-file, sign-cert, sign-key, sign-pin-file, module, timeout, batch, parallel, sign-digest, protected"},
		{"two documents", "contexts:\n---\ncontexts:\n", "PATH holds more than one YAML document", "put all contexts under one contexts:"},
		{"key that is no word", "? [a]\n: b\n", "PATH:1: the file has a key that is no word", ""},
		{"binary", "\x00\x01", "PATH: not valid YAML: control characters are not allowed", "the file may be cut off"},
		{"too big", strings.Repeat("#", maxFile+1), "PATH is too big for a config file", "check --config and CMCTL_CONFIG"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.text)
			_, err := Load(path)
			message := strings.ReplaceAll(tt.message, "PATH", path)
			if err == nil || err.Error() != message || exit.HintOf(err) != tt.hint || exit.Of(err) != exit.Usage {
				t.Errorf("got  %v\nhint %s\nwant %s\nhint %s", err, exit.HintOf(err), message, tt.hint)
			}
		})
	}
}

func TestLoadPermissions(t *testing.T) {
	for _, tt := range []struct {
		mode             os.FileMode
		refused, warning string
	}{
		{0o600, "", ""},
		{0o400, "", ""},
		{0o640, "", "PATH can be read by others (mode 0640): chmod 600 PATH"},
		{0o644, "", "PATH can be read by others (mode 0644): chmod 600 PATH"},
		{0o620, "PATH can be written by others (mode 0620)", ""},
		{0o602, "PATH can be written by others (mode 0602)", ""},
		{0o666, "PATH can be written by others (mode 0666)", ""},
	} {
		t.Run(fmt.Sprintf("%04o", tt.mode), func(t *testing.T) {
			path := write(t, "contexts: {a: }\n")
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			f, err := Load(path)
			if tt.refused != "" {
				if err == nil || err.Error() != strings.ReplaceAll(tt.refused, "PATH", path) || exit.HintOf(err) != "chmod 600 "+path || exit.Of(err) != exit.Usage {
					t.Errorf("got %v, hint %s", err, exit.HintOf(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(f.Warnings, "; "); got != strings.ReplaceAll(tt.warning, "PATH", path) {
				t.Errorf("warning %q", got)
			}
		})
	}
}

func TestLoadMissing(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "none.yaml")} {
		f, err := Load(path)
		if err != nil || f.Path != path || f.Current != "" || len(f.Names()) > 0 {
			t.Errorf("%q: got %+v, %v", path, f, err)
		}
	}
	if _, err := Load(t.TempDir()); exit.Of(err) != exit.Usage {
		t.Errorf("a folder for a file: %v", err)
	}
}

func TestEdit(t *testing.T) {
	const start = `# my gateways
current-context: prod # careful
contexts:
  # the real one
  prod:
    server: https://prod.example.com # main site
    batch: 50
  test:
`
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, start string
		edit        func(*File) error
		want        string
	}{
		{"set another value", start, func(f *File) error { return f.Set("prod", "server", "https://new") }, strings.Replace(start, "https://prod.example.com", "https://new", 1)},
		{"add a key", start, func(f *File) error { return f.Set("prod", "parallel", "8") }, strings.Replace(start, "batch: 50\n", "batch: 50\n    parallel: 8\n", 1)},
		{"take a key away", start, func(f *File) error { return f.Set("prod", "batch", "") }, strings.Replace(start, "    batch: 50\n", "", 1)},
		{"first key of an empty context", start, func(f *File) error { return f.Set("test", "protected", "true") }, start + "    protected: true\n"},
		{"take away what is not there", start, func(f *File) error { return f.Set("prod", "cert", "") }, start},
		{"new context", start, func(f *File) error { return f.Set("eu.1", "server", "https://eu") }, start + "  eu.1:\n    server: https://eu\n"},
		{"create", start, func(f *File) error { return f.Create("x") }, start + "  x: {}\n"},
		{"create what is there", start, func(f *File) error { return f.Create("prod") }, start},
		{"use", start, func(f *File) error { return f.Use("test") }, strings.Replace(start, "current-context: prod", "current-context: test", 1)},
		{"delete another", start, func(f *File) error { return f.Delete("test") }, strings.Replace(start, "  test:\n", "", 1)},
		{"delete the current", start, func(f *File) error { return f.Delete("prod") }, "contexts:\n  test:\n"},
		{"rename the current", start, func(f *File) error { return f.Rename("prod", "live") }, strings.NewReplacer("context: prod", "context: live", "  prod:", "  live:").Replace(start)},
		{"rename another", start, func(f *File) error { return f.Rename("test", "t2") }, strings.Replace(start, "  test:", "  t2:", 1)},
		{"rename to itself", start, func(f *File) error { return f.Rename("test", "test") }, start},
		{"into nothing", "", func(f *File) error {
			if err := f.Set("a", "server", "https://a"); err != nil {
				return err
			}
			return f.Use("a")
		}, "current-context: a\ncontexts:\n  a:\n    server: https://a\n"},
		{"into empty braces", "contexts: {}\n", func(f *File) error { return f.Set("a", "server", "https://a") }, "contexts:\n  a:\n    server: https://a\n"},
		{"a relative path is from here", "", func(f *File) error { return f.Set("a", "cert", "x/o.pem") }, "contexts:\n  a:\n    cert: " + cwd + "/x/o.pem\n"},
		{"a path from home stays", "", func(f *File) error { return f.Set("a", "pin-file", "~/pin") }, "contexts:\n  a:\n    pin-file: ~/pin\n"},
		{"a URI stays", "", func(f *File) error { return f.Set("a", "key", "pkcs11:token=Officer%20card;id=%02") }, "contexts:\n  a:\n    key: pkcs11:token=Officer%20card;id=%02\n"},
		{"text that looks like a number is quoted", "", func(f *File) error { return f.Set("a", "tls-server-name", "0123") }, "contexts:\n  a:\n    tls-server-name: \"0123\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := load(t, tt.start)
			if err := tt.edit(f); err != nil {
				t.Fatal(err)
			}
			if err := f.Save(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			again, err := Load(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			if again.Current != f.Current || !reflect.DeepEqual(again.contexts, f.contexts) {
				t.Errorf("read back %q %+v, had %q %+v", again.Current, again.contexts, f.Current, f.contexts)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		edit    func(*File) error
		message string
	}{
		{"bad name", func(f *File) error { return f.Set("Prod", "server", "https://x") }, `"Prod" cannot be the name of a context`},
		{"name too long", func(f *File) error { return f.Create(strings.Repeat("a", 65)) }, `"` + strings.Repeat("a", 65) + `" cannot be the name of a context`},
		{"no name", func(f *File) error { return f.Create("") }, `"" cannot be the name of a context`},
		{"bad key", func(f *File) error { return f.Set("a", "yes", "true") }, `unknown key "yes" of a context`},
		{"bad value", func(f *File) error { return f.Set("a", "server", "http://x") }, `server: "http://x" is plain http`},
		{"two lines", func(f *File) error { return f.Set("a", "cert", "a\nb") }, "cert: the value has to be one line"},
		{"use unknown", func(f *File) error { return f.Use("z") }, `unknown context "z"`},
		{"delete unknown", func(f *File) error { return f.Delete("z") }, `unknown context "z"`},
		{"rename unknown", func(f *File) error { return f.Rename("z", "y") }, `unknown context "z"`},
		{"rename onto another", func(f *File) error { return f.Rename("a", "b") }, `there is a context "b" already`},
		{"rename badly", func(f *File) error { return f.Rename("a", "B") }, `"B" cannot be the name of a context`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := load(t, "contexts: {a: {cert: x}, b: }\n")
			err := tt.edit(f)
			if err == nil || err.Error() != tt.message || exit.Of(err) != exit.Usage {
				t.Errorf("got %v", err)
			}
			if !reflect.DeepEqual(f.Names(), []string{"a", "b"}) {
				t.Errorf("contexts are now %v", f.Names())
			}
		})
	}
}

func TestGet(t *testing.T) {
	f := load(t, "contexts: {a: {cert: x}, b: }\n")
	got, err := f.Get("a")
	if err != nil || !reflect.DeepEqual(got, map[string]string{"cert": "x"}) {
		t.Errorf("got %v, %v", got, err)
	}
	got["cert"] = "changed"
	if again, _ := f.Get("a"); again["cert"] != "x" {
		t.Error("the caller's map is the file's")
	}
	if _, err := f.Get("c"); exit.HintOf(err) != `did you mean "a"? contexts are a, b` {
		t.Errorf("got %v, hint %q", err, exit.HintOf(err))
	}
	if _, err := load(t, "").Get("c"); exit.HintOf(err) != "there is no context yet; make one with `cmctl context set NAME --server URL`" {
		t.Errorf("got %v, hint %q", err, exit.HintOf(err))
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "deep", "er", "config.yaml")
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Set("a", "server", "https://a"); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
		info, err := os.Stat(p)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", p, info.Mode(), want)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}

	// A second change with the same File, and a file that was readable.
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.Use("a"); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode() != 0o600 {
		t.Errorf("mode %v after a change", info.Mode())
	}

	// Another program's change is not undone.
	if err := os.WriteFile(path, []byte("contexts: {b: }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(); err == nil || exit.HintOf(err) != "run the command again" {
		t.Errorf("got %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "contexts: {b: }\n" {
		t.Errorf("the file is now %q", got)
	}

	if err := (&File{}).Save(); exit.Of(err) != exit.Usage {
		t.Errorf("without a path: %v", err)
	}
}

func TestSaveThroughALink(t *testing.T) {
	real := write(t, "contexts: {a: }\n")
	link := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	f, err := Load(link)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Use("a"); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	if got, _ := os.ReadFile(real); string(got) != "current-context: a\ncontexts:\n  a:\n" {
		t.Errorf("got %q", got)
	}
}

func TestSaveThatFails(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &File{Path: filepath.Join(dir, "config.yaml")}
	if err := f.parse(nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Create("a"); err != nil {
		t.Fatal(err)
	}
	f.Path = filepath.Join(blocked, "config.yaml") // below a file: no folder can be made
	if err := f.Save(); err == nil {
		t.Error("no error")
	}
	f.Path = filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(f.Path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(f.Path, nil); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{twoContexts, "", "contexts: {a: {cert: x}}", "a: &a [*a]", "contexts:\n  a:\n    <<: *x", "current-context: \"", "%YAML 1.2\n---\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := &File{Path: "/x/config.yaml"}
		if err := file.parse([]byte(text)); err != nil {
			if exit.Of(err) != exit.Usage {
				t.Fatalf("%q: %v is no usage error", text, err)
			}
			return
		}
		// What was taken can be resolved or is refused, and can be changed and read back.
		if _, err := Resolve(file, look(), look()); err != nil && exit.Of(err) != exit.Usage {
			t.Fatalf("%q: %v", text, err)
		}
		before := append([]entry(nil), file.contexts...)
		if file.Has("fuzz.new") {
			return
		}
		if err := file.Set("fuzz.new", "key", "/k"); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		data, err := file.encode()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again := &File{Path: file.Path}
		if err := again.parse(data); err != nil {
			t.Fatalf("%q became %q: %v", text, data, err)
		}
		want := append(before, entry{"fuzz.new", map[string]string{"key": "/k"}})
		if again.Current != file.Current || !reflect.DeepEqual(again.contexts, want) {
			t.Fatalf("%q became %q: %+v, want %+v", text, data, again.contexts, want)
		}
	})
}
