package child

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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

	free  chan struct{} // one for each lane that is
	all   []*lane
	life  io.Closer
	ended chan struct{} // the process is gone
	start time.Time

	mu   sync.Mutex
	idle []*lane // the one used last at the end: its two threads are the warmest
	why  error   // the first reason to end; nil while all is well
}

type lane struct {
	r   *bufio.Reader
	w   io.Writer
	end func()
	out []byte

	name  atomic.Pointer[string] // of the call under way
	until atomic.Int64           // its deadline, in nanoseconds since the client's start; 0: none is under way
}

func newLane(r io.Reader, w io.Writer, end func()) *lane {
	return &lane{r: bufio.NewReaderSize(r, 4<<10), w: w, end: end}
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
	l, err := c.take()
	if err != nil {
		return nil, err
	}
	l.name.Store(&name)
	l.until.Store(int64(time.Since(c.start) + limit))
	defer l.until.Store(0)
	if ctx.Done() != nil {
		// A call cannot be called off; who does not want to wait ends the module.
		stop := context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
		defer stop()
	}

	l.out = appendFrame(l.out[:0], op, payload)
	_, err = l.w.Write(l.out)
	clear(l.out) // there may be a PIN in it
	var kind byte
	var answer []byte
	if err == nil {
		kind, answer, err = readFrame(l.r)
	}
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
	c.put(l)
	if kind != answerOK {
		return nil, decodeError(answer)
	}
	return answer, nil
}

// take gives a lane to who has the permit for one.
func (c *Client) take() (*lane, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return nil, c.why
	}
	l := c.idle[len(c.idle)-1]
	c.idle = c.idle[:len(c.idle)-1]
	return l, nil
}

// put gives a lane back, or a new one.
func (c *Client) put(l *lane) {
	c.mu.Lock()
	c.idle = append(c.idle, l)
	c.mu.Unlock()
	c.free <- struct{}{}
}

// alone tells whether no other call is under way.
func (c *Client) alone() bool { return len(c.free) == maxLanes-1 }

// request is an exchange in JSON.
func (c *Client) request(ctx context.Context, name string, op byte, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return err
	}
	defer clear(payload)
	login, ok := in.(loginRequest)
	answer, err := c.exchange(ctx, name, c.limits.of(ok && login.PIN == nil), op, payload)
	if err != nil || out == nil {
		return err
	}
	return unmarshal(op, answer, out)
}

// Info is p11.Module's, and so are those that follow.
func (c *Client) Info(ctx context.Context) (i p11.Info, err error) {
	err = c.request(ctx, "C_GetInfo", opInfo, nil, &i)
	return i, err
}

// Slots is p11.Module's.
func (c *Client) Slots(ctx context.Context) (s []p11.Slot, err error) {
	err = c.request(ctx, "C_GetSlotList", opSlots, nil, &s)
	return s, err
}

// Token is p11.Module's.
func (c *Client) Token(ctx context.Context, slot uint64) (t p11.Token, err error) {
	err = c.request(ctx, "C_GetTokenInfo", opToken, slotRequest{slot}, &t)
	return t, err
}

// Mechanisms is p11.Module's.
func (c *Client) Mechanisms(ctx context.Context, slot uint64) (m []uint64, err error) {
	err = c.request(ctx, "C_GetMechanismList", opMechanisms, slotRequest{slot}, &m)
	return m, err
}

// OpenSession is p11.Module's.
func (c *Client) OpenSession(ctx context.Context, slot uint64) (s p11.Session, err error) {
	err = c.request(ctx, "C_OpenSession", opOpen, slotRequest{slot}, &s)
	return s, err
}

// CloseSession is p11.Module's.
func (c *Client) CloseSession(ctx context.Context, s p11.Session) error {
	return c.request(ctx, "C_CloseSession", opClose, sessionRequest{s}, nil)
}

// Login is p11.Module's.
func (c *Client) Login(ctx context.Context, s p11.Session, pin []byte) error {
	return c.request(ctx, "C_Login", opLogin, loginRequest{s, pin}, nil)
}

// Objects is p11.Module's.
func (c *Client) Objects(ctx context.Context, s p11.Session) (o []p11.Object, err error) {
	err = c.request(ctx, "C_FindObjects", opObjects, sessionRequest{s}, &o)
	return o, err
}

// Sign is p11.Module's.
func (c *Client) Sign(ctx context.Context, s p11.Session, r p11.SignRequest) ([]byte, error) {
	payload := encodeSign(s, r)
	if r.PIN != nil {
		defer clear(payload)
	}
	return c.exchange(ctx, "C_Sign", c.limits.of(r.Context && r.PIN == nil), opSign, payload)
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

// words are what a module prints, line by line, and what Go's runtime says at
// the end of the process.
type words struct {
	line func(string)

	mu    sync.Mutex
	part  []byte // of a line
	crash string // the signal that ended the process
}

const longestLine = 16 << 10

// Write takes what is printed.
func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.part = append(w.part, p...)
	for {
		i := bytes.IndexByte(w.part, '\n')
		if i < 0 && len(w.part) > longestLine {
			i = len(w.part) - 1
		}
		if i < 0 {
			return len(p), nil
		}
		line := strings.TrimRight(string(w.part[:i+1]), "\r\n")
		w.part = w.part[:copy(w.part, w.part[i+1:])]
		if w.crash == "" {
			w.crash = signalIn(line)
		}
		if w.line != nil {
			w.line(line)
		}
	}
}

// signalIn is the signal that Go's runtime names when it ends the process:
// "SIGSEGV: segmentation violation" in C code, "[signal SIGSEGV: ..." in Go's.
func signalIn(line string) string {
	name, _, found := strings.Cut(strings.TrimPrefix(line, "[signal "), ":")
	if !found || !strings.HasPrefix(name, "SIG") || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return name
}

// signal is the one that ended the process, as far as it was said.
func (w *words) signal() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.crash
}
