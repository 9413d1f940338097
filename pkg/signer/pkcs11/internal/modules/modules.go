// Package modules finds PKCS#11 modules: those registered with p11-kit
// (pkcs11.conf(5): one file a module), and those that a URI names without a
// path. It reads p11-kit's files itself, since its proxy would let one broken
// module stop all others.
package modules

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// Module is one that was found.
type Module struct {
	Name string // of its p11-kit file, without .module; of another the file's
	Spec p11.Spec
}

// Finder knows where to look.
type Finder struct {
	System    []string // p11-kit's folders of the system, the later one over the earlier
	User      string   // p11-kit's folder of the user; empty: none
	Libraries []string // folders of modules
	Suffixes  []string // of shared libraries
}

// Default looks where this system has its modules. As in p11-kit, what a user
// registered does not count for root.
func Default(env func(string) (string, bool)) Finder {
	f := Finder{System: []string{"/usr/share/p11-kit/modules", "/etc/pkcs11/modules"}, Suffixes: []string{".so"}}
	switch runtime.GOOS {
	case "darwin":
		f.System = []string{"/opt/homebrew/share/p11-kit/modules", "/opt/homebrew/etc/pkcs11/modules", "/usr/local/share/p11-kit/modules", "/usr/local/etc/pkcs11/modules"}
		f.Suffixes = []string{".so", ".dylib"}
		f.Libraries = []string{"/opt/homebrew/lib/pkcs11", "/opt/homebrew/lib/softhsm", "/opt/homebrew/lib", "/usr/local/lib/pkcs11", "/usr/local/lib/softhsm", "/usr/local/lib", "/Library/OpenSC/lib"}
	case "windows":
		f.System, f.Suffixes = nil, []string{".dll"}
		f.Libraries = []string{`C:\Windows\System32`, `C:\Program Files\OpenSC Project\OpenSC\pkcs11`, `C:\Program Files\Yubico\Yubico PIV Tool\bin`, `C:\SoftHSM2\lib`}
	default:
		triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "386": "i386-linux-gnu", "arm": "arm-linux-gnueabihf"}[runtime.GOARCH]
		for _, lib := range []string{"/usr/lib/" + triplet, "/usr/lib64", "/usr/lib", "/usr/local/lib"} {
			f.Libraries = append(f.Libraries, lib+"/pkcs11", lib+"/softhsm", lib)
		}
	}
	if os.Geteuid() != 0 && runtime.GOOS != "windows" {
		if dir, ok := env("XDG_CONFIG_HOME"); ok && filepath.IsAbs(dir) {
			f.User = filepath.Join(dir, "pkcs11", "modules")
		} else if home, ok := env("HOME"); ok && home != "" {
			f.User = filepath.Join(home, ".config", "pkcs11", "modules")
		}
	}
	return f
}

// Registered are p11-kit's modules, as p11-kit would load them for cmctl, but
// without those that only hold trusted CAs. skipped says what cannot be used,
// and why.
func (f Finder) Registered() (found []Module, skipped []string) {
	files := map[string]map[string]string{}
	for _, dir := range f.folders() {
		for name, fields := range readFolder(dir) {
			if files[name] == nil {
				files[name] = map[string]string{}
			}
			for k, v := range fields { // the user's lines over the system's
				files[name][k] = v
			}
		}
	}
	priority := map[string]int{}
	for name, fields := range files {
		switch {
		case fields["trust-policy"] == "yes" || !meant(fields):
		case fields["module"] == "" && fields["remote"] != "":
			skipped = append(skipped, "the module "+name+" is remote: name p11-kit-client.so instead")
		case fields["module"] == "":
		default:
			priority[name], _ = strconv.Atoi(fields["priority"])
			found = append(found, Module{name, p11.Spec{Path: f.resolve(fields["module"]), Reserved: fields["x-init-reserved"]}})
		}
	}
	slices.Sort(skipped)
	slices.SortFunc(found, func(a, b Module) int {
		if d := priority[b.Name] - priority[a.Name]; d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	unique := found[:0]
	for _, m := range found {
		if !slices.ContainsFunc(unique, func(u Module) bool { return u.Spec == m.Spec }) {
			unique = append(unique, m)
		}
	}
	return unique, skipped
}

// folders are those that count, least first.
func (f Finder) folders() []string {
	dirs := slices.Clone(f.System)
	if f.User == "" {
		return dirs
	}
	mode := ""
	for _, dir := range f.System {
		if v := readFile(filepath.Join(filepath.Dir(dir), "pkcs11.conf"))["user-config"]; v != "" {
			mode = v
		}
	}
	switch mode {
	case "none":
		return dirs
	case "only":
		return []string{f.User}
	}
	return append(dirs, f.User)
}

// meant says whether a module's file lets cmctl load it.
func meant(fields map[string]string) bool {
	listed := func(v string) bool {
		return slices.Contains(strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }), "cmctl")
	}
	if v := fields["enable-in"]; v != "" {
		return listed(v)
	}
	return !listed(fields["disable-in"])
}

func readFolder(dir string) map[string]map[string]string {
	entries, err := os.ReadDir(dir)
	if err != nil { // most systems lack some of them
		return nil
	}
	out := map[string]map[string]string{}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".module"); ok && name != "" {
			out[name] = readFile(filepath.Join(dir, e.Name()))
		}
	}
	return out
}

// readFile reads `name: value` lines. What cannot be read is empty.
func readFile(path string) map[string]string {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	fields := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		name, value, ok := strings.Cut(line, ":")
		if ok && !strings.HasPrefix(line, "#") {
			fields[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return fields
}

// resolve finds a registered module that has no full path.
func (f Finder) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	for _, dir := range f.Libraries {
		if p := filepath.Join(dir, path); isFile(p) {
			return p
		}
	}
	return path // the system's loader may know it
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == 0
}

// Named finds the module that a URI's module-name means: a registered one of
// that name, or a library NAME or libNAME in a folder of modules.
func (f Finder) Named(name string) (Module, error) {
	registered, _ := f.Registered()
	for _, m := range registered {
		if m.Name == name || slices.Contains(f.files(name), filepath.Base(m.Spec.Path)) {
			return m, nil
		}
	}
	for _, dir := range f.Libraries {
		for _, file := range f.files(name) {
			if p := filepath.Join(dir, file); isFile(p) {
				return Module{name, p11.Spec{Path: p}}, nil
			}
		}
	}
	hint := "name its file with module-path"
	if len(registered) > 0 {
		var names []string
		for _, m := range registered {
			names = append(names, m.Name)
		}
		hint += "; registered are " + strings.Join(names, ", ")
	}
	return Module{}, exit.New(exit.Key, hint, "there is no PKCS#11 module %q in the usual folders", name)
}

// files are the names that a library may have.
func (f Finder) files(name string) []string {
	out := []string{name}
	for _, s := range f.Suffixes {
		out = append(out, name+s, "lib"+name+s)
	}
	return out
}
