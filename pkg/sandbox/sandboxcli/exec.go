package sandboxcli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/sandbox"
	"github.com/spf13/cobra"
)

func (p *program) exec() *cobra.Command {
	opts := sandbox.Options{}
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND...",
		Short: "Run a command with a sandbox of its own",
		Long: `Run a command with a sandbox of its own, on a free port and in a temporary
folder that is removed at the end.

COMMAND sees CMCTL_CONFIG, CMCTL_STATE_DIR and CMSANDBOX_DIR, so that cmctl works
in it at once. Variables that would lead cmctl elsewhere (CMCTL_SERVER, CMCTL_KEY,
CMCTL_PIN and the like) are taken away; set them inside COMMAND where wanted.
SIGINT, SIGTERM and SIGHUP are passed on. It ends with COMMAND's status, with 128+n when
signal n ended COMMAND, 127 when COMMAND was not found, 126 when it cannot be run,
125 when the sandbox itself failed, 2 for a wrong flag.
` + faultHelp,
		Example: `  cmctl-sandbox exec -- cmctl proc list
  cmctl-sandbox exec --certs 1000 -- sh -c 'cmctl cert search --expires-within 30d | wc -l'
  cmctl-sandbox exec --fault '*:before:busy:every=3' -- bash`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exit.Usagef("for example: cmctl-sandbox exec -- cmctl proc list", "exec wants a command to run")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.runExec(cmd.Context(), opts, args) },
	}
	cmd.Flags().SetInterspersed(false) // what follows COMMAND is COMMAND's
	addFlags(cmd.Flags(), &opts)
	return cmd
}

func (p *program) runExec(ctx context.Context, opts sandbox.Options, args []string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	s, err := startUnlessStopped(ctx, p.with(opts), signals)
	if err != nil {
		return orSandbox(err)
	}
	status, err := p.runCommand(s, args, signals)
	if closeErr := s.Close(); err == nil && closeErr != nil {
		err = orSandbox(closeErr)
	}
	p.status = status
	return err
}

// startUnlessStopped starts the sandbox; seeding can take a while, and a
// signal ends it.
func startUnlessStopped(ctx context.Context, opts sandbox.Options, signals <-chan os.Signal) (*sandbox.Server, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type started struct {
		s   *sandbox.Server
		err error
	}
	done := make(chan started, 1)
	go func() {
		s, err := sandbox.Start(ctx, opts)
		done <- started{s, err}
	}()
	select {
	case d := <-done:
		return d.s, d.err
	case sig := <-signals:
		stop()
		d := <-done
		if d.err == nil {
			d.err = d.s.Close()
		}
		code := exitSandbox
		if n, ok := sig.(syscall.Signal); ok {
			code = exit.Code(exitSignalBase + int(n))
		}
		return nil, exit.New(code, "", "stopped by %v before the command was started", sig)
	}
}

func (p *program) runCommand(s *sandbox.Server, args []string, signals <-chan os.Signal) (int, error) {
	command := exec.Command(args[0], args[1:]...)
	command.Env = environment(os.Environ(), s.Dir)
	command.Stdin, command.Stdout, command.Stderr = p.stdin, p.stdout, p.stderr
	command.WaitDelay = time.Second // a stdin that is no file may never end
	if err := command.Start(); err != nil {
		code, hint := exitCannotRun, "it was found, but cannot be run"
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			code, hint = exitNotFound, "write the command after --, as cmctl-sandbox exec -- cmctl proc list"
		}
		return 0, exit.New(code, hint, "%w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case sig := <-signals:
			if !sentByTerminal(sig) {
				// The command may just have ended.
				_ = command.Process.Signal(sig)
			}
		case err := <-ended:
			return statusOf(command, err)
		case err := <-s.Done():
			_ = command.Process.Kill() // it may have ended by itself
			if _, killErr := statusOf(command, <-ended); killErr != nil {
				return 0, killErr
			}
			return 0, exit.New(exitSandbox, "", "the sandbox stopped serving: %w", err)
		}
	}
}

// statusOf is the command's own exit status, 128+n when signal n ended it.
func statusOf(command *exec.Cmd, err error) (int, error) {
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) && !errors.Is(err, exec.ErrWaitDelay) {
		return 0, exit.New(exitSandbox, "", "cannot wait for the command: %w", err)
	}
	if ws, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return exitSignalBase + int(ws.Signal()), nil
	}
	return command.ProcessState.ExitCode(), nil
}

// environment is what COMMAND sees: the caller's, without what leads cmctl to
// another gateway or key, and with what leads it to the sandbox.
func environment(inherited []string, dir string) []string {
	drop := append(sandbox.ConnectionVariables(), "CMCTL_CONFIG", "CMCTL_STATE_DIR", "CMSANDBOX_DIR")
	var out []string
	for _, v := range inherited {
		name, _, _ := strings.Cut(v, "=")
		if !slices.Contains(drop, name) {
			out = append(out, v)
		}
	}
	return append(out, sandbox.Environment(dir)...)
}
