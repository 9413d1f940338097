package clitest

import (
	"flag"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

func TestMain(m *testing.M) { Main(m) }

// TestScripts runs every script below testdata/script and then judges what
// passed between cmctl and the sandbox meanwhile.
func TestScripts(t *testing.T) {
	contract, err := LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	notes := t.TempDir()
	t.Setenv(contractDir, notes)
	folders, err := filepath.Glob(filepath.Join(Root(), "testdata", "script", "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no scripts found: %v", err)
	}
	t.Run("all", func(t *testing.T) {
		for _, dir := range folders {
			if st, err := os.Stat(dir); err != nil || !st.IsDir() {
				t.Fatalf("%s: scripts stand in folders: %v", dir, err)
			}
			t.Run(filepath.Base(dir), func(t *testing.T) {
				testscript.Run(t, contract.Params(dir, notes))
			})
		}
	})
	judge(t, notes)
}

// judge fails for every exchange that breaks the contract and, when the whole
// suite ran, for an operation that cmctl has and no exchange has shown.
func judge(t *testing.T, notes string) {
	exchanges, err := readNotes(notes)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	problems := map[string]int{}
	for _, e := range exchanges {
		if e.Problem != "" {
			problems[e.Problem]++
			continue
		}
		if e.Client && e.Exempt == "" {
			shown[e.Operation] = true
		}
	}
	for p, n := range problems {
		t.Errorf("%d times: %s", n, p)
	}
	if f := flag.Lookup("test.run"); f != nil && f.Value.String() != "" {
		return // a part of the suite proves nothing about the rest
	}
	var missing []string
	for _, op := range cmapi.Operations() {
		if !shown[op.ID] {
			missing = append(missing, op.ID)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("no validated request and answer of: %s", strings.Join(missing, ", "))
	}
	t.Logf("%d exchanges held against the OpenAPI file", len(exchanges))
}
