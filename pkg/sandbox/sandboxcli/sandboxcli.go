// Package sandboxcli is the command line of cmctl-sandbox: serve runs a
// sandbox until it is stopped, exec runs it around one command. It holds flags,
// help, signals and exit codes; what a sandbox is and does is in pkg/sandbox.
package sandboxcli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/sandbox"
	"github.com/spf13/cobra"
)

// version is set by the linker for releases.
var version string

// The exit codes of exec beside those of the command, as env(1) has them.
const (
	exitSandbox    exit.Code = 125 // the sandbox itself failed
	exitCannotRun  exit.Code = 126 // the command was found but cannot be run
	exitNotFound   exit.Code = 127 // the command was not found
	exitSignalBase           = 128 // plus the number of the signal that ended the command
)

// program is what the commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	extra          []sandbox.Option
	status         int // of the command that exec ran
}

// Main runs the command line and returns the exit status. extra is applied to
// the options that the flags make; test programs that embed a sandbox use it.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer, extra ...sandbox.Option) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, extra: extra}
	root := p.root()
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		fmt.Fprintf(stderr, "cmctl-sandbox: %v\n", err)
		if hint := exit.HintOf(err); hint != "" {
			fmt.Fprintf(stderr, "hint: %s\n", hint)
		}
		return int(exit.Of(err))
	}
	return p.status
}

func (p *program) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cmctl-sandbox",
		Short: "A CM REST API gateway and CA to try out, train, drill and test against",
		Long: `A CM REST API gateway and CA to try out, train, drill and test against.

It is real where it counts: X.509, mutual TLS, CMS signatures that are checked
strictly, a database. It is a sandbox all the same: its keys lie about in the
clear, its certificates are worth nothing, and it serves on loopback only.`,
		Example: `  cmctl-sandbox exec --certs 1000 -- cmctl cert search --limit 5
  cmctl-sandbox exec -- sh
  cmctl-sandbox serve --dir ./sandbox`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              noArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetOut(p.stdout)
	cmd.SetErr(p.stderr)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exit.Usagef("see "+cmd.CommandPath()+" --help", "%w", err)
	})
	cmd.AddCommand(p.serve(), p.exec(), p.version())
	return cmd
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return exit.Usagef("see "+cmd.CommandPath()+" --help", "%s does not know %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := version
			if info, ok := debug.ReadBuildInfo(); ok && v == "" {
				v = info.Main.Version
			}
			if v == "" {
				v = "(devel)"
			}
			_, err := fmt.Fprintf(p.stdout, "cmctl-sandbox %s %s %s/%s\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// orSandbox gives code 125 to an error that has none of its own.
func orSandbox(err error) error {
	if code := exit.Of(err); code != exit.Failure && code != exit.OK {
		return err
	}
	return exit.New(exitSandbox, exit.HintOf(err), "%w", err)
}
