package bulk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// once proves that each of n items was written once, or refused.
func (w *world) once(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		key := strconv.Itoa(10001 + i)
		if got := w.executed[key]; got != 1 && !w.refuses[key] || got > 1 {
			t.Errorf("%s was written %d times", key, got)
		}
	}
}

// Runs with faults, stops and kills, one after the other until the job is
// finished: nothing is written twice, every item is told of once in each run
// that ends, and the journal says what the run knew.
func TestRandomRuns(t *testing.T) {
	for seed := range uint64(120) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomRuns(t, seed) })
	}
}

func randomRuns(t *testing.T, seed uint64) {
	w := newWorld(seed)
	n, batch := 1+w.rnd.IntN(120), 1+w.rnd.IntN(12)
	j := plan(t, t.TempDir(), n, batch, 1+w.rnd.IntN(3))
	for i := range n {
		w.refuses[strconv.Itoa(10001+i)] = w.chance(0.05)
	}
	w.lose, w.stop = w.rnd.Float64()*0.4, w.rnd.Float64()*0.1
	for try := 0; ; try++ {
		if try == 100 {
			w.lose, w.stop = 0, 0
		}
		w.onDisk(t, j)
		if w.killAt = 0; try < 50 && w.chance(0.4) {
			w.killAt = 1 + w.rnd.IntN(2+2*n/batch)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		f := &write{w: w, together: w.chance(0.5)}
		if at := w.rnd.IntN(40); w.chance(0.3) {
			var mu sync.Mutex
			f.sent = func() {
				mu.Lock()
				defer mu.Unlock()
				if at--; at == 0 {
					cancel(exit.New(exit.Interrupted, "", "interrupted"))
				}
			}
		}
		o := Options{Parallel: []int{1, 4}[w.rnd.IntN(2)], Signers: 1 + w.rnd.IntN(2)}
		before := slices.Clone(j.state)
		told := map[int]int{}
		stop := j.Run(ctx, f, o, func(r Result) { told[r.Index]++ })
		cancel(nil)
		if w.killed {
			j = killed(t, w, j)
			continue
		}
		for i := range n {
			want := 1
			if before[i] > under {
				want = 0 // it stood
			}
			if told[i] != want {
				t.Fatalf("run %d, stopped by %v: item %d, %d before, was told of %d times", try, stop, i, before[i], told[i])
			}
		}
		live, wrongs, made := slices.Clone(j.state), len(j.wrong), len(j.made)
		finished := j.Finished()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if j, err = Open(j.dir); err != nil {
			t.Fatal(err)
		}
		for i, s := range live {
			// What was asked for and not sent is looked at again by the next run.
			if s != j.state[i] && (s != open || j.state[i] != under) {
				t.Fatalf("run %d: item %d is %d, by the journal %d", try, i, s, j.state[i])
			}
		}
		if len(j.made) != made || finished && len(j.wrong) < wrongs {
			t.Fatalf("run %d: the journal lacks what was made, or what was wrong", try)
		}
		if finished {
			break
		}
	}
	w.once(t, n)
	if w.early > 0 {
		t.Errorf("%d requests left before the journal had them on disk", w.early)
	}
	_ = j.Close()
}

// killed is what the next run finds.
func killed(t *testing.T, w *world, j *Job) *Job {
	t.Helper()
	_ = j.Close()
	if err := os.WriteFile(filepath.Join(j.dir, JournalFile), w.left(), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(j.dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range again.state {
		if s == open && w.executed[strconv.Itoa(10001+i)] > 0 {
			t.Fatalf("item %d was written before the journal knew of it", i)
		}
	}
	return again
}

// Many batches that wait for each other, and what ends them at any moment.
func TestTogetherEnds(t *testing.T) {
	for _, parallel := range []int{1, 4} {
		for stopAt := range 30 {
			w := newWorld(uint64(stopAt))
			w.lose = 0.2
			j := plan(t, "", 600, 1, 1) // more than may be under way
			ctx, cancel := context.WithCancelCause(t.Context())
			var mu sync.Mutex
			left := stopAt * 25
			f := &write{w: w, together: true, sent: func() {
				mu.Lock()
				defer mu.Unlock()
				if left--; left == 0 {
					cancel(exit.New(exit.Interrupted, "", "interrupted"))
				}
			}}
			told := 0
			_ = j.Run(ctx, f, Options{Parallel: parallel}, func(Result) { told++ })
			cancel(nil)
			if told != 600 {
				t.Errorf("parallel %d, stopped after %d requests: %d of 600 were told of", parallel, stopAt*25, told)
			}
		}
	}
}

// The first few are the same however often a run begins with them, and the
// journal knows whether the others may follow.
func TestFirst(t *testing.T) {
	w := newWorld(1)
	j := plan(t, "", 25, 4, 2)
	j.Header.Pilot = 10
	for _, first := range []int{10, 10, 0} {
		want := first
		if first == 0 {
			if err := j.PassPilot(time.Now()); err != nil {
				t.Fatal(err)
			}
			want = 25
		}
		if err := j.Run(t.Context(), &write{w: w}, Options{First: first}, func(r Result) {
			if r.Outcome != Done {
				t.Errorf("%s: %s, %v", r.Key, r.Outcome, r.Err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(w.executed) != want {
			t.Errorf("%d were written; want %d", len(w.executed), want)
		}
	}
	if !j.Finished() || j.PilotDue() {
		t.Error("something is left")
	}
	w.once(t, 25)
	if few, err := j.First(3); err != nil || len(few) != 3 || few[2].Key != "10003" || few[2].Outcome != Done {
		t.Errorf("the first three: %v, %v", few, err)
	}
}

// A rate holds the second batch back, and whoever interrupts the wait is heard.
func TestRate(t *testing.T) {
	w := newWorld(1)
	j := plan(t, "", 10, 5, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	interrupted := exit.New(exit.Interrupted, "", "interrupted")
	counts := Counts{}
	err := j.Run(ctx, &write{w: w, sent: func() { cancel(interrupted) }}, Options{Rate: 1}, func(r Result) { counts.Add(r.Outcome) })
	if !errors.Is(err, interrupted) || counts[Done] != 5 || counts[Skipped] != 5 || w.calls != 1 {
		t.Errorf("%v, %v, %d calls", err, counts, w.calls)
	}
}

// Batches are read back by fifties, and by ever fewer when no more are to come.
func TestFewerTogetherTowardsTheEnd(t *testing.T) {
	for _, c := range []struct {
		parked, alive int
		fed, want     bool
	}{
		{49, 256, false, false},
		{50, 256, false, true},
		{30, 50, false, false}, // more are to come
		{49, 256, true, false},
		{30, 70, true, false},
		{30, 60, true, true},
		{8, 16, true, true},
		{7, 14, true, false}, // few: they wait for the last
	} {
		r := &run{j: &Job{Header: Header{Batch: 100}}, maxAlive: 256, parked: make([]parked, c.parked), alive: c.alive, fed: c.fed}
		if got := r.enough(); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// unread is a write whose items cannot all be read.
type unread struct {
	write
	key  string // that of the one
	then func()
}

func (u *unread) Settle(_ context.Context, items []Item, _ time.Time, _ func(Result)) (rest []Item, err error) {
	for _, it := range items {
		if it.Key == u.key {
			err = errLost
		} else {
			rest = append(rest, it)
		}
	}
	u.then()
	return rest, err
}

// One item that cannot be read holds up no other: what was read as unchanged is
// sent, or noted where the run ends before, and what the run says is what the
// journal says.
func TestOneUnread(t *testing.T) {
	for _, c := range []struct {
		ends bool // behind the first batch
		want Counts
	}{{false, Counts{Done: 19, Unknown: 1}}, {true, Counts{Unknown: 11, Skipped: 9}}} {
		j := plan(t, t.TempDir(), 20, 5, 1)
		at := time.Now()
		for b := range 3 { // of four batches
			if err := j.out.append(record{Type: recSent, At: at, Batch: b + 1, Indexes: ranges{{5 * b, 5*b + 4}}}, false); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j, err := Open(j.Dir())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := &unread{write{w: newWorld(1)}, "10002", func() {
			if c.ends {
				cancel()
			}
		}}
		if err := j.Run(ctx, w, Options{Parallel: 1}, func(Result) {}); err == nil {
			t.Error("ended well")
		}
		said := j.Counts()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := Read(j.Dir())
		if err != nil {
			t.Fatal(err)
		}
		if noted := again.Counts(); !maps.Equal(said, noted) || !maps.Equal(noted, c.want) {
			t.Errorf("ends %t: said %v, noted %v, want %v", c.ends, said, noted, c.want)
		}
		_ = again.Close()
	}
}
