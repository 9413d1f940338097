package bulk

import (
	"context"
	"time"
)

// maxAhead is how much signing may lie ready before the key: what a gateway
// hands out to sign does not keep for ever.
const maxAhead = 30 * time.Second

// admit waits until one more batch may begin. It is false when ctx has ended.
func (r *run) admit(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ctx.Err() == nil && (r.alive >= r.maxAlive || r.ahead >= r.mayBeAhead()) {
		r.room.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	r.alive++
	r.ahead++
	return true
}

// enter waits until a batch may ask once more.
func (r *run) enter(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ctx.Err() == nil && r.ahead >= r.mayBeAhead() {
		r.room.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	r.ahead++
	return true
}

func (r *run) exit() {
	r.mu.Lock()
	r.ahead--
	r.room.Broadcast()
	r.mu.Unlock()
}

// mayBeAhead is how many batches may be before or at the key: enough that it
// never waits, and no more than it can sign in maxAhead.
func (r *run) mayBeAhead() int {
	n := r.o.Signers + 2*r.o.Parallel
	if r.signing > 0 {
		n = min(n, int(maxAhead/r.signing)*r.o.Signers)
	}
	return max(n, r.o.Signers+1)
}

// signed learns how long a signature takes.
func (r *run) signed(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.signing == 0 {
		r.signing = d
		return
	}
	r.signing = (7*r.signing + d) / 8
}

// parked is a batch that waits in Together.
type parked struct {
	x    any
	do   func([]any, bool)
	done chan struct{}
}

// Batches wait for others to join them for gatherTime, or until they have
// gatherItems items: some pages of a search, of which the first and the last
// are shared with what comes before and after.
const (
	gatherTime  = 3 * time.Second
	gatherItems = 5000
)

// gatherSize is how many batches are enough.
func (r *run) gatherSize() int {
	return max(1, min(gatherItems/max(1, r.j.Header.Batch), r.maxAlive*3/4))
}

// Together implements Gate. One group is under way at a time; the batches that
// come meanwhile are the next. They are let go when nothing else is on its way
// to join them, when they are many, or when the first has waited long enough.
func (b *batch) Together(_ context.Context, x any, do func([]any, bool)) {
	r := b.r
	p := parked{x, do, make(chan struct{})}
	r.mu.Lock()
	r.parked = append(r.parked, p)
	if len(r.parked) == 1 {
		r.gather = time.AfterFunc(gatherTime, func() {
			r.mu.Lock()
			r.overdue = true
			r.release()
			r.mu.Unlock()
		})
	}
	r.release()
	r.mu.Unlock()
	<-p.done
}

// enough says that the parked batches may go. Towards the end ever fewer are: as
// many as those that are still to come, so that little is left to be read when
// the last has been answered.
func (r *run) enough() bool {
	n := len(r.parked)
	return n >= r.gatherSize() || r.fed && n >= max(fewBatches, r.alive-n)
}

// fewBatches are not worth a search of their own.
const fewBatches = 8

// release lets the parked batches go when it is time. It is called whenever
// something changes that this depends on, with the lock held.
func (r *run) release() {
	if r.together || len(r.parked) == 0 {
		return
	}
	alone := (r.fed || r.alive >= r.maxAlive) && len(r.parked) >= r.alive // nothing else is under way, and nothing can begin
	if !alone && !r.overdue && !r.enough() {
		return
	}
	r.gather.Stop()
	group := r.parked
	r.parked, r.overdue, r.together = nil, false, true
	go func() {
		all := make([]any, len(group))
		for i, p := range group {
			all[i] = p.x
		}
		group[0].do(all, alone)
		r.mu.Lock()
		r.together = false
		r.release()
		r.mu.Unlock()
		for _, p := range group {
			close(p.done)
		}
	}()
}

// speed measures the rate of the last seconds.
type speed struct {
	at    []time.Time
	n     []int
	total int
}

const speedWindow = 15 * time.Second

func (s *speed) add(n int) { s.total += n }

// now is the rate in items a second; 0: not known yet.
func (s *speed) now(t time.Time) float64 {
	s.at, s.n = append(s.at, t), append(s.n, s.total)
	for len(s.at) > 2 && t.Sub(s.at[1]) > speedWindow {
		s.at, s.n = s.at[1:], s.n[1:]
	}
	d := t.Sub(s.at[0]).Seconds()
	if d < 1 {
		return 0
	}
	return float64(s.total-s.n[0]) / d
}

// watch tells the progress twice a second until its result is called.
func (r *run) watch() (stop func()) {
	if r.o.Progress == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	tell := func() {
		r.mu.Lock()
		p := Progress{Counts: Counts{}, Total: r.j.Header.Items, Rate: r.speed.now(time.Now()), InFlight: r.alive}
		left := p.Total
		for o, n := range r.counts {
			p.Counts[o] = n
			left -= n
		}
		r.mu.Unlock()
		if p.Rate > 0 {
			p.Left = time.Duration(float64(left) / p.Rate * float64(time.Second))
		}
		r.o.Progress(p)
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				tell()
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}
