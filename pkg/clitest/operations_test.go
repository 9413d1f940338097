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

// notThereYet lists the operations of the API that cmctl does not have. It
// only ever shrinks: the test fails when one of them has arrived.
var notThereYet = []string{
	"createRegistration",
	"createRegistrationAcme",
	"createRegistrationCmp",
	"createRegistrationEst",
	"createRegistrationScep",
	"getRegistrationsCertId",
	"importPKIX509",
	"issueCertificatePkcs10ToAttrCert",
	"issueCertificatePkcs10ToPkcs12",
	"listAcmeAccounts",
	"listIssuers",
	"listRegistrations",
	"listRegistrationsAcme",
	"listRegistrationsCmp",
	"listRegistrationsEst",
	"listRegistrationsScep",
	"secureKeyInjectionPackage",
	"updateRegistration",
	"updateRegistrationAcme",
	"updateRegistrationCmp",
	"updateRegistrationEst",
	"updateRegistrationScep",
}

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
			var missing []string
			note := func(there bool, what string) {
				if !there {
					missing = append(missing, what)
				}
			}
			note(called, "client method")
			note(slices.Contains(routes, id), "sandbox route")
			note(strings.Contains(index, "| `"+id+"` | `"+method+" "+path+"` |"), "row in docs/reference/operations.md")
			note(strings.Contains(pages, "| `"+id+"` | `"+method+" "+path+"` |"), "page of a command in docs/reference")
			switch {
			case slices.Contains(notThereYet, id):
				if len(missing) < 4 {
					t.Errorf("%s is listed as not there yet, but only this is missing: %q", id, missing)
				}
				continue
			case len(missing) > 0:
				t.Errorf("%s is missing: %s", id, strings.Join(missing, ", "))
			}
			if called && (op.Method != method || op.Path != path) {
				t.Errorf("%s: the client has %s %s, the API file %s %s", id, op.Method, op.Path, method, path)
			}
			if called && !clientHas(op.Call) {
				t.Errorf("%s: the client has no method %s", id, op.Call)
			}
		}
	}
	for _, list := range []struct {
		name string
		ids  []string
	}{{"the list of those not there yet", notThereYet}, {"the sandbox", routes}, {"the client", keys(client)}} {
		for _, id := range list.ids {
			if !slices.Contains(inFile, id) {
				t.Errorf("%s has %s: the API file has no such operation", list.name, id)
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
