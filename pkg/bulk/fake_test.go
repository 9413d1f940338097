package bulk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// world is a gateway, and the disk that the journal is on. Both end at once
// when the program is killed.
type world struct {
	mu       sync.Mutex
	rnd      *rand.Rand
	executed map[string]int  // how often a write of an item was carried out
	refuses  map[string]bool // items that it always refuses
	lose     float64         // share of answers that are lost
	stop     float64         // share of batches after which nothing more goes
	calls    int

	written []byte // by the program
	synced  int    // of it, on disk
	syncs   int
	killAt  int // with this sync; 0: never
	killed  bool
	early   int // requests that went before the disk had their record
}

func newWorld(seed uint64) *world {
	return &world{rnd: rand.New(rand.NewPCG(seed, 1)), executed: map[string]int{}, refuses: map[string]bool{}}
}

func (w *world) chance(p float64) bool { return w.rnd.Float64() < p }

// disk is the journal's file as the world has it.
type disk struct {
	*os.File
	w *world
}

var errKilled = errors.New("killed")

func (d disk) Write(p []byte) (int, error) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if d.w.killed {
		return 0, errKilled
	}
	d.w.written = append(d.w.written, p...)
	return d.File.Write(p)
}

func (d disk) Sync() error {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if d.w.syncs++; d.w.syncs == d.w.killAt {
		d.w.killed = true
	}
	if d.w.killed {
		return errKilled
	}
	d.w.synced = len(d.w.written)
	return nil
}

// left is what a kill leaves of the journal: all that was synced, and as much
// of the rest as it happens.
func (w *world) left() []byte {
	return w.written[:w.synced+w.rnd.IntN(len(w.written)-w.synced+1)]
}

// onDisk puts the journal of a job on the world's disk.
func (w *world) onDisk(t *testing.T, j *Job) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(j.dir, JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	w.written, w.synced, w.syncs, w.killed = data, len(data), 0, false
	j.out.s = disk{j.store.(*os.File), w}
}

// write is a Write that goes through the gate as those of package ops do.
type write struct {
	w        *world
	together bool
	sent     func() // called after each request; nil: nothing
}

var errLost = exit.New(exit.Unavailable, "", "the answer was lost")

func (f *write) Do(ctx context.Context, items []Item, gate Gate, report func(Result)) error {
	for round := 0; len(items) > 0; round++ {
		err := f.pass(ctx, gate)
		if err != nil {
			for _, it := range items {
				report(Result{Item: it, Outcome: Skipped, Err: err})
			}
			return err
		}
		done, lost := f.w.carryOut(items)
		if f.sent != nil {
			f.sent()
		}
		if f.together {
			mine := new(int)
			gate.Together(ctx, mine, func(all []any, _ bool) {
				for _, x := range all {
					*x.(*int)++
				}
			})
			if *mine != 1 {
				return fmt.Errorf("what was wanted together was done %d times", *mine)
			}
		}
		var rest []Item
		for i, it := range items {
			switch {
			case done[i]:
				report(Result{Item: it, Outcome: Done, ID: "made-" + it.Key})
			case f.w.refuses[it.Key]:
				report(Result{Item: it, Outcome: Failed, Err: exit.New(exit.NotFound, "", "refused")})
			case lost && round < 2:
				rest = append(rest, it)
			default:
				report(Result{Item: it, Outcome: Unknown, Err: errLost})
			}
		}
		if items = rest; lost && round >= 2 {
			return errLost
		}
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.w.chance(f.w.stop) {
		return exit.New(exit.Refused, "", "the officer was thrown out")
	}
	return nil
}

// pass is the way of a signed request through the gate.
func (f *write) pass(ctx context.Context, gate Gate) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, step := range []func(context.Context) (func(), error){gate.Ask, gate.Sign, gate.Send} {
		done, err := step(ctx)
		if err != nil {
			return err
		}
		done()
	}
	return nil
}

// carryOut is what the gateway does with a request: all or, when it is lost
// before, nothing. A killed program sends none.
func (w *world) carryOut(items []Item) (done []bool, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done = make([]bool, len(items))
	w.calls++
	if w.killed {
		return done, true
	}
	if w.written != nil && !w.noted(items) {
		w.early++
	}
	lost = w.chance(w.lose)
	if lost && w.chance(0.5) {
		return done, true
	}
	for i, it := range items {
		if !w.refuses[it.Key] {
			w.executed[it.Key]++
			done[i] = true
		}
	}
	return done, lost
}

// noted tells whether the disk has the record that items are sent.
func (w *world) noted(items []Item) bool {
	sent := map[int]bool{}
	_, err := scan(bytes.NewReader(w.written[:w.synced]), func(r *record, _, _ int64) error {
		if r.Type == recSent {
			r.Indexes.each(func(i int) { sent[i] = true })
		}
		return nil
	})
	for _, it := range items {
		if err != nil || !sent[it.Index] {
			return false
		}
	}
	return true
}

func (f *write) Settle(_ context.Context, items []Item, sent time.Time, report func(Result)) (rest []Item, err error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if sent.IsZero() {
		return nil, errors.New("nobody knows when it was sent")
	}
	for _, it := range items {
		if f.w.executed[it.Key] > 0 {
			report(Result{Item: it, Outcome: Done})
		} else {
			rest = append(rest, it)
		}
	}
	return rest, nil
}

// plan makes a frozen job of n items, in as many groups.
func plan(t *testing.T, dir string, n, batch, groups int) *Job {
	t.Helper()
	j, err := Draft(dir, "", "cert revoke", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if ok, err := j.Plan().Add(Item{Key: fmt.Sprint(10001 + i), Group: fmt.Sprint("group", i%groups)}, Facts{}); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	j.Header.Batch = batch
	if err := j.Freeze(); err != nil {
		t.Fatal(err)
	}
	return j
}
