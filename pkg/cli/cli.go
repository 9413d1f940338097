// Package cli is cmctl's command tree and its Main: the root command with the
// flags that all share, signals, and the one place where an error is printed
// and becomes an exit code.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// version is set when a release is built.
var version = "dev"

// Option changes the program for a test.
type Option func(*cobra.Command, *terminal.Streams)

// WithCommand adds a command, such as one that panics.
func WithCommand(c *cobra.Command) Option {
	return func(root *cobra.Command, _ *terminal.Streams) { root.AddCommand(c) }
}

// WithTap copies all that is printed.
func WithTap(out, err io.Writer) Option {
	return func(_ *cobra.Command, s *terminal.Streams) {
		s.Out, s.Err = io.MultiWriter(s.Out, out), io.MultiWriter(s.Err, err)
	}
}

// Main runs cmctl with the process's own environment and signals, and returns
// its exit code.
func Main(args []string, stdin, stdout, stderr *os.File, options ...Option) int {
	if pkcs11.Serve(args) { // cmctl started itself to hold a PKCS#11 module
		return int(exit.OK)
	}
	// A crash must never look like a usage error: it aborts (134) and leaves no
	// core file, which would hold keys and PINs.
	debug.SetTraceback("crash")
	noCore()
	streams := terminal.New(stdin, stdout, stderr, os.LookupEnv)
	f := &cmdutil.Factory{Streams: streams, Env: os.LookupEnv, Version: version, Now: time.Now}
	ctx, catch, stop := catchSignals(f)
	defer stop()
	f.CatchSignals = catch
	code := Run(ctx, f, args, options...)
	streams.Flush(ctx)
	return int(code)
}

// Run runs one command line and prints its error.
func Run(ctx context.Context, f *cmdutil.Factory, args []string, options ...Option) exit.Code {
	root := NewRoot(f, args...)
	if isCompletion(args) {
		completeFiles(root)
	}
	for _, o := range options {
		o(root, f.Streams)
	}
	root.SetArgs(args)
	root.SetIn(f.Streams.In)
	root.SetOut(f.Streams.Out)
	root.SetErr(f.Streams.Err)
	defer f.Close()
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil, errors.Is(err, output.ErrClosed):
		return exit.OK
	}
	f.UseFlags(cmd.Flags()) // also when they could not be parsed to the end
	err = usage(cmd, err)
	printError(f, args, err)
	return exit.Of(err)
}

// usage gives cobra's own errors, which have no type, their code.
func usage(cmd *cobra.Command, err error) error {
	var coder exit.Coder
	if errors.As(err, &coder) {
		return err
	}
	text := err.Error()
	for _, start := range []string{
		"unknown command", "unknown flag", "unknown shorthand flag", "invalid argument", "flag needs an argument",
		"required flag", "accepts ", "requires ", "bad flag syntax", "if any flags in the group", "no such flag",
	} {
		if strings.HasPrefix(text, start) {
			return exit.Usagef(seeHelp(cmd), "%w", err)
		}
	}
	return err
}

// catchSignals ends the context at the first signal, with the exit code as its
// cause, so that what is in flight can be finished; a second one ends the
// process. It begins with catch: to catch signals takes a tenth of a short run.
// A closed stdout is an error of the write and no signal.
func catchSignals(f *cmdutil.Factory) (_ context.Context, catch, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signal.Ignore(syscall.SIGPIPE)
	got := make(chan os.Signal, 2)
	wait := func() {
		s := <-got
		code := signalCode(s)
		cancel(exit.New(code, "", "%s", code.Kind()))
		for first, at := s, time.Now(); ; {
			if s = <-got; time.Since(at) > oneEvent(first, s) {
				break
			}
		}
		_, _ = fmt.Fprintln(f.Streams.Err, "cmctl: stopped at once: what was in flight is not read back")
		if command := f.Resumable(); command != "" {
			_, _ = fmt.Fprintf(f.Streams.Err, "hint: `%s` reads it back and goes on\n", command)
		}
		os.Exit(int(signalCode(s)))
	}
	catch = func() {
		signal.Notify(got, terminal.EndSignals()...)
		go wait()
	}
	return ctx, catch, func() { signal.Stop(got); cancel(nil) }
}

// oneEvent is how long after a signal the next is one with it: a terminal that
// closes sends SIGHUP by the kernel and by the shell, timeout(1) and service
// managers send to the process and to its group. Nobody presses Ctrl-C so fast.
func oneEvent(first, next os.Signal) time.Duration {
	if first == os.Interrupt || next == os.Interrupt {
		return 200 * time.Millisecond
	}
	return 2 * time.Second
}

func signalCode(s os.Signal) exit.Code {
	switch s {
	case syscall.SIGTERM:
		return exit.Terminated
	case syscall.SIGHUP:
		return exit.Hangup
	}
	return exit.Interrupted
}

// printError prints an error once: a line and a hint for people, one JSON
// object where data was asked for.
func printError(f *cmdutil.Factory, args []string, err error) {
	if wantsJSON(f, args) {
		raw, _ := json.Marshal(errorObject(err))
		_, _ = fmt.Fprintln(f.Streams.Err, string(output.EscapeJSON(raw)))
		return
	}
	for i, line := range strings.Split(err.Error(), "\n") {
		prefix := ""
		if i == 0 {
			prefix = "cmctl: "
		}
		_, _ = fmt.Fprintln(f.Streams.Err, prefix+output.Escape(line))
	}
	if hint := exit.HintOf(err); hint != "" {
		_, _ = fmt.Fprintln(f.Streams.Err, "hint: "+output.Escape(hint))
	}
}

// wantsJSON also looks at the bare arguments: the error may be that they could
// not be parsed.
func wantsJSON(f *cmdutil.Factory, args []string) bool {
	if format, err := f.Format(); err == nil && f.FormatGiven() {
		return format.IsJSON()
	}
	for i, a := range args {
		switch {
		case a == "-ojson", a == "-ojsonl", a == "-o=json", a == "-o=jsonl", a == "--output=json", a == "--output=jsonl":
			return true
		case a == "--jq", strings.HasPrefix(a, "--jq="):
			return true
		case (a == "-o" || a == "--output") && i+1 < len(args) && (args[i+1] == "json" || args[i+1] == "jsonl"):
			return true
		}
	}
	format, err := f.Format()
	return err == nil && format.IsJSON()
}

type gatewayObject struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
	HTTP int    `json:"http"`
}

type errorJSON struct {
	Kind    string         `json:"kind"`
	Exit    int            `json:"exit"`
	Message string         `json:"message"`
	Hint    string         `json:"hint,omitempty"`
	Gateway *gatewayObject `json:"gateway,omitempty"`
}

func errorObject(err error) errorJSON {
	code := exit.Of(err)
	out := errorJSON{Kind: code.Kind(), Exit: int(code), Message: err.Error(), Hint: exit.HintOf(err)}
	var call *cmapi.Error
	var item *cmapi.ItemError
	switch {
	case errors.As(err, &call) && (call.HTTP != 0 || call.Code != 0):
		out.Gateway = &gatewayObject{call.Code, call.Message, call.HTTP}
	case errors.As(err, &item):
		out.Gateway = &gatewayObject{item.Code, item.Message, item.HTTP}
	}
	return out
}
