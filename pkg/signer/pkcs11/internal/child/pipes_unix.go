//go:build !windows

package child

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

// maxLanes is the most signatures that a module makes at once.
const maxLanes = 8

// ends are the parent's ends of the pipes; the child's are in the command.
func ends(cmd *exec.Cmd, n int) (lanes []*os.File, life *os.File, err error) {
	closeAll := func(files []*os.File) {
		for _, f := range files {
			f.Close() //nolint:errcheck,gosec // nothing was written
		}
	}
	for range n + 1 { // the last one is cut when the parent ends
		syscall.ForkLock.RLock()
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err == nil {
			syscall.CloseOnExec(fds[0])
			syscall.CloseOnExec(fds[1])
		}
		syscall.ForkLock.RUnlock()
		if err != nil {
			closeAll(lanes)
			closeAll(cmd.ExtraFiles)
			return nil, nil, os.NewSyscallError("socketpair", err)
		}
		lanes = append(lanes, os.NewFile(uintptr(fds[0]), "lane"))
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(uintptr(fds[1]), "lane"))
	}
	cmd.Args = append(cmd.Args, word, strconv.Itoa(n))
	return lanes[:n], lanes[n], nil
}

// release closes the child's ends in the parent.
func release(cmd *exec.Cmd) {
	for _, f := range cmd.ExtraFiles {
		f.Close() //nolint:errcheck,gosec // the child has its own
	}
	cmd.ExtraFiles = nil
}

// inherited are the child's ends in the child.
func inherited(n int) (lanes []pipe, life io.Reader, err error) {
	const first = 3
	for i := range n + 1 {
		fd := first + i
		if _, err := syscall.Getpeername(fd); err != nil {
			return nil, nil, err // started by hand
		}
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "lane")
		lanes = append(lanes, pipe{f, f, uintptr(fd)})
		life = f
	}
	return lanes[:n], life, nil
}

// ignoreSignals leaves Ctrl-C and the like to the parent, which finishes what
// is in flight.
func ignoreSignals() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
}

// open makes the lanes.
func (c *Client) open() error {
	files, life, err := ends(c.cmd, maxLanes)
	if err != nil {
		return err
	}
	for _, f := range files {
		// The socket blocks: a thread that waits in a read is woken faster than
		// one that Go's poller wakes. So a read is ended by a shutdown.
		l := newLane(eager(f, c.alone), f, sync.OnceFunc(func() {
			if raw, err := f.SyscallConn(); err == nil {
				raw.Control(func(fd uintptr) { syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }) //nolint:errcheck,gosec // it may be gone
			}
			f.Close() //nolint:errcheck,gosec // nothing is lost
		}))
		c.all = append(c.all, l)
		c.free <- struct{}{}
	}
	c.life = life
	return nil
}
