//go:build unix

package sandboxcli

import (
	"bufio"
	"syscall"
	"testing"
)

func TestExecPassesSignalsOn(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd := programCommand("exec", "--", "sh", "-c", `trap 'echo got; exit 9' INT TERM HUP; echo ready; while :; do sleep 0.01; done`)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "ready" {
			t.Fatalf("%v: %q", sig, lines.Text())
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != "got" {
			t.Errorf("%v did not arrive", sig)
		}
		for lines.Scan() {
			t.Errorf("%v arrived more than once", sig)
		}
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 9 {
			t.Errorf("%v: %v", sig, cmd.ProcessState)
		}
	}
}
