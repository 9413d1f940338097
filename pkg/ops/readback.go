package ops

import (
	"context"
	"errors"
	"slices"
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
	done := answer == nil || call != nil && !lost && len(call.Items) > 0 // but for what it names
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
		states := r.read(ctx, w, batch, named, sentAt, done)
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
// there one by one; so is what the gateway named as failed.
func (r *Runner) read(ctx context.Context, w *StateChange, batch []Item, named map[string]*cmapi.ItemError, sentAt time.Time, done bool) []state {
	if r.gate == nil || w.reason == nil || len(batch)-len(named) <= fewItems || sentAt.IsZero() {
		return r.details(ctx, batch)
	}
	own := &look{w: w, items: batch, named: named, sentAt: sentAt, done: done, states: make([]state, len(batch))}
	r.gate.Together(ctx, own, func(all []any, alone bool) {
		looks := make([]*look, len(all))
		for i, x := range all {
			looks[i] = x.(*look)
		}
		r.readTogether(ctx, looks, alone)
	})
	return own.states
}

// look is what one batch wants to be read.
type look struct {
	w      *StateChange
	items  []Item
	named  map[string]*cmapi.ItemError
	sentAt time.Time
	done   bool // the gateway says so: what a search does not show was not in its window
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
// the searches do not show. alone tells that no writes go on meanwhile.
func (r *Runner) readTogether(ctx context.Context, looks []*look, alone bool) {
	byReason := map[int]*window{}
	for _, l := range looks {
		reason := int(*l.w.reason)
		win := byReason[reason]
		if win == nil {
			win = &window{reason: reason, since: l.sentAt, places: map[string]*spot{}}
			byReason[reason] = win
		}
		if l.sentAt.Before(win.since) {
			win.since = l.sentAt
		}
		for i, it := range l.items {
			if l.named[it.Key] == nil {
				win.places[it.Key] = &spot{&l.states[i], l.sentAt, l.done}
				if l.done {
					win.due++
				}
			}
		}
	}
	if len(looks) > 1 {
		r.tellTime(ctx, looks)
	}
	for _, win := range byReason {
		r.readWindows(ctx, win, alone)
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
			if s.cert != nil && l.named[missing[k].Key] == nil && l.w.reached(s.cert) {
				r.memory().clock.saw(l.sentAt, s.cert.RevocationTime)
			}
		}
	}
	r.memory().clock.turn()
}

// tellTime learns from a certificate that was sent first how the gateway notes
// revocations, unless that is known: a window that must allow for all that
// clocks do may be full of what others have revoked.
func (r *Runner) tellTime(ctx context.Context, looks []*look) {
	clock := &r.memory().clock
	if clock.knows() {
		return
	}
	first := slices.MinFunc(looks, func(a, b *look) int { return a.sentAt.Compare(b.sentAt) })
	for _, it := range first.items {
		if first.named[it.Key] != nil {
			continue
		}
		if c, err := r.Client.Certificates.Details(ctx, it.Key); err == nil && first.w.reached(c) {
			clock.saw(first.sentAt, c.RevocationTime)
			clock.turn()
		}
		return
	}
}

// window is what was revoked for a reason since a time, and the places of those
// certificates that are looked for there.
type window struct {
	reason int
	since  time.Time
	places map[string]*spot
	found  int
	due    int // of those not found, how many were done, as the gateway says
}

type spot struct {
	state  *state
	sentAt time.Time
	done   bool
}

// readWindows searches a window, and wider ones as long as something is due
// that they do not show. How early that was noted cuts the next window.
func (r *Runner) readWindows(ctx context.Context, win *window, alone bool) {
	for before := narrowBefore; ; before *= widerBy {
		from, tight := r.memory().clock.from(win.since, before)
		if !r.readWindow(ctx, win, from, alone) || !tight || win.due <= fewItems {
			return
		}
	}
}

// Pages of a window are read windowPages at a time. Beside writes that go on,
// pages that come at once are read one after the other: more at a time would
// only take the gateway's processor from the writes.
const (
	windowPages = 4
	longPage    = 30 * time.Millisecond
)

// readWindow searches a window that begins at a time. It proves nothing of what
// it does not show, so one that cannot be read is no failure.
func (r *Runner) readWindow(ctx context.Context, win *window, from time.Time, alone bool) (read bool) {
	const size = 500
	filter := cmapi.CertificateFilter{SubjectType: everyType, RevocationReason: []int{win.reason}, RevocationTimeFrom: from}
	var mu sync.Mutex
	page := func(offset int) (hits, n int, err error) {
		p, err := r.Client.Certificates.ListStates(ctx, filter, size, offset)
		if err != nil {
			return 0, 0, err
		}
		mu.Lock()
		defer mu.Unlock()
		for i := range p.Certificates {
			c := &p.Certificates[i]
			if at := win.places[c.CertID]; at != nil && at.state.cert == nil {
				at.state.cert = c
				r.memory().clock.saw(at.sentAt, c.RevocationTime)
				if win.found++; at.done {
					win.due--
				}
			}
		}
		return p.Hits, len(p.Certificates), nil
	}
	begun := time.Now()
	hits, n, err := page(0)
	if err != nil || n == 0 {
		return err == nil
	}
	next := n
	more := func() (offset int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		offset, next = next, next+n
		return offset, offset < hits && win.found < len(win.places)
	}
	var g errgroup.Group
	workers := 1
	if alone || time.Since(begun) > longPage && !r.swift {
		workers = windowPages
	}
	for range workers {
		g.Go(func() error {
			for offset, ok := more(); ok; offset, ok = more() {
				now, _, err := page(offset)
				if err != nil {
					return err
				}
				mu.Lock()
				hits = max(hits, now) // other batches push what is looked for towards the end
				mu.Unlock()
			}
			return nil
		})
	}
	return g.Wait() == nil
}
