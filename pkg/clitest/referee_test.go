//go:build referees

package clitest

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestRefereeTokens runs the scripts that want PKCS#11 modules and tools which
// not every machine has: NSS, openCryptoki, p11tool.
func TestRefereeTokens(t *testing.T) {
	contract, err := LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	notes := t.TempDir()
	t.Setenv(contractDir, notes)
	testscript.Run(t, contract.Params(filepath.Join(Root(), "testdata", "referees", "token"), notes))
}
