package modules

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// folder is a file tree as text: "name: content" with \n in content.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func finder(dir string) Finder {
	return Finder{
		System: []string{filepath.Join(dir, "share/modules"), filepath.Join(dir, "etc/modules")}, User: filepath.Join(dir, "home/modules"),
		Libraries: []string{filepath.Join(dir, "lib/pkcs11"), filepath.Join(dir, "lib")}, Suffixes: []string{".so"},
	}
}

func module(name, path, reserved string) Module {
	return Module{name, p11.Spec{Path: path, Reserved: reserved}}
}

func TestRegistered(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   map[string]string
		want    []Module
		skipped []string
	}{
		{"nothing", nil, nil, nil},
		{"one", map[string]string{"share/modules/a.module": "# comment\n\n module :  /x/a.so \nmanaged: yes\n"}, []Module{module("a", "/x/a.so", "")}, nil},
		{"relative, in a folder of modules", map[string]string{"share/modules/a.module": "module: a.so", "lib/pkcs11/a.so": "", "lib/a.so": ""},
			[]Module{module("a", "DIR/lib/pkcs11/a.so", "")}, nil},
		{"relative, for the loader to find", map[string]string{"share/modules/a.module": "module: a.so"}, []Module{module("a", "a.so", "")}, nil},
		{"reserved, with colons", map[string]string{"share/modules/nss.module": "module: /n.so\nx-init-reserved: configdir='sql:/db' flags="},
			[]Module{module("nss", "/n.so", "configdir='sql:/db' flags=")}, nil},
		{"trust modules have no keys", map[string]string{"share/modules/t.module": "module: /t.so\ntrust-policy: yes"}, nil, nil},
		{"priority, then name", map[string]string{"share/modules/a.module": "module: /a.so", "share/modules/b.module": "module: /b.so", "etc/modules/c.module": "module: /c.so\npriority: 5"},
			[]Module{module("c", "/c.so", ""), module("a", "/a.so", ""), module("b", "/b.so", "")}, nil},
		{"the user's lines over the system's", map[string]string{"share/modules/a.module": "module: /a.so\nx-init-reserved: r", "home/modules/a.module": "module: /mine.so"},
			[]Module{module("a", "/mine.so", "r")}, nil},
		{"the user blanks one", map[string]string{"share/modules/a.module": "module: /a.so", "home/modules/a.module": "module:"}, nil, nil},
		{"no user configuration", map[string]string{"etc/pkcs11.conf": "user-config: none", "home/modules/a.module": "module: /a.so"}, nil, nil},
		{"only the user's", map[string]string{"etc/pkcs11.conf": "user-config: only", "share/modules/a.module": "module: /a.so", "home/modules/b.module": "module: /b.so"},
			[]Module{module("b", "/b.so", "")}, nil},
		{"for others", map[string]string{"share/modules/a.module": "module: /a.so\nenable-in: ssh, firefox", "share/modules/b.module": "module: /b.so\ndisable-in: ssh,cmctl"}, nil, nil},
		{"for us", map[string]string{"share/modules/a.module": "module: /a.so\nenable-in: ssh,cmctl", "share/modules/b.module": "module: /b.so\ndisable-in: ssh"},
			[]Module{module("a", "/a.so", ""), module("b", "/b.so", "")}, nil},
		{"remote", map[string]string{"share/modules/r.module": "remote: |ssh host"}, nil, []string{"the module r is remote: name p11-kit-client.so instead"}},
		{"the same twice", map[string]string{"share/modules/a.module": "module: /a.so", "share/modules/b.module": "module: /a.so"}, []Module{module("a", "/a.so", "")}, nil},
		{"other files", map[string]string{"share/modules/a.module.bak": "module: /a.so", "share/modules/.module": "module: /a.so"}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, c.files)
			got, skipped := finder(dir).Registered()
			for i := range got {
				got[i].Spec.Path = strings.Replace(got[i].Spec.Path, dir, "DIR", 1)
			}
			if len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) || !reflect.DeepEqual(skipped, c.skipped) {
				t.Errorf("got %v, %v; want %v, %v", got, skipped, c.want, c.skipped)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	dir := folder(t, map[string]string{
		"share/modules/card.module": "module: /x/vendor-pkcs11.so\nx-init-reserved: r",
		"lib/pkcs11/one.so":         "", "lib/libtwo.so": "", "lib/three": "", "lib/four.so/not-a-file": "",
	})
	f := finder(dir)
	for name, want := range map[string]Module{
		"card":             module("card", "/x/vendor-pkcs11.so", "r"),
		"vendor-pkcs11":    module("card", "/x/vendor-pkcs11.so", "r"),
		"vendor-pkcs11.so": module("card", "/x/vendor-pkcs11.so", "r"),
		"one":              module("one", dir+"/lib/pkcs11/one.so", ""),
		"two":              module("two", dir+"/lib/libtwo.so", ""),
		"libtwo":           module("libtwo", dir+"/lib/libtwo.so", ""),
		"three":            module("three", dir+"/lib/three", ""),
	} {
		if got, err := f.Named(name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"four", "five", ".."} {
		_, err := f.Named(name)
		if exit.Of(err) != exit.Key || !strings.Contains(exit.HintOf(err), "registered are card") {
			t.Errorf("%s: %v, %s", name, err, exit.HintOf(err))
		}
	}
}

func TestDefault(t *testing.T) {
	env := func(pairs map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { v, ok := pairs[name]; return v, ok }
	}
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HOME": "/h"}, "/h/.config/pkcs11/modules"},
		{map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "/c"}, "/c/pkcs11/modules"},
		{map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "c"}, "/h/.config/pkcs11/modules"},
		{nil, ""},
	} {
		want := c.want
		if os.Geteuid() == 0 {
			want = "" // as p11-kit has it
		}
		if got := Default(env(c.env)).User; got != want {
			t.Errorf("%v gives %q", c.env, got)
		}
	}
}
