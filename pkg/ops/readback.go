package ops

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// readers is how many details are read at a time.
const readers = 16

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
	if answer == nil && !r.verifies(batch) {
		for _, it := range batch {
			report(Result{Item: it, Outcome: Done})
		}
		return nil
	}
	var unread []Result // of the last look
	for _, wait := range settleWaits {
		if wait > 0 && (!lost && len(unread) == 0 || r.pause(ctx, wait) != nil) {
			break
		}
		unread = nil
		states := r.read(ctx, w, batch, sentAt)
		var rest []Item
		for i, it := range batch {
			res, settled := w.judge(it, states[i], named[it.Key], sentAt)
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
	}
	return without(batch, unread)
}

// sampleEvery is which share of requests --verify sample reads back.
const sampleEvery = 10

func (r *Runner) verifies(batch []Item) bool {
	switch r.Verify {
	case VerifyNone:
		return false
	case VerifySample:
		return batch[0].Index/len(batch)%sampleEvery == 0
	}
	return true
}

// state is what a look at one certificate gave.
type state struct {
	cert *cmapi.Certificate
	err  error
}

// fewItems are read one by one: a search costs about as much as so many.
const fewItems = 4

// read reads the states of a batch. Many are read by a search over the time of
// their revocation, together with those of other batches, and what is missing
// there one by one.
func (r *Runner) read(ctx context.Context, w *StateChange, batch []Item, sentAt time.Time) []state {
	if r.gate == nil || w.reason == nil || len(batch) <= fewItems || sentAt.IsZero() {
		return r.details(ctx, batch)
	}
	own := &look{w: w, items: batch, sentAt: sentAt, states: make([]state, len(batch))}
	r.gate.Together(ctx, own, func(all []any) {
		looks := make([]*look, len(all))
		for i, x := range all {
			looks[i] = x.(*look)
		}
		r.readTogether(ctx, looks)
	})
	return own.states
}

// look is what one batch wants to be read.
type look struct {
	w      *StateChange
	items  []Item
	sentAt time.Time
	states []state
}

// details reads certificates one by one, many at a time.
func (r *Runner) details(ctx context.Context, items []Item) []state {
	states := make([]state, len(items))
	var g errgroup.Group
	g.SetLimit(readers)
	for i, it := range items {
		g.Go(func() error {
			states[i].cert, states[i].err = r.Client.Certificates.Details(ctx, it.Key)
			return nil
		})
	}
	_ = g.Wait()
	return states
}

// readTogether reads several batches by one search for each reason, then what
// the searches do not show.
func (r *Runner) readTogether(ctx context.Context, looks []*look) {
	places := map[string]*state{}
	since := map[int]time.Time{}
	for _, l := range looks {
		reason := int(*l.w.reason)
		if t, ok := since[reason]; !ok || l.sentAt.Before(t) {
			since[reason] = l.sentAt
		}
		for i, it := range l.items {
			places[it.Key] = &l.states[i]
		}
	}
	for reason, from := range since {
		r.readWindow(ctx, reason, from, places)
	}
	for _, l := range looks {
		var missing []Item
		var at []int
		for i := range l.items {
			if l.states[i].cert == nil {
				missing, at = append(missing, l.items[i]), append(at, i)
			}
		}
		for k, s := range r.details(ctx, missing) {
			l.states[at[k]] = s
			if s.cert != nil && l.w.reached(s.cert) {
				r.memory().clock.saw(l.sentAt, s.cert.RevocationTime)
			}
		}
	}
}

// windowPages is how many pages of a window are read at a time.
const windowPages = 4

// readWindow searches what was revoked for a reason since a time. It proves
// nothing of what it does not show, so a window that cannot be read is no
// failure.
func (r *Runner) readWindow(ctx context.Context, reason int, since time.Time, places map[string]*state) {
	const size = 500
	var mu sync.Mutex
	found := 0
	filter := cmapi.CertificateFilter{SubjectType: everyType, RevocationReason: []int{reason}, RevocationTimeFrom: r.memory().clock.from(since)}
	page := func(offset int) (hits, n int, err error) {
		p, err := r.Client.Certificates.List(ctx, filter, size, offset)
		if err != nil {
			return 0, 0, err
		}
		mu.Lock()
		defer mu.Unlock()
		for i := range p.Certificates {
			c := &p.Certificates[i]
			if s := places[c.CertID]; s != nil && s.cert == nil {
				s.cert = &cmapi.Certificate{CertID: c.CertID, Status: c.Status, Reason: c.Reason, RevocationTime: c.RevocationTime}
				found++
			}
		}
		return p.Hits, len(p.Certificates), nil
	}
	hits, n, err := page(0)
	if err != nil || n == 0 {
		return
	}
	var g errgroup.Group
	g.SetLimit(windowPages)
	for offset := n; offset < hits; offset += n {
		mu.Lock()
		enough := found >= len(places)
		mu.Unlock()
		if enough {
			break
		}
		g.Go(func() error {
			_, _, err := page(offset)
			return err
		})
	}
	_ = g.Wait()
}

// clock learns how the clock by which a gateway notes revocations lies to the
// one of its answers.
type clock struct {
	mu    sync.Mutex
	known bool
	least time.Duration // smallest lead of a revocation time over the send
}

// saw takes in a revocation of our own.
func (c *clock) saw(sentAt, revoked time.Time) {
	if revoked.IsZero() {
		return
	}
	d := revoked.Sub(sentAt)
	c.mu.Lock()
	defer c.mu.Unlock()
	if d < -clockSkew || d > time.Hour { // somebody else's
		return
	}
	if !c.known || d < c.least {
		c.known, c.least = true, d
	}
}

// from is the time after which a request sent at t shows.
func (c *clock) from(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		return t.Add(-2 * time.Second) // both clocks are cut to seconds
	}
	return t.Add(min(c.least, 0) - 2*time.Second)
}
