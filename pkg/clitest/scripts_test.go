package clitest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cmctl/cmctl/pkg/sandbox"
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
	judge(t, contract, notes)
}

// judge fails for every exchange that breaks the contract and, when the whole
// suite ran, for an operation of the API file that was not shown in either
// mode of signing: by a validated exchange of cmctl, and as carried out by the
// sandbox's own log.
func judge(t *testing.T, contract *Contract, notes string) {
	exchanges, err := readLines[exchange](filepath.Join(notes, exchangeNotes))
	if err != nil {
		t.Fatal(err)
	}
	done, err := readLines[carried](filepath.Join(notes, carriedNotes))
	if err != nil {
		t.Fatal(err)
	}
	shown, logged := map[carried]bool{}, map[carried]bool{}
	problems := map[string]int{}
	for _, e := range exchanges {
		if e.Problem != "" {
			problems[e.Problem]++
		} else if e.Client && e.Exempt == "" {
			shown[carried{e.Operation, e.Signing}] = true
		}
	}
	for _, d := range done {
		logged[d] = true
	}
	for p, n := range problems {
		t.Errorf("%d times: %s", n, p)
	}
	if f := flag.Lookup("test.run"); f != nil && f.Value.String() != "" {
		return // a part of the suite proves nothing about the rest
	}
	for _, id := range contract.OperationIDs() {
		for _, signing := range []string{sandbox.SigningCaller, sandbox.SigningVRO} {
			if !shown[carried{id, signing}] {
				t.Errorf("%s, signed by %s: no validated request and answer of cmctl", id, signing)
			}
			if !logged[carried{id, signing}] {
				t.Errorf("%s, signed by %s: no requests.jsonl says that it was carried out", id, signing)
			}
		}
	}
	t.Logf("%d exchanges held against the OpenAPI file", len(exchanges))
}
