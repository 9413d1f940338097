// Package pkg_test proves that imports run one way: from the programs down to
// the rooms that know nothing of the others. The table says for each room what
// it may import, here and from outside; a room that is not in it fails the
// test, so that a new one is put in its place on the day it is made.
package pkg_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cmctl/cmctl/"

// rooms maps each room to those it may import besides its own sub-packages.
// A name covers what is below it; "." after a name means that package alone.
var rooms = map[string][]string{
	"cmd":            {"pkg/cli.", "pkg/sandbox/sandboxcli"},
	"cmd/cmctl-docs": {"pkg/cli"},

	"pkg/cli.":        {"pkg/cli", "pkg/ops", "pkg/search", "pkg/revstatus", "pkg/bulk", "pkg/output", "pkg/terminal", "pkg/config", "pkg/cmapi", "pkg/signer", "pkg/cms", "pkg/pki", "pkg/exit"},
	"pkg/cli":         {"pkg/cli/cmdutil", "pkg/ops", "pkg/search", "pkg/revstatus", "pkg/bulk", "pkg/output", "pkg/terminal", "pkg/config", "pkg/cmapi", "pkg/signer", "pkg/cms", "pkg/pki", "pkg/exit"},
	"pkg/cli/cmdutil": {"pkg/ops", "pkg/search", "pkg/revstatus", "pkg/bulk", "pkg/output", "pkg/terminal", "pkg/config", "pkg/cmapi", "pkg/spelling", "pkg/signer", "pkg/cms", "pkg/pki", "pkg/exit"},
	"pkg/ops":         {"pkg/bulk", "pkg/search", "pkg/cmapi", "pkg/signer", "pkg/cms", "pkg/pki", "pkg/exit"},
	"pkg/search":      {"pkg/cmapi", "pkg/pki", "pkg/exit"},
	"pkg/revstatus":   {"pkg/pki", "pkg/exit"},
	"pkg/bulk":        {"pkg/exit"},
	"pkg/output":      {"pkg/pki", "pkg/exit"},
	"pkg/terminal":    {"pkg/output", "pkg/exit"},
	"pkg/config":      {"pkg/signer", "pkg/spelling", "pkg/pki", "pkg/exit"},
	"pkg/cmapi":       {"pkg/cms", "pkg/pki", "pkg/exit"},
	"pkg/signer":      {"pkg/cms", "pkg/pki", "pkg/exit"},
	"pkg/cms":         {"pkg/pki", "pkg/exit"},
	"pkg/pki":         {"pkg/cms", "pkg/exit"},
	"pkg/spelling":    {},
	"pkg/exit":        {},
	"pkg/sandbox":     {"pkg/exit"},
	"pkg/clitest":     {"pkg/cli", "pkg/sandbox", "pkg/cmapi", "pkg/exit"},
	"bench":           {"pkg/cmapi", "pkg/signer", "pkg/cms", "pkg/pki"},
}

// outside maps packages from elsewhere to the rooms that may import them. What
// is not listed is free.
var outside = map[string][]string{
	"github.com/spf13/cobra":                {"pkg/cli", "pkg/sandbox/sandboxcli", "cmd/cmctl-docs", "pkg/clitest"},
	"github.com/spf13/pflag":                {"pkg/cli", "pkg/sandbox/sandboxcli", "cmd/cmctl-docs"},
	"github.com/AlecAivazis/survey":         {"pkg/terminal", "pkg/clitest"},
	"golang.org/x/term":                     {"pkg/terminal", "pkg/clitest"},
	"modernc.org/sqlite":                    {"pkg/sandbox/store"},
	"github.com/smallstep/pkcs7":            {"pkg/cms", "pkg/pki"},
	"software.sslmate.com/src/go-pkcs12":    {"pkg/signer", "pkg/sandbox"},
	"github.com/miekg/pkcs11":               {"pkg/signer/pkcs11", "pkg/clitest"},
	"github.com/youmark/pkcs8":              {"pkg/signer"},
	"github.com/getkin/kin-openapi":         {"pkg/clitest"},
	"github.com/santhosh-tekuri/jsonschema": {"pkg/clitest"},
	"github.com/rogpeppe/go-internal":       {"pkg/clitest"},
	"net/http":                              {"pkg/cmapi", "pkg/revstatus", "pkg/sandbox", "pkg/clitest", "bench"},
	"testing":                               {"pkg/clitest"},
}

// forTests is what the tests of every room but the sandbox's may import besides.
var forTests = []string{"pkg/sandbox", "pkg/clitest", "pkg/exit"}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImportsRunOneWay(t *testing.T) {
	pkgs, err := list()
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 3 {
		t.Fatalf("go list found %d packages: is this still the module?", len(pkgs))
	}
	for _, p := range pkgs {
		for _, breach := range breaches(p) {
			t.Error(breach)
		}
	}
}

// The checker itself: each of these must be seen, and the last must pass.
func TestBreachesAreSeen(t *testing.T) {
	for _, c := range []struct {
		name string
		pkg  pkg
		want int
	}{
		{"upwards", pkg{ImportPath: module + "pkg/cmapi", Imports: []string{module + "pkg/ops"}}, 1},
		{"sandbox takes the client's code", pkg{ImportPath: module + "pkg/sandbox/cmscheck", Imports: []string{module + "pkg/cms"}}, 1},
		{"sandbox's test takes the client's code", pkg{ImportPath: module + "pkg/sandbox/ca", TestImports: []string{module + "pkg/pki"}}, 1},
		{"client takes the sandbox", pkg{ImportPath: module + "pkg/ops", Imports: []string{module + "pkg/sandbox/store"}}, 1},
		{"one noun takes another", pkg{ImportPath: module + "pkg/cli/proc", Imports: []string{module + "pkg/cli/cert"}}, 1},
		{"noun takes the root", pkg{ImportPath: module + "pkg/cli/proc", Imports: []string{module + "pkg/cli"}}, 1},
		{"command library below cli", pkg{ImportPath: module + "pkg/ops", Imports: []string{"github.com/spf13/cobra"}}, 1},
		{"questions outside terminal", pkg{ImportPath: module + "pkg/cli/cmdutil", Imports: []string{"github.com/AlecAivazis/survey/v2"}}, 1},
		{"a room that nobody knows", pkg{ImportPath: module + "pkg/util"}, 1},
		{"all as it should be", pkg{ImportPath: module + "pkg/cli/cert",
			Imports:     []string{"context", "github.com/spf13/cobra", module + "pkg/cli/cmdutil", module + "pkg/ops"},
			TestImports: []string{"net/http", module + "pkg/sandbox"}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := breaches(c.pkg); len(got) != c.want {
				t.Errorf("breaches: %q, want %d", got, c.want)
			}
		})
	}
}

func breaches(p pkg) (out []string) {
	self := strings.TrimPrefix(p.ImportPath, module)
	room, ok := roomOf(self)
	if !ok {
		return []string{self + ": not in the table of rooms: say there what it may import"}
	}
	allowed := append([]string{strings.TrimSuffix(room, ".")}, rooms[room]...)
	if room == "pkg/cli" { // one noun's package does not take another's
		allowed[0] = self
	}
	for _, imp := range p.Imports {
		if inner, ok := strings.CutPrefix(imp, module); ok && !covered(inner, allowed) {
			out = append(out, fmt.Sprintf("%s imports %s: it may import %s", self, inner, strings.Join(allowed, ", ")))
		}
		for lib, users := range outside {
			if covered(imp, []string{lib}) && !covered(self, users) {
				out = append(out, fmt.Sprintf("%s imports %s: that belongs to %s", self, imp, strings.Join(users, ", ")))
			}
		}
	}
	if room != "pkg/sandbox" {
		allowed = append(allowed, forTests...)
	}
	for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
		if inner, ok := strings.CutPrefix(imp, module); ok && !covered(inner, allowed) {
			out = append(out, fmt.Sprintf("a test of %s imports %s: it may import %s", self, inner, strings.Join(allowed, ", ")))
		}
	}
	return out
}

// roomOf is the longest entry of the table that covers a package.
func roomOf(path string) (string, bool) {
	best := ""
	for room := range rooms {
		if covered(path, []string{room}) && len(room) > len(best) {
			best = room
		}
	}
	return best, best != ""
}

func covered(path string, by []string) bool {
	for _, b := range by {
		exact, only := strings.CutSuffix(b, ".")
		if path == exact || !only && strings.HasPrefix(path, b+"/") {
			return true
		}
	}
	return false
}

func list() ([]pkg, error) {
	// Looked at by this process too, so that Go's test cache knows when a file changed: of what go list reads it knows
	// nothing.
	for _, tree := range []string{"../cmd", "../pkg", "../bench"} {
		if err := filepath.WalkDir(tree, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "../...")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return pkgs, nil
		case err != nil:
			return nil, err
		}
		if p.ImportPath != module+"pkg" { // this test's own folder
			pkgs = append(pkgs, p)
		}
	}
}
