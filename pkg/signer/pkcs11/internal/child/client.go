package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// Limits are how long a call may take before the module counts as hung.
type Limits struct {
	Call   time.Duration // 0: 10 s; a blank card took 7 s to be looked at
	Keypad time.Duration // 0: 2 min, for a login on the reader's keypad
}

func (l Limits) of(keypad bool) time.Duration {
	switch {
	case keypad && l.Keypad > 0:
		return l.Keypad
	case keypad:
		return 2 * time.Minute
	case l.Call > 0:
		return l.Call
	}
	return 10 * time.Second
}

// Loader loads modules into children. said is told, line by line, what they
// print; it may be nil.
func Loader(limits Limits, said func(line string)) p11.Loader {
	return func(ctx context.Context, spec p11.Spec) (p11.Module, error) {
		c, err := start(limits, said)
		if err != nil {
			return nil, err
		}
		if err := c.request(ctx, "C_Initialize", opLoad, spec, nil); err != nil {
			c.kill()
			return nil, err
		}
		return c, nil
	}
}

// Client is a module in a child.
type Client struct {
	cmd    *exec.Cmd
	limits Limits
	said   *words

	free  chan struct{} // one for each call that may begin
	all   []*lane
	life  io.Closer
	ended chan struct{} // the process is gone
	start time.Time
	pace  atomic.Int64 // nanoseconds that a signature takes, of late

	mu  sync.Mutex // and of the lanes' calls
	why error      // the first reason to end; nil while all is well
}

// secrets are no business of a module's.
var secrets = []string{"CMCTL_PIN=", "CMCTL_SIGN_PIN="}

func start(limits Limits, said func(string)) (*Client, error) {
	if !willing.Load() {
		return nil, errors.New("this program holds no PKCS#11 modules: its main does not call Serve")
	}
	self, err := program()
	if err != nil {
		return nil, err
	}
	c := &Client{limits: limits, said: &words{line: said}, free: make(chan struct{}, maxLanes), ended: make(chan struct{}), start: time.Now()}
	c.pace.Store(int64(2 * quickSignature)) // not known yet
	c.cmd = &exec.Cmd{Path: self, Args: os.Args[:1:1], WaitDelay: time.Second}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, secrets[0]) && !strings.HasPrefix(v, secrets[1]) {
			c.cmd.Env = append(c.cmd.Env, v)
		}
	}
	// Stdout too: what a module prints is no result of ours.
	c.cmd.Stdout, c.cmd.Stderr = c.said, c.said
	if err := c.open(); err != nil {
		return nil, err
	}
	err = c.cmd.Start()
	release(c.cmd)
	if err != nil {
		c.cut()
		return nil, fmt.Errorf("cannot start a process for the module: %w", err)
	}
	go c.wait()
	go c.watch()
	return c, nil
}

// program is this very program, also when its file was replaced meanwhile.
func program() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// wait notes how the process ended.
func (c *Client) wait() {
	err := c.cmd.Wait()
	how := "its process ended by itself"
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		how = "its process ended with " + strings.TrimPrefix(err.Error(), "signal: ")
	}
	if s := c.said.signal(); s != "" {
		how = "it crashed (" + s + ")"
	}
	c.fail(&p11.EndedError{How: how})
	close(c.ended)
}

// fail notes the first reason and ends everything.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.why == nil {
		c.why = err
	}
	c.mu.Unlock()
	c.kill()
}

func (c *Client) kill() {
	c.mu.Lock()
	if c.why == nil {
		c.why = errClosed
	}
	c.mu.Unlock()
	c.cmd.Process.Kill() //nolint:errcheck,gosec // it may be gone
	c.cut()
}

// cut lets every reader of a pipe go, also when the process cannot be killed.
func (c *Client) cut() {
	for _, l := range c.all {
		l.end()
	}
	if c.life != nil {
		c.life.Close() //nolint:errcheck,gosec // nothing is written to it
	}
}

var errClosed = errors.New("the module is closed")

func (c *Client) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// watch ends a module that does not answer in time. A timer for each call would
// cost more than the call does.
func (c *Client) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-tick.C:
		}
		for _, l := range c.all {
			if until := l.until.Load(); until != 0 && time.Since(c.start) > time.Duration(until) {
				c.fail(&p11.HungError{Call: *l.name.Load()})
				return
			}
		}
	}
}

const watchEvery = 100 * time.Millisecond

// exchange sends a request and waits for its answer, at most limit.
func (c *Client) exchange(ctx context.Context, name string, limit time.Duration, op byte, payload []byte) ([]byte, error) {
	select {
	case <-c.free:
	case <-c.ended:
		return nil, c.reason()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	l, err := c.take(op)
	if err != nil {
		return nil, err
	}
	if ctx.Done() != nil {
		// A call cannot be called off; who does not want to wait ends the module.
		stop := context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
		defer stop()
	}

	kind, answer, err := c.over(l, name, limit, op, payload)
	if err != nil {
		if errors.Is(err, errFrame) {
			c.fail(&p11.EndedError{How: "its process gave an answer that is not understood"})
		}
		select { // how it ended is known in a moment
		case <-c.ended:
		case <-time.After(2 * time.Second):
			c.fail(&p11.EndedError{How: "its process went away"})
		}
		return nil, c.reason()
	}
	c.put(l, op)
	if kind != answerOK {
		return nil, decodeError(answer)
	}
	return answer, nil
}

// closing is how long a module may take to finish: cards are slow to let go.
const closing = 2 * time.Second

// Close lets the module finish, for two seconds, and ends the process.
func (c *Client) Close() error {
	if c.reason() == nil {
		_, _ = c.exchange(context.Background(), "C_Finalize", closing, opEnd, nil)
		select {
		case <-c.ended:
		case <-time.After(closing / 4):
		}
	}
	c.kill()
	select {
	case <-c.ended:
	case <-time.After(closing):
	}
	return nil
}
