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
		from, tight := c.from(sent, narrowBefore)
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
		{[]time.Duration{600 * ms, 30 * ms}, 20 * ms}, // 12:00:01.000 is as exact as the other
		{[]time.Duration{30 * ms, 600 * ms}, 20 * ms},
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

// A window that is to begin early enough allows for all that clocks do, and for
// what was learned of them.
func TestTheWidestWindow(t *testing.T) {
	sent := time.Date(2026, 3, 1, 12, 0, 0, 400e6, time.UTC)
	if from, tight := new(clock).from(sent, narrowBefore); tight || sent.Sub(from) != wideBefore {
		t.Errorf("nothing is known and the window begins %v before, tight %t", sent.Sub(from), tight)
	}
	for _, lead := range []time.Duration{500 * time.Microsecond, -2800 * time.Millisecond, -400 * time.Millisecond} {
		c := &clock{}
		c.saw(sent, sent.Add(lead))
		c.turn()
		last := time.Duration(-1 << 62)
		for before := narrowBefore; ; before *= widerBy {
			from, tight := c.from(sent, before)
			if sent.Sub(from) <= last {
				t.Errorf("lead %v: a window that is to begin %v before begins %v before, and one before it %v", lead, before, sent.Sub(from), last)
			}
			if last = sent.Sub(from); !tight {
				break
			}
		}
		if last < wideBefore-min(lead, 0) {
			t.Errorf("lead %v: the widest window begins %v before", lead, last)
		}
	}
}

// What is learned holds when somebody sets the gateway's clock; a Date that is
// cut to seconds sets nothing.
func TestTheClockIsSet(t *testing.T) {
	c := &clock{}
	first := c.sends(steady())
	c.saw(first, first.Add(20*time.Millisecond+time.Microsecond))
	c.turn()
	for _, cut := range []time.Duration{-900 * time.Millisecond, 900 * time.Millisecond} {
		if lead := c.sends(steady().Add(cut)).Sub(steady()); lead.Abs() > 500*time.Millisecond {
			t.Errorf("a Date that is %v off moves what is sent by %v", cut, lead)
		}
	}
	set := c.sends(steady().Add(time.Hour))
	if lead := set.Sub(steady()); (lead - time.Hour).Abs() > time.Minute {
		t.Errorf("the clock was set by an hour, and sends are stamped %v ahead", lead)
	}
	if from, tight := c.from(set, narrowBefore); !tight || from.Sub(steady()).Abs() > time.Second {
		t.Errorf("the window begins %v from now, tight %t", from.Sub(steady()), tight)
	}
}
