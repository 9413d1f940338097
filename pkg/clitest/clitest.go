// Package clitest is the test bench: testscript files run the real programs
// against the real sandbox, and every exchange between them passes a validator
// of the OpenAPI file on its way. Scripts prove their claims from the
// sandbox's requests.jsonl and not from what cmctl says of itself.
package clitest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/itchyny/gojq"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cmctl/cmctl/pkg/cli"
	"github.com/cmctl/cmctl/pkg/sandbox"
	"github.com/cmctl/cmctl/pkg/sandbox/sandboxcli"
)

// Main makes the test binary the programs that scripts run.
func Main(m testscript.TestingM) {
	testscript.Main(m, map[string]func(){
		"cmctl":       func() { os.Exit(linger(cmctlMain(os.Args[1:], tap()))) },
		"cmctl-panic": func() { os.Exit(cmctlMain([]string{"panic"}, cli.WithCommand(panicCommand()))) },
		"cmctl-leak": func() {
			os.Exit(cmctlMain(append([]string{"leak"}, os.Args[1:]...), cli.WithCommand(leakCommand()), tap()))
		},
		"cmctl-sandbox": func() { os.Exit(sandboxMain()) },
		"make-token": func() {
			if err := makeToken(os.Args[1:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		},
	})
}

// linger lets testscript read what was printed on its terminal: it closes its
// end as soon as the program is gone, and on a busy machine the last line is
// lost.
func linger(code int) int {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		time.Sleep(100 * time.Millisecond)
	}
	return code
}

func panicCommand() *cobra.Command {
	return &cobra.Command{Use: "panic", RunE: func(*cobra.Command, []string) error { panic("on purpose") }}
}

// leakCommand prints a file, for a test of the search for secrets.
func leakCommand() *cobra.Command {
	return &cobra.Command{Use: "leak FILE", RunE: func(cmd *cobra.Command, args []string) error {
		data, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(data)
		return err
	}}
}

func cmctlMain(args []string, options ...cli.Option) int {
	return cli.Main(args, os.Stdin, os.Stdout, os.Stderr, options...)
}

func sandboxMain() int {
	contract, err := LoadContract()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	check := contract.Middleware(sandbox.DefaultBasePath, "")
	return sandboxcli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, sandbox.WithMiddleware(func(next http.Handler) http.Handler {
		return noteSecrets(os.Getenv(leaksDir), check(next))
	}))
}

// Params are what the suite's scripts run with. Their programs hear SIGHUP, also
// where the suite itself was started under nohup.
func (c *Contract) Params(dir, notes string) testscript.Params {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_GOLDEN") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv(contractDir, notes)
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("ROOT", Root())
			env.Setenv("NO_PROXY", "*")
			env.Values[counterKey{}] = &counter{}
			env.Values[seenKey{}] = new(int)
			env.Values[answersKey{}] = &answers{byID: map[string]answer{}}
			env.Values[testKey{}] = env.T()
			return watchLeaks(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sandbox":     c.cmdSandbox,
			"code":        cmdCode,
			"counter":     cmdCounter,
			"connections": cmdConnections,
			"requests":    cmdRequests,
			"json":        cmdJSON,
			"lines":       cmdLines,
			"schema":      cmdSchema,
			"forms":       cmdForms,
			"fits":        cmdFits,
			"set":         cmdSet,
			"token":       cmdToken,
			"calls":       cmdCalls,
			"secrets":     cmdSecrets,
			"answer":      cmdAnswer,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "tokens": // without cgo there are none
				return haveTokens, nil
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
	}
}

// cmdSandbox is `sandbox [flags]`: start a sandbox for the rest of the script;
// cmctl works at once. A second one takes the first one's place.
func (c *Contract) cmdSandbox(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("sandbox does not take !")
	}
	opts, err := sandboxcli.ParseOptions(args)
	ts.Check(err)
	base := opts.BasePath
	if base == "" {
		base = sandbox.DefaultBasePath
	}
	var dir atomic.Value // a string, once the sandbox has started
	said := ts.Value(answersKey{}).(*answers)
	signing := cmp.Or(opts.Signing, sandbox.SigningCaller)
	check := c.Middleware(base, signing)
	opts.Middleware = func(next http.Handler) http.Handler {
		return noteSecrets(ts.Getenv(leaksDir), said.instead(true, keepSignature(&dir, check(said.instead(false, next)))))
	}
	s, err := sandbox.Start(context.Background(), opts)
	ts.Check(err)
	dir.Store(s.Dir)
	ts.Defer(func() { ts.Check(s.Close()) })
	watchSandbox(ts, s.Dir)
	ts.Defer(func() { ts.Check(c.noteCarriedOut(filepath.Join(s.Dir, "requests.jsonl"), signing)) })
	ts.Setenv("CMCTL_CONFIG", filepath.Join(s.Dir, "config.yaml"))
	ts.Setenv("CMCTL_STATE_DIR", filepath.Join(s.Dir, "state"))
	ts.Setenv("CMSANDBOX_DIR", s.Dir)
	ts.Setenv("URL", s.URL)
}

// cmdCode is `code N program args...`: run it and expect exactly this exit
// code.
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		got = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// cmdRequests is `requests FILTER WANT`: the sandbox's requests.jsonl as one
// array, put through a jq filter, gives WANT.
func cmdRequests(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: requests FILTER WANT")
	}
	checkFilter(ts, neg, ts.ReadFile(filepath.Join(ts.Getenv("CMSANDBOX_DIR"), "requests.jsonl")), args[0], args[1])
}

// cmdJSON is `json FILE FILTER WANT`: the JSON values of a file (stdout and
// stderr are files too) as one array, put through a jq filter, give WANT.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE FILTER WANT")
	}
	checkFilter(ts, neg, ts.ReadFile(args[0]), args[1], args[2])
}

func checkFilter(ts *testscript.TestScript, neg bool, text, filter, want string) {
	got, err := filterJSON(text, filter)
	ts.Check(err)
	if (got == want) == neg {
		ts.Fatalf("%s gives %s, want %s%s", filter, got, map[bool]string{true: "anything but "}[neg], want)
	}
}

// filterJSON gives the results of a filter over all values of text, strings
// as they are and other values as JSON, one a line.
func filterJSON(text, filter string) (string, error) {
	values := []any{}
	dec := json.NewDecoder(strings.NewReader(text))
	for dec.More() {
		var v any
		if err := dec.Decode(&v); err != nil {
			return "", fmt.Errorf("not JSON: %w", err)
		}
		values = append(values, v)
	}
	q, err := gojq.Parse(filter)
	if err != nil {
		return "", fmt.Errorf("filter %s: %w", filter, err)
	}
	var out []string
	for it := q.Run(values); ; {
		v, ok := it.Next()
		if !ok {
			return strings.Join(out, "\n"), nil
		}
		switch x := v.(type) {
		case error:
			return "", x
		case string:
			out = append(out, x)
		default:
			raw, err := gojq.Marshal(x)
			if err != nil {
				return "", err
			}
			out = append(out, string(raw))
		}
	}
}

// cmdLines is `lines N FILE`: the file has exactly N lines.
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[1]), "\n"); got != want {
		ts.Fatalf("%s has %d lines, want %d", args[1], got, want)
	}
}

// cmdSet is `set VARIABLE FILTER FILE`: set a variable to what a jq filter
// gives of the JSON values of a file.
func cmdSet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: set VARIABLE FILTER FILE")
	}
	got, err := filterJSON(ts.ReadFile(args[2]), args[1])
	ts.Check(err)
	ts.Setenv(args[0], got)
}
