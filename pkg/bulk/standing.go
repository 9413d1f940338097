package bulk

import (
	"encoding/json"

	"github.com/cmctl/cmctl/pkg/exit"
)

// state is what the journal knows of one item.
type state byte

const (
	open    state = iota // nothing was sent for it
	under                // asked or sent, and not answered
	done                 // and the other outcomes that stand
	already              //
	failed               //
)

// Counts is how the items stand by the journal: what waits for its answer is
// Unknown, what nothing was sent for Skipped.
func (j *Job) Counts() Counts {
	c := Counts{}
	for i := range j.state {
		c.Add(j.outcome(i))
	}
	return c
}

// Tally counts how all items stand, over all runs, and knows the exit code that
// they come to.
func (j *Job) Tally() *Tally {
	t := NewTally()
	t.LeftOut = j.Header.LeftOut
	finished := 0 // most are
	for i, s := range j.state {
		if s == done {
			finished++
			continue
		}
		r := Result{Outcome: j.outcome(i)}
		if w := j.wrong[i]; w != nil && !r.Outcome.Good() {
			r.Err = w
		}
		t.Add(r)
	}
	if finished > 0 {
		t.Counts[Done] += finished
	}
	return t
}

// outcome is how one item stands: what was refused when the run stopped has
// failed, though the next run comes to it again.
func (j *Job) outcome(i int) Outcome {
	if w := j.wrong[i]; w != nil && w.refused && j.state[i] == open {
		return Failed
	}
	return j.state[i].outcome()
}

// anew forgets, when a run begins, why earlier ones did not do what is open.
func (j *Job) anew() {
	for i := range j.wrong {
		if j.state[i] == open {
			delete(j.wrong, i)
		}
	}
}

func (s state) outcome() Outcome {
	switch s {
	case done:
		return Done
	case already:
		return Already
	case failed:
		return Failed
	case under:
		return Unknown
	}
	return Skipped
}

func stateOf(o Outcome) state {
	switch o {
	case Done:
		return done
	case Already:
		return already
	case Failed:
		return failed
	case Unknown:
		return under
	}
	return open
}

// Finished says that nothing is left to send or to settle.
func (j *Job) Finished() bool {
	for _, s := range j.state {
		if s <= under {
			return false
		}
	}
	return true
}

// StillToDo says whether an item is not settled yet.
func (j *Job) StillToDo(i int) bool { return j.state[i] <= under }

// WasSent says whether something was sent for an item and no answer noted.
func (j *Job) WasSent(i int) bool { return j.state[i] == under }

// Each calls f with every item in order and how it stands. It takes up the plan a
// part at a time.
func (j *Job) Each(f func(Result) error) error {
	for k := range j.chunks {
		items, err := j.load(k)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := f(j.result(it)); err != nil {
				return err
			}
		}
	}
	return nil
}

// result is how one item stands.
func (j *Job) result(it Item) Result {
	r := Result{Item: it, Outcome: j.outcome(it.Index), ID: j.made[it.Index]}
	switch w := j.wrong[it.Index]; {
	case r.Outcome.Good():
	case w != nil:
		r.Err = w
	case r.Outcome == Skipped && j.unsent != nil:
		r.Err = j.unsent
	}
	return r
}

// Known are the keys of the plan and of what was kept out of it.
func (j *Job) Known() (*KeySet, error) {
	s := NewKeySet()
	if err := j.Each(func(r Result) error { s.Add(r.Key); return nil }); err != nil {
		return nil, err
	}
	return s, j.Excluded(func(key, _ string) error { s.Add(key); return nil })
}

// Excluded calls f with every item that was kept out.
func (j *Job) Excluded(f func(key, why string) error) error {
	_, err := scan(j.store, func(r *record, _, _ int64) error {
		for _, e := range r.Excluded {
			if err := f(e.Key, e.Why); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// load reads a record of items. Who calls it does not change them.
func (j *Job) load(k int) ([]Item, error) {
	c := j.chunks[k]
	if c.items != nil {
		return c.items, nil
	}
	raw := make([]byte, c.size)
	if _, err := j.store.ReadAt(raw, c.at); err != nil {
		return nil, exit.New(exit.Failure, "", "the journal %s: %w", j.out.name(), err)
	}
	r := record{Items: make([]planned, 0, c.n)}
	if err := json.Unmarshal(raw, &r); err != nil || len(r.Items) != c.n {
		return nil, exit.New(exit.Failure, "", "the journal %s: its plan has changed under the run: %w", j.out.name(), err)
	}
	return itemsOf(c.first, r.Items), nil
}

// itemsOf are the items of a record, of which the first has this index.
func itemsOf(first int, list []planned) []Item {
	items := make([]Item, len(list))
	for i, p := range list {
		items[i] = Item{Index: first + i, Key: p.Key, Line: p.Line, Input: p.Input, Group: p.Group, Data: p.Data}
	}
	return items
}

// Recorded is an error as the journal has it.
type Recorded struct {
	Code    int // the gateway's; 0: none
	Exit    exit.Code
	Message string

	refused bool // when the run stopped: failed, and still to do
}

// Error is the message.
func (r *Recorded) Error() string { return r.Message }

// ExitCode is that of the error that was recorded.
func (r *Recorded) ExitCode() exit.Code { return r.Exit }

// GatewayCode is the gateway's code.
func (r *Recorded) GatewayCode() int { return r.Code }
