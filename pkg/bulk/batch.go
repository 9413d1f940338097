package bulk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// batch is some items on their way. It is their Gate.
type batch struct {
	r      *run
	number int
	ahead  bool      // it counts among those that have sent nothing signed
	at     time.Time // of what was sent last

	mu      sync.Mutex
	items   []Item // of the request under way
	settled []Result
}

// do carries the write out on the items of the batch.
func (b *batch) do(ctx context.Context, items []Item) {
	b.items = items
	stop := b.r.w.Do(ctx, items, b, b.took)
	if err := b.flush(stop != nil); stop == nil {
		stop = err
	}
	b.leave()
	if stop != nil && !errors.As(stop, new(*halted)) {
		b.r.halt(stop)
	}
	b.r.mu.Lock()
	b.r.alive--
	b.r.release()
	b.r.room.Broadcast()
	b.r.mu.Unlock()
}

// took takes a result from the write.
func (b *batch) took(res Result) {
	b.mu.Lock()
	b.settled = append(b.settled, res)
	b.mu.Unlock()
}

// flush journals what was settled and reports it. When the batch was stopped,
// what failed by what stopped it does not stand: a later run may fare better.
func (b *batch) flush(stopped bool) error {
	b.mu.Lock()
	settled := b.settled
	b.settled = nil
	b.mu.Unlock()
	if len(settled) == 0 {
		return nil
	}
	slices.SortStableFunc(settled, func(x, y Result) int { return x.Index - y.Index })
	asked := b.underWay(settled)
	rec := record{Type: recAnswered, At: b.r.o.Now().UTC(), Batch: b.number}
	for _, res := range settled {
		switch {
		case res.Outcome == Done:
			rec.Done.add(res.Index)
		case res.Outcome == Already:
			rec.Already.add(res.Index)
		case res.Outcome == Skipped, res.Outcome == Failed && stopped && transient(res.Err):
			if asked[res.Index] {
				rec.Skipped.add(res.Index)
			}
			if res.Outcome == Failed {
				w := wrongOf(res)
				w.Moment = true
				rec.Wrong = append(rec.Wrong, w)
			}
			if practised(res) {
				rec.Signed.add(res.Index)
			}
			continue
		default:
			rec.Wrong = append(rec.Wrong, wrongOf(res))
			continue
		}
		if res.ID != "" && res.ID != res.Key {
			rec.Made = append(rec.Made, madeID{res.Index, res.ID})
		}
	}
	var err error
	if len(rec.Done)+len(rec.Already)+len(rec.Skipped)+len(rec.Wrong) > 0 {
		err = b.r.j.out.append(rec, false)
	}
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	for _, res := range settled {
		b.r.counts.Add(res.Outcome)
		b.r.speed.add(1)
		b.r.j.take(res, stopped)
		b.r.report(res)
	}
	return err
}

// reopen notes that nothing was done to items of an earlier run's batch: whatever
// becomes of this run, they need not be looked at again.
func (b *batch) reopen(items []Item) error {
	if len(items) == 0 {
		return nil
	}
	b.r.mu.Lock()
	for _, it := range items {
		b.r.j.state[it.Index] = open
		delete(b.r.j.wrong, it.Index)
	}
	b.r.mu.Unlock()
	return b.r.j.out.append(record{Type: recAnswered, At: b.r.o.Now().UTC(), Batch: b.number, Skipped: rangesOf(items)}, false)
}

// underWay tells which items the journal has as asked or sent.
func (b *batch) underWay(results []Result) map[int]bool {
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	asked := map[int]bool{}
	for _, r := range results {
		asked[r.Index] = b.r.j.state[r.Index] == under
	}
	return asked
}

// transient tells failures that are of the moment and not of the item.
func transient(err error) bool {
	switch exit.Of(err) {
	case exit.Refused, exit.Unavailable, exit.Key, exit.Identity, exit.Declined:
		return true
	}
	return exit.Of(err) >= exit.Hangup
}

// take notes a result.
func (j *Job) take(res Result, stopped bool) {
	s := stateOf(res.Outcome)
	if res.Outcome == Failed && stopped && transient(res.Err) {
		s = open
	}
	j.state[res.Index] = s
	if res.Err != nil && !res.Outcome.Good() {
		w := wrongOf(res)
		j.wrong[res.Index] = &Recorded{Code: w.Code, Exit: exit.Code(w.Exit), Message: w.Message, refused: s == open && res.Outcome == Failed}
	}
	if res.ID != "" && res.ID != res.Key {
		j.made[res.Index] = res.ID
	}
}

func wrongOf(res Result) wrong {
	w := wrong{Index: res.Index, Outcome: res.Outcome, ID: res.ID}
	if res.Err != nil {
		w.Message, w.Exit = res.Err.Error(), int(exit.Of(res.Err))
		var coded interface{ GatewayCode() int }
		if errors.As(res.Err, &coded) {
			w.Code = coded.GatewayCode()
		}
	}
	return w
}

// rest are the items of the batch that have no result yet.
func (b *batch) rest() []Item {
	b.mu.Lock()
	defer b.mu.Unlock()
	settled := map[int]bool{}
	for _, r := range b.settled {
		settled[r.Index] = true
	}
	rest := b.items[:0:0]
	for _, it := range b.items {
		if !settled[it.Index] {
			rest = append(rest, it)
		}
	}
	return rest
}

// Ask implements Gate.
func (b *batch) Ask(ctx context.Context) (func(), error) {
	rest := b.rest()
	if err := b.flush(false); err != nil { // a further round: what is settled stands
		return nil, err
	}
	b.items = rest
	if !b.ahead {
		if !b.r.enter(ctx) {
			return nil, context.Cause(ctx)
		}
		b.ahead = true
	}
	if b.r.limiter != nil {
		if err := b.r.limiter.WaitN(ctx, len(rest)); err != nil {
			return nil, cmp.Or(context.Cause(ctx), err)
		}
	}
	done, err := place(ctx, b.r.fetch)
	if err != nil {
		return nil, err
	}
	b.at = b.r.o.Now().UTC()
	if err := b.r.j.out.append(record{Type: recAsked, At: b.at, Batch: b.number, Indexes: rangesOf(rest), Group: rest[0].Group}, true); err != nil {
		done()
		return nil, err
	}
	b.mark(rest)
	return done, nil
}

// mark notes that something is on its way for the items.
func (b *batch) mark(items []Item) {
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	for _, it := range items {
		if b.r.j.state[it.Index] == open {
			b.r.j.state[it.Index] = under
		}
	}
}

// Sign implements Gate.
func (b *batch) Sign(ctx context.Context) (func(), error) {
	done, err := place(ctx, b.r.key)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	return func() {
		done()
		b.r.signed(time.Since(start))
	}, nil
}

// Send implements Gate.
func (b *batch) Send(ctx context.Context) (func(), error) {
	b.leave()
	done, err := place(context.WithoutCancel(ctx), b.r.send) // it is signed: it goes
	if err != nil {
		return nil, err
	}
	b.at = b.r.o.Now().UTC()
	if err := b.r.j.out.append(record{Type: recSent, At: b.at, Batch: b.number, Indexes: rangesOf(b.items), Group: b.items[0].Group}, true); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// leave ends counting among those that have sent nothing signed.
func (b *batch) leave() {
	if b.ahead {
		b.ahead = false
		b.r.exit()
	}
}

// place takes one of a kind of places.
func place(ctx context.Context, places chan struct{}) (func(), error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
