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
	lead  time.Duration // of the clock of its answers over ours, at least
	last  least         // of the batches that were read together last
	now   least         // of those that are being read
}

// least is the smallest lead of a revocation time over the send.
type least struct {
	known bool
	lead  time.Duration
}

var started = time.Now()

// steady is our time, by a clock that nobody sets while we run.
func steady() time.Time { return started.Round(0).Add(time.Since(started)) }

// sends is the gateway's time now. told is what follows from an answer, whose
// Date is cut to seconds: it is as late as any answer so far allows.
func (c *clock) sends(told time.Time) time.Time {
	now := steady()
	d := told.Sub(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dated || d > c.lead || c.lead-d > 2*cutTo { // or somebody has set it
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
	if revoked.Nanosecond() == 0 {
		d -= cutTo // another may be cut by more
	}
	c.mu.Lock()
	defer c.mu.Unlock()
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
// closer than the least ever seen would. One cut too close is read again, wide.
func (c *clock) turn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.known {
		c.last, c.now = c.now, least{}
	}
}

// Revocations show from a time on. Windows begin a little before it: at first
// by as much as both clocks may be cut.
const (
	wideBefore   = 2 * cutTo
	narrowBefore = 50 * time.Millisecond
)

// from is the time after which what was sent at t shows. It is wide when too
// little is known to cut it close.
func (c *clock) from(t time.Time) (from time.Time, wide bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.last.known {
		return t.Add(-wideBefore), true
	}
	return t.Add(c.last.lead - narrowBefore), false
}

// forget is for a window that did not show what was sent.
func (c *clock) forget() {
	c.mu.Lock()
	c.last = least{}
	c.mu.Unlock()
}
