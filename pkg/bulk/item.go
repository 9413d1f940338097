// Package bulk carries one write out on many items without losing any: a plan
// that is frozen before anything is sent, a journal that knows of each request
// before its first byte leaves, a pipeline that keeps key and gateway busy, and
// a way on after every kind of end. It knows neither HTTP nor the command line
// nor a single operation: package ops says what a write is.
package bulk

import "github.com/cmctl/cmctl/pkg/exit"

// Item is one thing to write, as the plan has it.
type Item struct {
	Index int    // its place in the plan, from 0
	Key   string // by which the operation knows it: a certid, a file, a name
	Line  int    // in the list that it came from, from 1; 0 for an argument
	Input string // as written there; empty when that is the Key
	Group string // items of one request have the same: the word of a reason
	Data  []byte // what else the operation needs to write it; never a secret
}

// Outcome is how one item ended.
type Outcome string

// The outcomes. Already is success: what was asked for was true before.
const (
	Done    Outcome = "done"
	Already Outcome = "already"
	Failed  Outcome = "failed"
	Unknown Outcome = "unknown" // sent, the answer lost, and the state cannot be told
	Skipped Outcome = "skipped" // never sent
)

// Outcomes are all of them, in the order in which they are counted for people.
func Outcomes() []Outcome { return []Outcome{Done, Already, Failed, Unknown, Skipped} }

// Result is the outcome of one item.
type Result struct {
	Item
	Outcome Outcome
	Err     error  // why it failed, is unknown or was skipped
	ID      string // of what was made or found: a certid, a registration's id
}

// Good tells the outcomes that are success.
func (o Outcome) Good() bool { return o == Done || o == Already }

// Counts is how many items ended in each way.
type Counts map[Outcome]int

// Add counts one more.
func (c Counts) Add(o Outcome) { c[o]++ }

// Total is how many were counted.
func (c Counts) Total() (n int) {
	for _, k := range c {
		n += k
	}
	return n
}

// Tally counts outcomes and knows the exit code that they come to.
type Tally struct {
	Counts  Counts
	Signed  int       // in a drill, and not sent
	LeftOut int       // lines that were wrong and are no items
	shared  exit.Code // of what is neither done nor already; OK: none so far
	First   *Result   // the first that has an error
}

// NewTally counts from nothing.
func NewTally() *Tally { return &Tally{Counts: Counts{}} }

// Add takes one result in.
func (t *Tally) Add(r Result) {
	t.Counts.Add(r.Outcome)
	if practised(r) {
		t.Signed++
	}
	if r.Err != nil && t.First == nil {
		t.First = &r
	}
	if r.Outcome.Good() {
		return
	}
	code := exit.Of(r.Err)
	if r.Outcome == Unknown {
		code = exit.Unavailable
	}
	switch t.shared {
	case exit.OK:
		t.shared = code
	case code:
	default:
		t.shared = exit.Failure
	}
}

// practised tells what a drill signed and did not send: it was not sent, and that
// is as it should be.
func practised(r Result) bool {
	return r.Outcome == Skipped && r.Err != nil && exit.Of(r.Err) == exit.OK
}

// Bad is how many are not as they were to be.
func (t *Tally) Bad() int {
	return t.Counts.Total() - t.Counts[Done] - t.Counts[Already] - t.Signed
}

// ExitCode is how a write on several items ends: what stopped it wins; else OK
// when everything is done or already so; else Partial when something is; else
// the code that all failures share, or Failure.
func (t *Tally) ExitCode(stop error) exit.Code {
	bad := t.Bad()
	switch {
	case stop != nil:
		return exit.Of(stop)
	case bad == 0 && t.LeftOut == 0:
		return exit.OK
	case bad == 0, t.Counts[Done]+t.Counts[Already] > 0:
		return exit.Partial
	}
	return t.shared
}
