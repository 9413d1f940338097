package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
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
}

// Runner carries writes out on one gateway.
type Runner struct {
	Client *cmapi.Client
	Signer cmapi.Signer
	Batch  int // most items in one signed request; 0: 100

	// Notice is told, in words for people, what takes time or was tried again.
	Notice func(string)

	sleep  func(context.Context, time.Duration) error // tests replace it
	issued map[string]bool                            // certids that Issue brought about
}

const (
	defaultBatch = 100
	readers      = 8  // details read at a time
	maxRounds    = 20 // signed requests spent on one batch, at most
	lostRounds   = 2  // of them after lost answers
)

// settleWaits are the pauses between looks after a lost answer: a gateway may
// still be at work when the connection is already gone.
var settleWaits = []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second}

// Change carries out a state change on items, batch by batch, in order. It
// reports each item once, by report, as soon as it is settled. The error is
// what stopped it: items not reached are reported as skipped.
//
// When ctx ends, what is in flight is finished and read back; nothing new is
// sent.
func (r *Runner) Change(ctx context.Context, w *StateChange, items []Item, report func(Result)) error {
	size := r.Batch
	if size <= 0 {
		size = defaultBatch
	}
	size = min(size, cmapi.MaxIDs)
	for start := 0; start < len(items); start += size {
		batch := items[start:min(start+size, len(items))]
		stop := r.changeBatch(ctx, w, batch, report)
		if stop != nil {
			for _, it := range items[min(start+size, len(items)):] {
				report(Result{it, Skipped, fmt.Errorf("not sent: %w", stop)})
			}
			return stop
		}
	}
	return nil
}

// changeBatch spends signed requests on one batch until every item is settled.
func (r *Runner) changeBatch(ctx context.Context, w *StateChange, items []Item, report func(Result)) error {
	queue := [][]Item{items}
	lost := 0
	for round := 1; len(queue) > 0; round++ {
		batch := queue[0]
		queue = queue[1:]
		sentAt, _, err := r.exchange(ctx, w.request(ids(batch)))
		if stop := stopping(err); stop != nil {
			reportUnsent(append([][]Item{batch}, queue...), stop, report)
			return stop
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
			queue = append([][]Item{rest}, queue...)
		case round >= maxRounds, len(batch) == 1:
			for _, it := range rest {
				report(Result{it, Failed, unchanged(err)})
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

// exchange is one signed request and its answer; sentAt is the gateway's time
// when it was sent. The answer to a request that may change something is
// waited for even when ctx has ended.
func (r *Runner) exchange(ctx context.Context, req cmapi.Request) (sentAt time.Time, a *cmapi.Answer, err error) {
	if ctx.Err() != nil {
		return time.Time{}, nil, context.Cause(ctx)
	}
	drain := cmapi.Drain(ctx)
	sentAt = time.Now()
	p, a, err := r.Client.Prepare(drain, req)
	if err != nil {
		return sentAt, nil, err
	}
	if a != nil { // VRO: the gateway signed, it is done
		if !a.Date.IsZero() {
			sentAt = a.Date.Add(-time.Since(sentAt))
		}
		return sentAt, a, nil
	}
	signature, err := r.Signer.SignCMS(ctx, p.DataToSign)
	switch {
	case ctx.Err() != nil: // also the cause of a question for the PIN that was broken off
		return time.Time{}, nil, context.Cause(ctx)
	case err != nil:
		return time.Time{}, nil, &keyError{err}
	}
	a, err = r.Client.Submit(drain, p, signature)
	return p.ServerTime, a, err
}

// keyError is a failure of the signing key: nothing that changes anything was
// sent.
type keyError struct{ err error }

func (e *keyError) Error() string { return e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// ExitCode is that of the cause, Key when it has none.
func (e *keyError) ExitCode() exit.Code {
	if c := exit.Of(e.err); c != exit.Failure {
		return c
	}
	return exit.Key
}

// stopping tells whether an error ends the whole run: the next batch would
// meet it as well, or it must not be sent.
func stopping(err error) error {
	var call *cmapi.Error
	if err == nil {
		return nil
	}
	if !errors.As(err, &call) {
		return err
	}
	if len(call.Items) > 0 || call.Lost {
		return nil
	}
	if call.Fault == cmapi.FaultEnded {
		return call.Err // nothing of this request is under way
	}
	switch call.ExitCode() {
	case exit.Refused, exit.Unavailable, exit.Identity, exit.Key:
		return err
	}
	return nil
}

func reportUnsent(batches [][]Item, stop error, report func(Result)) {
	outcome := Failed
	if !errors.As(stop, new(*cmapi.Error)) {
		outcome = Skipped // the key failed or the caller ended it: the gateway was not asked
	}
	for _, b := range batches {
		for _, it := range b {
			report(Result{it, outcome, stop})
		}
	}
}

// giveUp ends a run whose answers are lost again and again.
func giveUp(rest []Item, queue [][]Item, call *cmapi.Error, report func(Result)) error {
	for _, it := range rest {
		report(Result{it, Unknown, fmt.Errorf("the answer was lost and the certificate reads unchanged so far: %w", call)})
	}
	for _, b := range queue {
		for _, it := range b {
			report(Result{it, Skipped, fmt.Errorf("not sent: %w", call)})
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

// readBack reads the state of every item and reports those that are settled:
// more than once after a lost answer, and where the gateway cannot be read just
// now. What remains is unchanged without a reason of its own.
func (r *Runner) readBack(ctx context.Context, w *StateChange, batch []Item, sentAt time.Time, answer error, report func(Result)) []Item {
	ctx = context.WithoutCancel(ctx)
	var call *cmapi.Error
	errors.As(answer, &call)
	lost := call != nil && call.Lost
	named := map[string]*cmapi.ItemError{}
	if call != nil {
		for i := range call.Items {
			named[call.Items[i].CertID] = &call.Items[i]
		}
	}
	var unread []Result // of the last look
	for _, wait := range settleWaits {
		if wait > 0 && (!lost && len(unread) == 0 || r.pause(ctx, wait) != nil) {
			break
		}
		unread = nil
		states := r.read(ctx, batch)
		var rest []Item
		for i, it := range batch {
			res, settled := w.judge(it, states[i], named[it.CertID], sentAt)
			if res.Outcome == Done && call != nil && !lost && len(call.Items) == 0 {
				res.Outcome = Already // the request was refused as a whole
			}
			switch {
			case !settled:
				rest = append(rest, it)
			case res.Outcome == Unknown:
				unread = append(unread, res)
				rest = append(rest, it)
			default:
				report(res)
			}
		}
		if batch = rest; len(batch) == 0 {
			return nil
		}
	}
	for _, res := range unread {
		report(res)
		batch = slices.DeleteFunc(batch, func(it Item) bool { return it == res.Item })
	}
	return batch
}

// state is what a look at one certificate gave.
type state struct {
	cert *cmapi.Certificate
	err  error
}

func (r *Runner) read(ctx context.Context, items []Item) []state {
	states := make([]state, len(items))
	var g errgroup.Group
	g.SetLimit(readers)
	for i, it := range items {
		g.Go(func() error {
			states[i].cert, states[i].err = r.Client.Certificates.Details(ctx, it.CertID)
			return nil
		})
	}
	_ = g.Wait()
	return states
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
			missing = &cmapi.ItemError{CertID: it.CertID, Code: cmapi.ItemMissing}
		}
		return Result{it, Failed, missing}, true
	case s.err != nil && named != nil:
		return Result{it, Failed, named}, true
	case s.err != nil:
		return Result{it, Unknown, fmt.Errorf("the state cannot be read back: %w", s.err)}, true
	case w.reached(s.cert):
		began := w.since(s.cert)
		if named != nil || !began.IsZero() && !sentAt.IsZero() && began.Before(sentAt.Add(-clockSkew)) {
			return Result{it, Already, nil}, true
		}
		return Result{it, Done, nil}, true
	}
	if barred := w.barred(s.cert); barred != nil {
		if named != nil && named.Code == barred.Code {
			barred.ServerMessage, barred.HTTP = named.Message, named.HTTP // our own words tell reason and time
		}
		barred.CertID = it.CertID
		return Result{it, Failed, barred}, true
	}
	if named != nil {
		return Result{it, Failed, named}, true
	}
	return Result{}, false
}

func (r *Runner) notice(s string) {
	if r.Notice != nil {
		r.Notice(s)
	}
}

func (r *Runner) pause(ctx context.Context, d time.Duration) error {
	if r.sleep != nil {
		return r.sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func ids(items []Item) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.CertID
	}
	return out
}
