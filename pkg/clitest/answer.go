package clitest

import (
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cmctl/cmctl/pkg/sandbox"
)

// answers are what a script has its sandbox answer in place of its own.
type answers struct {
	mu   sync.Mutex
	byID map[string]answer
}

type answer struct {
	status int
	body   string
}

type answersKey struct{}

// cmdAnswer is `answer OPERATION STATUS JSON`: from here on every call of the
// operation gets this answer, for what a sandbox never says by itself; `answer
// OPERATION` ends it.
func cmdAnswer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 && len(args) != 3 {
		ts.Fatalf("usage: answer OPERATION [STATUS JSON]")
	}
	a := ts.Value(answersKey{}).(*answers)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(args) == 1 {
		delete(a.byID, args[0])
		return
	}
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	a.byID[args[0]] = answer{status, args[2]}
}

func (a *answers) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		is, found := a.byID[sandbox.OperationFromContext(r.Context())]
		a.mu.Unlock()
		if !found {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(is.status)
		_, _ = io.WriteString(w, is.body)
	})
}
