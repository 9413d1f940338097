package child

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
)

// maxLanes is 1: only the standard streams are inherited here.
const maxLanes = 1

// open makes the lane of stdin and stdout. What a module prints to stdout
// would break it; modules for Windows print to no console.
func (c *Client) open() error {
	c.cmd.Stdout = nil
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.cmd.Args = append(c.cmd.Args, word, strconv.Itoa(maxLanes))
	l := newLane(out, in, func() { in.Close() }) //nolint:errcheck,gosec // nothing is lost
	c.all = []*lane{l}
	c.free <- struct{}{}
	return nil
}

// release closes nothing: the streams are the command's own.
func release(*exec.Cmd) {}

// inherited is the child's end in the child.
func inherited(int) ([]pipe, io.Reader, error) {
	return []pipe{{os.Stdin, os.Stdout, 0}}, nil, nil //nolint:forbidigo // the lane of this child
}

// ignoreSignals leaves Ctrl-C to the parent.
func ignoreSignals() { signal.Ignore(os.Interrupt) }
