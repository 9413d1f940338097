package clitest

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cmctl/cmctl/pkg/sandbox"
)

// answers are what a script has its sandbox answer in place of its own, by
// operation.
type answers struct {
	mu   sync.Mutex
	byID map[string]answer
}

type answer struct {
	status int
	body   []byte
	odd    bool // not held against the OpenAPI file
}

type answersKey struct{}

// huge is the body of an answer that does not end for a gigabyte.
const huge = "huge"

// cmdAnswer is `answer OPERATION STATUS JSON`: from here on every call of the
// operation gets this answer, for what a sandbox never says by itself. `answer
// OPERATION FILE` takes a file's bytes, which need be neither true nor even
// JSON. With a status of 3xx it is the place to go to instead. `answer
// OPERATION` ends it.
func cmdAnswer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 3 {
		ts.Fatalf("usage: answer OPERATION [STATUS JSON | FILE]")
	}
	a := ts.Value(answersKey{}).(*answers)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byID, args[0])
	switch len(args) {
	case 2:
		data, err := os.ReadFile(ts.MkAbs(args[1]))
		ts.Check(err)
		a.byID[args[0]] = answer{http.StatusOK, data, true}
	case 3:
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		a.byID[args[0]] = answer{status, []byte(args[2]), status/100 == 3 || args[2] == huge || args[2] == ""}
	}
}

// instead answers before the sandbox does: what is odd, or what is not.
func (a *answers) instead(odd bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		is, found := a.byID[sandbox.OperationFromContext(r.Context())]
		a.mu.Unlock()
		if !found || is.odd != odd {
			next.ServeHTTP(w, r)
			return
		}
		if is.status/100 == 3 {
			w.Header().Set("Location", string(is.body))
			w.WriteHeader(is.status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(is.status)
		body, times := is.body, 1
		if string(body) == huge {
			body, times = []byte(`{"error":0,"x":"`+strings.Repeat("x", 1<<20)), 1<<10
		}
		for range times {
			if _, err := w.Write(body); err != nil {
				return // a client that went away is its own affair
			}
		}
	})
}
