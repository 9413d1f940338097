//go:build unix

package cli

import "golang.org/x/sys/unix"

// noCore keeps a crash from leaving a core file.
func noCore() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
