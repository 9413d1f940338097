package child

import (
	"bufio"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lane is our end of one pair of pipes.
type lane struct {
	r     *bufio.Reader
	w     io.Writer
	end   func()
	calls int // under way, by their weight

	mu      sync.Mutex // of the fields below
	next    []byte     // requests to be sent,
	waiting []*waiter  // and who waits for their answers
	led     bool       // somebody sends and reads
	spare   []byte     // of the leader: the memory of what was sent last

	name  atomic.Pointer[string] // of the call under way
	until atomic.Int64           // its deadline, in nanoseconds since the client's start; 0: none is under way
}

func newLane(r io.Reader, w io.Writer, end func()) *lane {
	return &lane{r: bufio.NewReaderSize(r, 4<<10), w: w, end: end}
}

// waiter is one who waits for an answer, or for the turn to fetch those of all.
type waiter struct {
	turn   chan struct{}
	lead   bool
	kind   byte
	answer []byte
	err    error
}

// over sends a request over a lane and waits for its answer. Requests that come
// while others are under way are sent together once these are answered, by one
// of those who wait, the leader.
func (c *Client) over(l *lane, name string, limit time.Duration, op byte, payload []byte) (kind byte, answer []byte, err error) {
	me, lead := l.join(op, payload)
	if !lead {
		<-me.turn
		lead = me.lead
	}
	if lead {
		if op == opSign && c.quick() && !c.alone() {
			runtime.Gosched() // those who have their answers may have more requests
		}
		took := c.fetch(l, me, name, limit)
		if op == opSign {
			pace := c.pace.Load()
			c.pace.Store(pace + (int64(took)-pace)/8)
		}
		l.pass()
	}
	return me.kind, me.answer, me.err
}

// join puts a request behind those that wait. lead tells that there is nobody
// who would send it.
func (l *lane) join(op byte, payload []byte) (me *waiter, lead bool) {
	me = &waiter{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = appendFrame(l.next, op, payload)
	l.waiting = append(l.waiting, me)
	if lead = !l.led; !lead {
		me.turn = make(chan struct{}, 1)
	}
	l.led = true
	return me, lead
}

// fetch sends all requests that wait and gives each its answer. took is the
// time for one of them.
func (c *Client) fetch(l *lane, me *waiter, name string, limit time.Duration) (took time.Duration) {
	l.mu.Lock()
	out, all := l.next, l.waiting
	l.next, l.waiting = l.spare[:0], nil
	l.mu.Unlock()
	watch := func() time.Duration {
		now := time.Since(c.start)
		l.name.Store(&name)
		l.until.Store(int64(now + limit))
		return now
	}
	begun := watch()
	defer l.until.Store(0)
	_, err := l.w.Write(out)
	clear(out) // there may be a PIN in it
	l.spare = out
	for _, w := range all {
		if w.err = err; err == nil {
			w.kind, w.answer, w.err = readFrame(l.r)
			err = w.err
		}
		took = watch() - begun
		if w != me {
			w.turn <- struct{}{}
		}
	}
	return took / time.Duration(len(all))
}

// pass gives the lead to one of those who have joined meanwhile.
func (l *lane) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.led = len(l.waiting) > 0; l.led {
		l.waiting[0].lead = true
		l.waiting[0].turn <- struct{}{}
	}
}

// Signatures that take little longer than to wake a thread go together on as
// many lanes as there are processors. Others have a lane each: what they wait
// for may be a device that makes many at once.
func (c *Client) quick() bool { return c.pace.Load() < int64(quickSignature) }

const quickSignature = 300 * time.Microsecond

// take gives a lane to who has the permit for a call: a free one, of which there
// is one for each permit, and the first of them, since the threads at its ends
// are the warmest.
func (c *Client) take(op byte) (*lane, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return nil, c.why
	}
	least := func(lanes []*lane) *lane {
		return slices.MinFunc(lanes, func(a, b *lane) int { return a.calls - b.calls })
	}
	l := least(c.all)
	if op == opSign && c.quick() {
		if few := least(c.all[:min(len(c.all), runtime.NumCPU())]); few.calls < byItself {
			l = few
		}
	}
	l.calls += weight(op)
	return l, nil
}

// put gives a lane back.
func (c *Client) put(l *lane, op byte) {
	c.mu.Lock()
	l.calls -= weight(op)
	c.mu.Unlock()
	c.free <- struct{}{}
}

// byItself is what a call counts that wants no other behind it: all but
// signatures. It is more than a lane ever has of these.
const byItself = maxLanes + 1

func weight(op byte) int {
	if op == opSign {
		return 1
	}
	return byItself
}

// alone tells whether no other call is under way.
func (c *Client) alone() bool { return len(c.free) == maxLanes-1 }
