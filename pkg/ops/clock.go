package ops

import (
	"sync"
	"time"
)

// clock learns how the gateway's clocks lie to ours: the one of its answers,
// and the one by which it notes revocations.
type clock struct {
	mu    sync.Mutex
	dated bool
	lead  time.Duration // of the clock of its answers over ours, cut to seconds once
	last  least         // of the batches that were read together last
	now   least         // of those that are being read
	exact bool          // revocation times are not cut to seconds
}

// least is the smallest lead of a revocation time over the send.
type least struct {
	known bool
	lead  time.Duration
}

var started = time.Now()

// steady is our time, by a clock that nobody sets while we run.
func steady() time.Time { return started.Round(0).Add(time.Since(started)) }

// sends is the gateway's time now, or up to a second before it: told is what
// follows from an answer, whose Date is cut to seconds. What the first one says
// holds until somebody sets a clock: what is learned below is relative to it.
func (c *clock) sends(told time.Time) time.Time {
	now := steady()
	d := told.Sub(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dated || (c.lead-d).Abs() > 2*cutTo {
		c.last.lead -= d - c.lead // what was learned stays true
		c.now.lead -= d - c.lead
		c.dated, c.lead = true, d
	}
	return now.Add(c.lead)
}

// cutTo is how exact a Date is, and some gateways' revocation times.
const cutTo = time.Second

// saw takes in a revocation of our own.
func (c *clock) saw(sentAt, revoked time.Time) {
	if revoked.IsZero() {
		return
	}
	d := revoked.Sub(sentAt)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exact = c.exact || revoked.Nanosecond() != 0
	if d < -clockSkew || d > time.Hour { // somebody else's
		return
	}
	if !c.now.known || d < c.now.lead {
		c.now = least{true, d}
	}
}

// knows tells whether windows are cut close.
func (c *clock) knows() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.known
}

// turn says that what was read together has been read. A gateway with more to
// do takes longer until it revokes, so what was seen last cuts the next window
// closer than the least ever seen would. One cut too close is read again.
func (c *clock) turn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.known {
		c.last, c.now = c.now, least{}
	}
}

// Revocations show from a time on. Windows begin a little before it: at first
// by as much as both clocks may be cut, then closely, and by more when that did
// not show what was sent.
const (
	wideBefore   = 2 * cutTo
	narrowBefore = 10 * time.Millisecond
	widerBy      = 8
)

// from is when a window begins that is to show what was sent at t. It is not
// tight when it allows for all that clocks do, since too little is known or
// since it is to begin so early.
func (c *clock) from(t time.Time, before time.Duration) (from time.Time, tight bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lead := c.last.lead
	switch {
	case !c.last.known:
		return t.Add(-wideBefore), false
	case before >= wideBefore:
		before, lead = wideBefore, min(lead, 0)
	default:
		tight = true
	}
	if !c.exact {
		before += cutTo // another may be cut by more than those that were seen
	}
	return t.Add(lead - before), tight
}
