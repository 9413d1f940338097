package clitest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/sandbox"
)

// What the overlay names is checked by the overlay, and everything else by the
// OpenAPI file alone.
func TestOverlay(t *testing.T) {
	contract, err := LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	const list = `{"error":0,"msg":"done","searchHits":0,"certificates":[]}`
	for _, c := range []struct {
		name, method, target, answer string
		problem                      string // part of it; empty: none
	}{
		{"base", "GET", "/certificates?searchLimit=5", list, ""},
		{"base, wrong", "GET", "/certificates?searchLimit=x", list, "searchLimit"},
		{"base, no such parameter", "GET", "/certificates?order=certid", list, `"order"`},
		{"base, wrong answer", "GET", "/certificates", `{"error":"0"}`, "answer 200"},
		{"overlay", "GET", "/certificates?orderBy=certid&searchLimit=5&orderDescending=true", list, ""},
		{"overlay, wrong", "GET", "/certificates?orderBy=certid&orderDescending=maybe", list, "orderDescending"},
		{"overlay, base wrong", "GET", "/certificates?orderBy=certid&searchLimit=x", list, "searchLimit"},
		{"overlay, no such parameter", "GET", "/certificates?orderBy=certid&order=x", list, `"order"`},
		{"overlay, wrong answer", "GET", "/certificates?orderBy=certid", `{"error":"0"}`, "answer 200"},
		{"of another operation", "GET", "/procedures?orderBy=certid", `{"error":0}`, `"orderBy"`},
		{"media type", "GET", "/procedures?mediaType=pkcs10", `{"error":0}`, ""},
		{"no media type", "GET", "/procedures?mediaType=x", `{"error":0}`, "mediaType"},
		{"handler", "POST", "/certificates/pkcs10/tls%201", `{"error":-19,"dataToSign":"AA=="}`, ""},
		{"handler, wrong answer", "POST", "/certificates/pkcs10/tls", `{"error":-19}`, "answer 200"},
		{"handler, wrong method", "GET", "/certificates/pkcs10/tls", `{}`, "request GET"},
		{"no such path", "POST", "/certificates/pkcs12/tls", `{}`, "no matching operation"},
	} {
		body := ""
		if c.method == "POST" {
			body = "--b\r\nContent-Disposition: form-data; name=\"pkcs10\"\r\nContent-Type: application/pkcs10\r\n\r\nAA==\r\n--b--\r\n"
		}
		r := httptest.NewRequest(c.method, sandbox.DefaultBasePath+c.target, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		}
		answer := &tee{ResponseWriter: httptest.NewRecorder(), status: http.StatusOK}
		answer.Header().Set("Content-Type", "application/json")
		answer.body.WriteString(c.answer)
		err := contract.check(r, sandbox.DefaultBasePath, []byte(body), answer, exchange{Client: true})
		if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.problem)
		}
	}
}

// An operation of the overlay is one of the file, by id and method.
func TestOverlayNamesOperations(t *testing.T) {
	contract, err := LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range contract.overlay.Paths.Map() {
		for method, op := range item.Operations() {
			base := contract.doc.Paths.Value(contract.pathOf(op.OperationID))
			if base == nil || base.GetOperation(method) == nil {
				t.Errorf("%s %s: the API file has no %s with this method", method, path, op.OperationID)
			}
		}
	}
}
