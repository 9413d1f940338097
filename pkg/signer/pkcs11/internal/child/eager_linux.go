package child

import (
	"io"
	"os"
	"runtime"
	"syscall"
	"time"
)

// eagerFor is how long an answer is looked for before the thread sleeps: most
// signatures of a module in software are made by then.
const eagerFor = 300 * time.Microsecond

// eager reads answers from a socket that blocks. To sleep and be woken takes as
// long as half a signature on a curve, so it looks for a while first, when no
// other call could use the processor; the module's side does the same.
func eager(f *os.File, alone func() bool) io.Reader {
	raw, err := f.SyscallConn()
	if err != nil || runtime.NumCPU() == 1 {
		return f
	}
	return &eagerReader{f, raw, alone}
}

type eagerReader struct {
	f     *os.File
	raw   syscall.RawConn
	alone func() bool
}

func (e *eagerReader) Read(p []byte) (n int, err error) {
	if !e.alone() {
		return e.f.Read(p)
	}
	found := false
	if rawErr := e.raw.Read(func(fd uintptr) bool {
		for start := time.Now(); !found && time.Since(start) < eagerFor; {
			if n, _, err = syscall.Recvfrom(int(fd), p, syscall.MSG_DONTWAIT); err == nil {
				found = true
			} else { // the module may have been woken on this very processor
				syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) //nolint:errcheck // it never fails
			}
		}
		return true
	}); rawErr != nil {
		return 0, rawErr
	}
	switch {
	case !found: // it takes longer, or the module is gone
		return e.f.Read(p)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
