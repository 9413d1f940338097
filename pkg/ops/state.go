package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// StateChange is a write that brings certificates into a state: revoke, hold
// or reinstate. It is data: the request, and what a certificate's state, as
// read back, says about the wish.
type StateChange struct {
	Verb     string // "revoke"
	Describe string // "revoke with reason keyCompromise"
	Undo     string // how it is undone; empty: it cannot be

	request func(certIDs []string) cmapi.Request
	reached func(*cmapi.Certificate) bool             // the wish is true
	barred  func(*cmapi.Certificate) *cmapi.ItemError // it can never become true; nil: it still can
	since   func(*cmapi.Certificate) time.Time        // when the state began; zero: not known
	reason  *pki.Reason                               // by which a search finds what was changed; nil: none does
}

// Changes is the write of state changes: of gives the one that a group of items
// wants. The Key of an item is its certid.
func (r *Runner) Changes(of func(group string) (*StateChange, error)) bulk.Write {
	return &changes{r, of}
}

// One is for Changes with a single change for all items.
func One(w *StateChange) func(string) (*StateChange, error) {
	return func(string) (*StateChange, error) { return w, nil }
}

type changes struct {
	r  *Runner
	of func(string) (*StateChange, error)
}

const (
	maxRounds  = 20 // signed requests spent on one batch, at most
	lostRounds = 3  // of them after lost answers
)

// settleWaits are the pauses between looks after a lost answer: a gateway may
// still be at work when the connection is already gone.
var settleWaits = []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second}

// Do spends signed requests on one batch until every item is settled.
func (c *changes) Do(ctx context.Context, items []Item, gate bulk.Gate, report func(Result)) error {
	w, err := c.of(items[0].Group)
	if err != nil {
		return err
	}
	r := c.r.Through(gate)
	queue := split(items, cmapi.MaxIDs)
	lost := 0
	for round := 1; len(queue) > 0; round++ {
		batch := queue[0]
		queue = queue[1:]
		sentAt, _, err := r.exchange(ctx, w.request(ids(batch)))
		if stop := stopping(err); stop != nil {
			reportUnsent(append([][]Item{batch}, queue...), stop, report)
			return stop
		}
		if errors.Is(err, errDrill) {
			reportUnsent([][]Item{batch}, errDrill, report)
			continue
		}
		rest := r.readBack(ctx, w, batch, sentAt, err, report)
		if len(rest) == 0 {
			continue
		}
		var call *cmapi.Error
		isCall := errors.As(err, &call)
		switch {
		case isCall && call.Lost:
			if lost++; lost >= lostRounds || call.Fault == cmapi.FaultTimeout {
				return giveUp(rest, queue, call, report)
			}
			r.notice(fmt.Sprintf("%s: the answer was lost and %d of %d read unchanged; sending them again", w.Verb, len(rest), len(batch)))
			_ = r.pause(ctx, time.Duration(lost-1)*time.Second) // what is out of breath gets time
			queue = append([][]Item{rest}, queue...)
		case round >= maxRounds, len(batch) == 1:
			for _, it := range rest {
				report(Result{Item: it, Outcome: Failed, Err: unchanged(err)})
			}
		case len(rest) < len(batch):
			// some were settled or dropped: the others deserve a request of their own
			queue = append([][]Item{rest}, queue...)
		default:
			half := len(rest) / 2
			queue = append([][]Item{rest[:half], rest[half:]}, queue...)
		}
	}
	return nil
}

// split cuts items into parts of at most n.
func split(items []Item, n int) (parts [][]Item) {
	for len(items) > n {
		parts = append(parts, items[:n:n])
		items = items[n:]
	}
	return append(parts, items)
}

// Settle reads the state of items whose answer an earlier run never had, several
// times where the gateway cannot be read just now.
func (c *changes) Settle(ctx context.Context, items []Item, sent time.Time, report func(Result)) ([]Item, error) {
	w, err := c.of(items[0].Group)
	if err != nil {
		return nil, err
	}
	var rest, again []Item
	var unread error
	for _, wait := range settleWaits {
		if wait > 0 && (len(again) == 0 || len(again) == len(items) || c.r.pause(ctx, wait) != nil) { // none can be read: later
			break
		}
		if wait > 0 {
			items = again
		}
		again, unread = nil, nil
		states := c.r.details(ctx, items)
		for i, it := range items {
			res, settled := w.judge(it, states[i], nil, sent)
			switch {
			case !settled:
				rest = append(rest, it)
			case res.Outcome == Unknown && exit.Of(res.Err) != exit.Failure: // the gateway cannot be read: a later look may
				again, unread = append(again, it), cmp.Or(unread, res.Err)
			default:
				report(res)
			}
		}
	}
	return rest, unread
}

// giveUp ends a run whose answers are lost again and again.
func giveUp(rest []Item, queue [][]Item, call *cmapi.Error, report func(Result)) error {
	for _, it := range rest {
		report(Result{Item: it, Outcome: Unknown, Err: fmt.Errorf("the answer was lost and the certificate reads unchanged so far: %w", call)})
	}
	for _, b := range queue {
		for _, it := range b {
			report(Result{Item: it, Outcome: Skipped, Err: notSent(call)})
		}
	}
	return call
}

// unchanged is the error of an item that reads as before although the gateway
// did not name it as failed.
func unchanged(err error) error {
	if err == nil {
		return exit.New(exit.Failure, "send it again alone; if that fails too, the gateway drops part of a request",
			"the gateway said done but the certificate reads unchanged")
	}
	return err
}

// clockSkew is how far the clocks of gateway and CM may lie apart when an old
// state is told from a new one.
const clockSkew = 5 * time.Second

// judge compares the state read back with the wish. Not settled means: as
// before, and nothing says why.
func (w *StateChange) judge(it Item, s state, named *cmapi.ItemError, sentAt time.Time) (Result, bool) {
	switch {
	case exit.Of(s.err) == exit.NotFound:
		missing := named
		if missing == nil {
			missing = &cmapi.ItemError{CertID: it.Key, Code: cmapi.ItemMissing}
		}
		return Result{Item: it, Outcome: Failed, Err: missing}, true
	case s.err != nil && named != nil:
		return Result{Item: it, Outcome: Failed, Err: named}, true
	case s.err != nil:
		return Result{Item: it, Outcome: Unknown, Err: fmt.Errorf("the state cannot be read back: %w", s.err)}, true
	case w.reached(s.cert):
		began := w.since(s.cert)
		if named != nil || !began.IsZero() && !sentAt.IsZero() && began.Before(sentAt.Add(-clockSkew)) {
			return Result{Item: it, Outcome: Already}, true
		}
		return Result{Item: it, Outcome: Done}, true
	}
	if barred := w.barred(s.cert); barred != nil {
		if named != nil && named.Code == barred.Code {
			barred.ServerMessage, barred.HTTP = named.Message, named.HTTP // our own words tell reason and time
		}
		barred.CertID = it.Key
		return Result{Item: it, Outcome: Failed, Err: barred}, true
	}
	if named != nil {
		return Result{Item: it, Outcome: Failed, Err: named}, true
	}
	return Result{}, false
}

func ids(items []Item) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.Key
	}
	return out
}

// without takes items out.
func without(items []Item, out []Result) []Item {
	gone := make(map[int]bool, len(out))
	for _, r := range out {
		gone[r.Index] = true
	}
	return slices.DeleteFunc(items, func(it Item) bool { return gone[it.Index] })
}
