package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Options say how a job is run.
type Options struct {
	Parallel int // requests of a kind under way at a time; 0: 4; 1: one batch after the other
	Signers  int // signatures made at a time: 1 for a token; 0: 1
	Batch    int // most items in one request; 0: as the job was begun
	Rate     int // most items a second; 0: as fast as it goes
	First    int // send only of so many first items of the plan, and go on after that; 0: all

	// Closing is called when nothing is under way any more, with what stopped the
	// run, before its end is noted: what it returns is how the run ended. nil:
	// there is nothing to close.
	Closing func(stop error) error

	Officer, Name string // SHA-256 of the signing certificate, and its subject
	Progress      func(Progress)

	// Now is the time that the journal notes: the gateway's, by which what was
	// sent is found again. nil: this machine's.
	Now func() time.Time
}

// Progress is how far a run has come.
type Progress struct {
	Counts   Counts // of this run and those before
	Total    int
	Rate     float64       // items a second, over the last seconds
	Left     time.Duration // at that rate; 0: not known yet
	InFlight int           // batches
}

const defaultParallel = 4

// How many items, and batches, may be on their way at a time: read back by the
// thousand, held in memory by the ten thousand.
const (
	manyItems  = 25600
	manyAlive  = 256
	leastAlive = 16
)

// run is one run of a job.
type run struct {
	j      *Job
	w      Write
	o      Options
	report func(Result)

	limiter *rate.Limiter
	fetch   chan struct{} // a place for each request of the kind
	key     chan struct{}
	send    chan struct{}

	mu       sync.Mutex
	counts   Counts
	stop     error
	ahead    int // batches that were let in and have sent nothing signed yet
	room     *sync.Cond
	signing  time.Duration // how long a signature takes, on average
	parked   []parked
	together bool // a group of them is under way
	overdue  bool // the first has waited long enough
	alive    int
	maxAlive int
	fed      bool // no batch comes after those alive
	gather   *time.Timer
	cancel   context.CancelCauseFunc
	speed    speed
}

// Run sends what is open in the plan, after it has settled what earlier runs
// left without an answer. It reports each item that this run settles, one at a
// time, and those that it never sent as Skipped; report must not wait for
// anything, since the whole run would. The error is what stopped it.
//
// When ctx ends, what is in flight is finished and read back; nothing new is
// sent.
func (j *Job) Run(ctx context.Context, w Write, o Options, report func(Result)) error {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.Signers <= 0 {
		o.Signers = 1
	}
	if o.Batch <= 0 {
		o.Batch = j.Header.Batch
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &run{
		j: j, w: w, o: o, report: report, counts: j.settledCounts(),
		fetch: make(chan struct{}, o.Parallel), key: make(chan struct{}, o.Signers), send: make(chan struct{}, o.Parallel),
	}
	r.room = sync.NewCond(&r.mu)
	r.maxAlive = max(leastAlive, min(manyItems/max(1, j.Header.Batch), manyAlive))
	if o.Parallel == 1 {
		r.maxAlive = 1 // one after the other
	}
	if o.Rate > 0 {
		r.limiter = rate.NewLimiter(rate.Limit(o.Rate), max(o.Rate, o.Batch))
	}
	if err := j.out.append(record{Type: recRun, At: o.Now().UTC(), By: o.Officer, Name: o.Name}, true); err != nil {
		return err
	}
	j.runs++
	j.ended = nil
	j.anew()
	unwatched := r.watch()
	feed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.cancel = cancel
	unwatch := context.AfterFunc(feed, func() { r.mu.Lock(); r.room.Broadcast(); r.mu.Unlock() })
	defer unwatch()

	unsettled := r.settlePending(ctx)
	stop := unsettled
	if stop == nil || exit.Of(stop) == exit.Unavailable && ctx.Err() == nil { // what cannot be read holds nothing else up
		stop = cmp.Or(r.sendOpen(feed), unsettled)
	}
	if stop == nil && ctx.Err() != nil && !r.complete() {
		stop = context.Cause(ctx)
	}
	unwatched()
	if err := j.out.flushAll(); stop == nil { // what follows may last, or be killed
		stop = err
	}
	if o.First > 0 && stop == nil {
		return nil // it goes on, after a question
	}
	if o.Closing != nil {
		stop = o.Closing(stop)
	}
	return j.Stop(stop, o.Now(), report)
}

// Stop ends a run: it reports what was never sent, when something stopped it,
// writes the lists, and notes the end. The error is how the run ended. Run does so
// by itself, unless it ends with the First.
func (j *Job) Stop(stop error, at time.Time, report func(Result)) error {
	if stop != nil {
		if err := j.skipRest(stop, report); err != nil {
			stop = errors.Join(stop, err)
		}
	}
	if j.dir != "" {
		if err := j.writeLists(); err != nil && stop == nil {
			stop = exit.New(exit.Failure, "make room there", "the lists of what became of the items: %w", err)
		}
	}
	end := record{Type: recEnd, At: at.UTC(), Exit: int(j.Tally().ExitCode(stop)), Closed: stop == nil}
	if stop != nil {
		end.Reason = stop.Error()
	}
	j.ended = &End{end.At, end.Exit, end.Reason, end.Closed}
	return cmp.Or(stop, j.out.append(end, true))
}

// CloseUp ends a job whose last run settled all items and was killed before it had
// ended.
func (j *Job) CloseUp(at time.Time) error { return j.Stop(nil, at, nil) }

// complete says that everything was settled.
func (r *run) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[Done]+r.counts[Already]+r.counts[Failed]+r.counts[Unknown] == r.j.Header.Items
}

// settledCounts are the outcomes that stand from earlier runs.
func (j *Job) settledCounts() Counts {
	c := Counts{}
	for _, s := range j.state {
		if s > under {
			c.Add(s.outcome())
		}
	}
	return c
}

// settlePending reads back what earlier runs sent and had no answer of. What
// nothing was done to is open again.
func (r *run) settlePending(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(r.o.Parallel)
	for _, p := range append([]pendingBatch(nil), r.j.pending...) {
		items, err := r.j.pick(p.items)
		if err != nil {
			return err
		}
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b := &batch{r: r, number: p.number, at: p.at}
			rest, err := r.w.Settle(ctx, items, p.at, func(res Result) { b.took(stillInDoubt(res)) })
			return cmp.Or(b.flush(false), b.reopen(rest), err)
		})
	}
	err := g.Wait()
	r.j.pending = nil
	return err
}

// stillInDoubt keeps a look that failed from being taken for what became of an
// item: only what was seen settles it.
func stillInDoubt(res Result) Result {
	if res.Outcome == Skipped || res.Outcome == Failed && transient(res.Err) {
		res.Outcome = Unknown
	}
	return res
}

// pick reads some items of the plan.
func (j *Job) pick(at []int) ([]Item, error) {
	var items []Item
	k, chunkOf := -1, []Item(nil)
	for _, i := range at {
		for k < 0 || i >= j.chunks[k].first+j.chunks[k].n || i < j.chunks[k].first {
			if k++; k >= len(j.chunks) {
				return nil, fmt.Errorf("item %d is not in the plan", i)
			}
			if i < j.chunks[k].first+j.chunks[k].n {
				var err error
				if chunkOf, err = j.load(k); err != nil {
					return nil, err
				}
			}
		}
		items = append(items, chunkOf[i-j.chunks[k].first])
	}
	return items, nil
}

// First is how the first n items stand.
func (j *Job) First(n int) ([]Result, error) {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	items, err := j.pick(at)
	results := make([]Result, len(items))
	for i, it := range items {
		results[i] = j.result(it)
	}
	return results, err
}

// sendOpen forms batches of what is open and starts each. Items of one batch
// have one group.
func (r *run) sendOpen(ctx context.Context) error {
	var wg sync.WaitGroup
	forming := map[string][]Item{}
	var order []string // groups in the order in which they came, so that runs are alike
	start := func(items []Item) bool {
		if !r.admit(ctx) {
			return false
		}
		r.j.batches++
		b := &batch{r: r, number: r.j.batches, ahead: true}
		wg.Add(1)
		go func() {
			defer wg.Done()
			b.do(ctx, items)
		}()
		return true
	}
	err := r.j.eachOpen(&r.mu, func(it Item) error {
		if r.o.First > 0 && it.Index >= r.o.First {
			return errEnough
		}
		if _, ok := forming[it.Group]; !ok {
			order = append(order, it.Group)
		}
		items := append(forming[it.Group], it)
		if len(items) < r.o.Batch {
			forming[it.Group] = items
			return nil
		}
		forming[it.Group] = nil
		if !start(items) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	for _, g := range order {
		if err != nil || len(forming[g]) > 0 && !start(forming[g]) {
			break
		}
	}
	r.mu.Lock()
	r.fed = true
	r.release()
	r.mu.Unlock()
	wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop != nil {
		return r.stop
	}
	return err
}

// errEnough ends the feeding.
var errEnough = errors.New("enough")

// eachOpen calls f with the items that nothing was sent for. mu guards their
// states.
func (j *Job) eachOpen(mu *sync.Mutex, f func(Item) error) error {
	for k, c := range j.chunks {
		mu.Lock()
		some := false
		for i := c.first; i < c.first+c.n && !some; i++ {
			some = j.state[i] == open
		}
		mu.Unlock()
		if !some {
			continue
		}
		items, err := j.load(k)
		if err != nil {
			return err
		}
		for _, it := range items {
			mu.Lock()
			isOpen := j.state[it.Index] == open
			mu.Unlock()
			if !isOpen {
				continue
			}
			if err := f(it); err != nil {
				return err
			}
		}
	}
	return nil
}

// skipRest reports what was never sent. No batch is under way any more.
func (j *Job) skipRest(stop error, report func(Result)) error {
	why := fmt.Errorf("not sent: %w", stop)
	j.unsent = &Recorded{Exit: exit.Of(stop), Message: why.Error()}
	return j.eachOpen(&sync.Mutex{}, func(it Item) error {
		if !j.told(it.Index) {
			report(Result{Item: it, Outcome: Skipped, Err: why})
		}
		return nil
	})
}

// told says that a skipped item was reported already: by its batch, which has
// the better reason.
func (j *Job) told(i int) bool { return j.wrong[i] != nil && j.state[i] == open }

// halt ends the feeding for what would stop every further batch.
func (r *run) halt(err error) {
	r.mu.Lock()
	if r.stop == nil {
		r.stop = err
	}
	r.mu.Unlock()
	r.cancel(&halted{err})
}

// halted is the cause for batches that are not to begin any more. It does not
// unwrap to what stopped the run: that is no answer to their requests.
type halted struct{ err error }

func (h *halted) Error() string       { return "not sent: " + h.err.Error() }
func (h *halted) Hint() string        { return exit.HintOf(h.err) }
func (h *halted) ExitCode() exit.Code { return exit.Of(h.err) }
