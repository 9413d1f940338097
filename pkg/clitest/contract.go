package clitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing/iotest"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/cmctl/cmctl/pkg/sandbox"
)

// contractDir is the variable that names the folder in which every process of
// the suite notes the exchanges it has checked.
const contractDir = "CLITEST_CONTRACT_DIR"

// exchange is one line of such a note.
type exchange struct {
	Operation string `json:"operation"`
	Signing   string `json:"signing"`          // who signs at this gateway
	Client    bool   `json:"client"`           // the request was cmctl's, not a stranger's
	Exempt    string `json:"exempt,omitempty"` // the fault that altered the answer
	Problem   string `json:"problem,omitempty"`
}

// Contract holds every exchange against the OpenAPI file: a referee that
// neither the client nor the sandbox wrote.
type Contract struct {
	doc     *openapi3.T
	overlay *openapi3.T
	mu      sync.Mutex
	routers map[string]served
}

// served finds operations below one base path: those of the OpenAPI file, and
// what the overlay adds to some of them.
type served struct{ base, overlay routers.Router }

// Root is the folder of the module.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// LoadContract reads the OpenAPI file and the overlay.
func LoadContract() (*Contract, error) {
	c := &Contract{routers: map[string]served{}}
	for name, into := range map[string]**openapi3.T{"cm-rest-api.yaml": &c.doc, "overlay.yaml": &c.overlay} {
		doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(Root(), "testdata", "api", name))
		if err != nil {
			return nil, err
		}
		*into = doc
	}
	for _, media := range []string{"application/pkcs10", "application/pkix-cert", "application/pkcs7-mime", "application/pem-certificate-chain", "application/x-pkcs12"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
	return c, nil
}

// OperationIDs lists the operations of the file.
func (c *Contract) OperationIDs() []string {
	var ids []string
	for _, item := range c.doc.Paths.Map() {
		for _, op := range item.Operations() {
			ids = append(ids, op.OperationID)
		}
	}
	return ids
}

// served makes, once for each base path, what finds operations.
func (c *Contract) served(base string) (served, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.routers[base]; ok {
		return s, nil
	}
	var s served
	for from, into := range map[*openapi3.T]*routers.Router{c.doc: &s.base, c.overlay: &s.overlay} {
		doc := *from
		doc.Servers = openapi3.Servers{{URL: base}}
		r, err := gorillamux.NewRouter(&doc)
		if err != nil {
			return s, err
		}
		*into = r
	}
	c.routers[base] = s
	return s, nil
}

// Middleware checks every request of cmctl and every answer of the sandbox
// and notes what it found. Answers altered by a fault are exempt, by name.
func (c *Contract) Middleware(base, signing string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, whole := bodyOf(r)
			if !whole { // there is no request to judge
				next.ServeHTTP(w, r)
				return
			}
			copied := &tee{ResponseWriter: w, status: http.StatusOK}
			note := exchange{Operation: sandbox.OperationFromContext(r.Context()), Signing: signing, Client: strings.HasPrefix(r.UserAgent(), "cmctl/")}
			defer func() {
				if f, ok := sandbox.FaultFromContext(r.Context()); ok {
					note.Exempt = f.String()
				}
				if err := c.check(r, base, body, copied, note); err != nil {
					note.Problem = err.Error()
				}
				if err := writeNote(exchangeNotes, note); err != nil {
					panic(err)
				}
			}()
			next.ServeHTTP(copied, r)
		})
	}
}

// bodyOf reads the body of a request and leaves it there to be read again. It is
// not whole when the client was killed while it sent it.
func bodyOf(r *http.Request) (body []byte, whole bool) {
	body, err := io.ReadAll(r.Body)
	var again io.Reader = bytes.NewReader(body)
	if err != nil {
		again = io.MultiReader(again, iotest.ErrReader(err))
	}
	r.Body = io.NopCloser(again)
	return body, err == nil
}

// copyOf is a request whose form can be read without reading that of r.
func copyOf(r *http.Request, body []byte) *http.Request {
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	return copied
}

func (c *Contract) check(r *http.Request, base string, body []byte, answer *tee, note exchange) error {
	s, err := c.served(base)
	if err != nil {
		return err
	}
	req := r.Clone(context.Background())
	if err := c.takeOverlay(s, base, req); err != nil {
		return fmt.Errorf("request %s %s: %w", r.Method, r.URL, err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := s.base.FindRoute(req)
	if err != nil {
		return fmt.Errorf("request %s %s: %w", r.Method, r.URL, err)
	}
	in := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true},
	}
	if note.Client {
		if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
			return fmt.Errorf("request %s %s: %w", r.Method, r.URL, err)
		}
		if err := declared(route, req); err != nil {
			return err
		}
	}
	if note.Exempt != "" {
		return nil
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: answer.status, Header: answer.Header(), Options: in.Options}
	out.SetBodyBytes(answer.body.Bytes())
	if err := openapi3filter.ValidateResponse(req.Context(), out); err != nil {
		return fmt.Errorf("answer %d to %s %s: %w", answer.status, r.Method, r.URL, err)
	}
	return nil
}

// takeOverlay checks what the overlay names in a request and takes it out, so
// that the rest can be held against the OpenAPI file, which does not know it.
func (c *Contract) takeOverlay(s served, base string, r *http.Request) error {
	route, params, err := s.overlay.FindRoute(r)
	if err != nil {
		return nil // it names nothing in here
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: true}}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
		return err
	}
	query := r.URL.Query()
	for _, p := range route.Operation.Parameters {
		if p.Value.In == openapi3.ParameterInQuery && query.Has(p.Value.Name) {
			query.Del(p.Value.Name)
			r.URL.RawQuery = query.Encode()
		}
	}
	if c.doc.Paths.Value(route.Path) == nil {
		// A path that the file does not have: go by that of the operation.
		r.URL.Path, r.URL.RawPath = base+c.pathOf(route.Operation.OperationID), ""
	}
	return nil
}

func (c *Contract) isWrite(operationID string) bool {
	op := c.doc.Paths.Value(c.pathOf(operationID))
	return op == nil || op.Get == nil || op.Get.OperationID != operationID
}

func (c *Contract) pathOf(operationID string) string {
	for path, item := range c.doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.OperationID == operationID {
				return path
			}
		}
	}
	return ""
}

// declared refuses query parameters that the file does not have: the validator
// looks only at those it knows.
func declared(route *routers.Route, r *http.Request) error {
	known := map[string]bool{}
	for _, p := range append(route.PathItem.Parameters, route.Operation.Parameters...) {
		known[p.Value.Name] = p.Value.In == "query"
	}
	for name := range r.URL.Query() {
		if !known[name] {
			return fmt.Errorf("request %s %s: the API file declares no query parameter %q", r.Method, r.URL.Path, name)
		}
	}
	return nil
}

// tee keeps a copy of an answer on its way out.
type tee struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *tee) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *tee) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below.
func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// The files of notes in contractDir.
const (
	exchangeNotes = "exchanges.jsonl"
	carriedNotes  = "carried-out.jsonl"
)

// carried is an operation that a sandbox logged as carried out.
type carried struct {
	Operation string `json:"operation"`
	Signing   string `json:"signing"`
}

// noteCarriedOut notes what the requests.jsonl of a sandbox says was carried
// out: reads, and writes that changed something, signed by whom they are to be.
func (c *Contract) noteCarriedOut(log, signing string) error {
	lines, err := readLines[struct {
		OperationID string
		Error       int
		Signatures  int
		Changed     []string
	}](log)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l.Error != 0 || c.isWrite(l.OperationID) && (len(l.Changed) == 0 || (l.Signatures == 1) != (signing == sandbox.SigningCaller)) {
			continue
		}
		if err := writeNote(carriedNotes, carried{l.OperationID, signing}); err != nil {
			return err
		}
	}
	return nil
}

func writeNote(name string, v any) error {
	dir := os.Getenv(contractDir)
	if dir == "" {
		return errors.New(contractDir + " is not set: the exchange would go unchecked")
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	return errors.Join(err, f.Close())
}

// readLines reads a file of JSON values; none when it is not there.
func readLines[T any](name string) ([]T, error) {
	raw, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var values []T
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var v T
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return values, nil
		} else if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
}
