package clitest

import (
	"net/http"
	"os"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cmctl/cmctl/pkg/sandbox"
)

// answers are what a script has the gateway say instead of the truth, by
// operation.
type answers struct {
	mu   sync.Mutex
	said map[string][]byte
}

type answersKey struct{}

// cmdAnswer is `answer OPERATION [FILE]`: from now on the gateway answers this
// read with the file's bytes, which need be neither true nor even JSON; without
// a file, with the truth again.
func cmdAnswer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: answer OPERATION [FILE]")
	}
	a := ts.Value(answersKey{}).(*answers)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.said, args[0])
	if len(args) == 2 {
		data, err := os.ReadFile(ts.MkAbs(args[1]))
		ts.Check(err)
		a.said[args[0]] = data
	}
}

// instead answers before the sandbox does, and before its answer is judged.
func (a *answers) instead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		said, ok := a.said[sandbox.OperationFromContext(r.Context())]
		a.mu.Unlock()
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(said) // a client that went away is its own affair
	})
}
