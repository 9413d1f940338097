package clitest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// SchemaDir has the schemas of what -o json prints, one a noun.
func SchemaDir() string { return filepath.Join(Root(), "docs", "schema") }

// CheckRecord holds a record against a schema of docs/schema. A member that the
// schema does not name is wrong even where the schema, for gateways to come,
// lets it pass: what cmctl and its sandbox know is to be written down.
func CheckRecord(name string, record any) error {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(SchemaDir(), name+".json"))
	if err != nil {
		return err
	}
	if err := schema.Validate(record); err != nil {
		return err
	}
	for member := range record.(map[string]any) { // every schema asks for an object
		if schema.Properties[member] == nil {
			return fmt.Errorf("%s.json says nothing of member %q", name, member)
		}
	}
	return nil
}

// cmdSchema is `schema NAME FILE`: each JSON value of the file, and there is
// one, is such a record or an array of them.
func cmdSchema(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: schema NAME FILE")
	}
	n := 0
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[1])))
	for dec.More() {
		var v any
		ts.Check(dec.Decode(&v))
		records, ok := v.([]any)
		if !ok {
			records = []any{v}
		}
		for _, r := range records {
			n++
			if err := CheckRecord(args[0], r); (err == nil) == neg {
				ts.Fatalf("record %d against %s.json: %v", n, args[0], err)
			}
		}
	}
	if n == 0 {
		ts.Fatalf("%s has no record", args[1])
	}
}
