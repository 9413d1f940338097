package clitest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// Every command that prints records has a schema for them, and every schema is
// of something.
func TestEveryNounHasASchema(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(SchemaDir(), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	unused := map[string]bool{}
	for _, f := range files {
		unused[strings.TrimSuffix(filepath.Base(f), ".json")] = true
	}
	delete(unused, "error") // of every command, on stderr
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		printed := cmdutil.ColumnsOf(cmd)
		_, other := cmdutil.AlternativeOf(cmd)
		for i, c := range []struct {
			columns []string
			schema  string
		}{{printed.TSV, printed.Schema}, {other.TSV, other.Schema}} {
			if len(c.columns) == 0 {
				continue
			}
			if !slices.Contains(files, filepath.Join(SchemaDir(), c.schema+".json")) {
				t.Errorf("%s: no schema %q in docs/schema for noun %d: describe its JSON there and name it in the noun", cmd.CommandPath(), c.schema, i+1)
			}
			delete(unused, c.schema)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(cli.NewRoot(&cmdutil.Factory{}))
	for name := range unused {
		t.Errorf("docs/schema/%s.json belongs to no noun", name)
	}
}

// A schema that takes everything would prove nothing.
func TestSchemasRefuse(t *testing.T) {
	for name, wrong := range map[string]map[string]any{
		"certificate":          {"certid": 10003.0},
		"issuer":               {"subject": map[string]any{}},
		"count":                {"value": "active", "count": "7"},
		"procedure":            {"id": "p"},
		"registration":         {"regid": "x", "creationdate": "2026-03-02"},
		"account":              {"regid": "x", "certids": "1,2"},
		"finding":              {"certid": "1", "finding": "done"},
		"import-finding":       {"finding": "due", "certificateserialnumber": "0a", "subject": "CN=a"},
		"issue-finding":        {"request": "a.csr", "finding": "already", "subject": "CN=a"},
		"registration-finding": {"finding": "due", "password": "x"},
		"outcome":              {"certid": "1", "outcome": "OK"},
		"import-outcome":       {"outcome": "done"},
		"registration-outcome": {"outcome": "done", "password": "x"},
		"issued":               {"certid": "1", "key": "x"},
		"key":                  {"uri": "pkcs11:"},
		"key-test":             {"step": "open"},
		"context":              {"name": "x", "current": "yes", "server": "", "protected": false},
		"setting":              {"name": "x", "value": 1.0, "origin": ""},
		"version":              {"version": "1"},
		"artefact":             {"file": "x", "kind": "thing"},
		"error":                {"kind": "usage", "exit": 0.0, "message": ""},
	} {
		if err := CheckRecord(name, wrong); err == nil {
			t.Errorf("%s takes %v", name, wrong)
		}
	}
	if err := CheckRecord("certificate", map[string]any{"certid": "1", "newMember": "x"}); err == nil {
		t.Error("a member that is written down nowhere is taken")
	}
}
