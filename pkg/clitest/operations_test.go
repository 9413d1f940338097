package clitest

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/sandbox"
)

// What an operation of the API is made of.
const (
	clientMethod  = "client method"
	sandboxRoute  = "sandbox route"
	referencePage = "reference page of a command"
)

// Every operation of the OpenAPI file has a client method, a sandbox route and
// a reference page, with the method and path of the file.
func TestEveryOperationIsAccountedFor(t *testing.T) {
	contract, err := LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	client := map[string]cmapi.Operation{}
	for _, op := range cmapi.Operations() {
		client[op.ID] = op
	}
	routes := sandbox.OperationIDs()
	index, pages := referencePages(t)
	var inFile []string
	for path, item := range contract.doc.Paths.Map() {
		for method, spec := range item.Operations() {
			id := spec.OperationID
			inFile = append(inFile, id)
			op, called := client[id]
			row := "| `" + id + "` | `" + method + " " + path + "` |"
			for part, there := range map[string]bool{
				clientMethod:  called,
				sandboxRoute:  slices.Contains(routes, id),
				referencePage: strings.Contains(pages, row),
			} {
				if !there {
					t.Errorf("%s has no %s", id, part)
				}
			}
			if !called {
				continue
			}
			if op.Method != method || op.Path != path {
				t.Errorf("%s: the client has %s %s, the API file %s %s", id, op.Method, op.Path, method, path)
			}
			if !clientHas(op.Call) {
				t.Errorf("%s: the client has no method %s", id, op.Call)
			}
			if !strings.Contains(index, row) {
				t.Errorf("%s: docs/reference/operations.md has no row %s (make gen)", id, row)
			}
		}
	}
	for name, ids := range map[string][]string{"the sandbox": routes, "the client": keys(client)} {
		for _, id := range ids {
			if !slices.Contains(inFile, id) {
				t.Errorf("%s has %s: the API file has no such operation", name, id)
			}
		}
	}
	if len(inFile) != 29 {
		t.Errorf("the API file has %d operations: it is another file", len(inFile))
	}
}

func keys(m map[string]cmapi.Operation) (ids []string) {
	for id := range m {
		ids = append(ids, id)
	}
	return ids
}

// clientHas says whether "Certificates.List" is a method of that service of
// the client.
func clientHas(call string) bool {
	service, method, _ := strings.Cut(call, ".")
	field, ok := reflect.TypeFor[cmapi.Client]().FieldByName(service)
	if !ok {
		return false
	}
	_, ok = field.Type.MethodByName(method)
	return ok
}

// referencePages are the page of operations, and all pages of commands.
func referencePages(t *testing.T) (index, commands string) {
	t.Helper()
	dir := filepath.Join(Root(), "docs", "reference")
	files, err := filepath.Glob(filepath.Join(dir, "cmctl-*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages of commands in %s: %v", dir, err)
	}
	var b strings.Builder
	for _, f := range append(files, filepath.Join(dir, "operations.md")) {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if f == filepath.Join(dir, "operations.md") {
			return string(data), b.String()
		}
		b.Write(data)
	}
	return "", ""
}
