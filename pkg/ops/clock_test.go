package ops

import (
	"testing"
	"time"
)

// A window begins close to what was sent, whether the gateway notes whole
// seconds or not; a time that happens to be whole says nothing.
func TestWindowsAreCutClose(t *testing.T) {
	sent := time.Date(2026, 3, 1, 12, 0, 0, 400e6, time.UTC)
	after := func(c *clock, revoked ...time.Duration) time.Duration {
		for _, d := range revoked {
			c.saw(sent, sent.Add(d))
		}
		c.turn()
		from, tight := c.from(sent)
		if !tight {
			t.Errorf("%v: the window is not tight", revoked)
		}
		return from.Sub(sent)
	}
	ms := time.Millisecond
	for _, c := range []struct {
		revoked []time.Duration
		want    time.Duration
	}{
		{[]time.Duration{30 * ms, 40 * ms}, 20 * ms},
		{[]time.Duration{600 * ms, 30 * ms}, 20 * ms},               // 12:00:01.000 is as exact as the other
		{[]time.Duration{600 * ms, 1600 * ms}, -410 * ms},           // whole seconds: another may be cut by one more
		{[]time.Duration{-400 * ms, 600 * ms}, -1410 * ms},          // likewise, cut to before it was sent
		{[]time.Duration{40 * ms, -2 * time.Hour}, 30 * ms},         // somebody else's
		{[]time.Duration{-3 * time.Second}, -3*time.Second - 10*ms}, // a clock behind
	} {
		if got := after(&clock{}, c.revoked...); got != c.want {
			t.Errorf("%v: from %v, want %v", c.revoked, got, c.want)
		}
	}
}

// What a window did not show widens the next ones, step by step, up to all
// that clocks do; it is forgotten after a while.
func TestWindowsWiden(t *testing.T) {
	sent := time.Date(2026, 3, 1, 12, 0, 0, 400e6, time.UTC)
	c := &clock{}
	if from, tight := c.from(sent); tight || sent.Sub(from) != wideBefore {
		t.Errorf("nothing is known and the window begins %v before, tight %t", sent.Sub(from), tight)
	}
	c.saw(sent, sent.Add(time.Millisecond/2))
	c.turn()
	last := time.Duration(0)
	steps := 0
	for {
		from, tight := c.from(sent)
		if before := sent.Sub(from); before <= last {
			t.Fatalf("after %d steps the window begins %v before, as before", steps, before)
		}
		if last = sent.Sub(from); !tight {
			break
		}
		c.widen()
		if steps++; steps > 5 {
			t.Fatal("it never ends")
		}
	}
	if last != wideBefore {
		t.Errorf("the widest window begins %v before", last)
	}
	for range 20 {
		c.turn()
	}
	if from, tight := c.from(sent); !tight || sent.Sub(from) > 2*narrowBefore {
		t.Errorf("much later the window begins %v before", sent.Sub(from))
	}
}

// What is learned holds when somebody sets the gateway's clock; a Date that is
// cut to seconds sets nothing.
func TestTheClockIsSet(t *testing.T) {
	c := &clock{}
	now := steady()
	first := c.sends(now)
	c.saw(first, first.Add(20*time.Millisecond))
	c.turn()
	if again := c.sends(steady().Add(-900 * time.Millisecond)); again.Before(first) {
		t.Errorf("sent at %v, and then at %v", first, again)
	}
	set := c.sends(steady().Add(time.Hour))
	if lead := set.Sub(steady()); (lead - time.Hour).Abs() > time.Minute {
		t.Errorf("the clock was set by an hour, and sends are stamped %v ahead", lead)
	}
	if from, tight := c.from(set); !tight || from.Sub(steady()).Abs() > time.Second {
		t.Errorf("the window begins %v from now, tight %t", from.Sub(steady()), tight)
	}
}
