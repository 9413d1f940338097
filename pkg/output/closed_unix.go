//go:build !windows

package output

import "syscall"

var closedErrors = [...]error{syscall.EPIPE}
