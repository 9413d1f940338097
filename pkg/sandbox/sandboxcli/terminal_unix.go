//go:build unix

package sandboxcli

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// sentByTerminal reports whether a signal came from Ctrl-C, which reaches the
// command by itself: it is in the same foreground process group. Passing it on
// as well would make one Ctrl-C two, and cmctl takes two for "stop at once".
func sentByTerminal(sig os.Signal) bool {
	if sig != syscall.SIGINT {
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	foreground, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return errors.Join(err, tty.Close()) == nil && foreground == unix.Getpgrp()
}
