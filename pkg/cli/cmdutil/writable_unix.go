//go:build !windows

package cmdutil

import "golang.org/x/sys/unix"

// writable asks whether files can be made in a folder, and makes none.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
