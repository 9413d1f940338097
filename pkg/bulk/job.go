package bulk

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/cmctl/cmctl/pkg/exit"
)

// lockFile is locked by the process that is at work on a job.
const lockFile = "lock"

// Job is a plan and its journal: one write on many items, from its first
// question to its last answer, over as many runs as it takes.
type Job struct {
	Header Header

	dir     string // empty: in memory
	store   store
	out     *appender
	lock    *flock.Flock
	builder *Builder
	chunks  []chunk
	state   []state // of each item
	pending []pendingBatch
	wrong   map[int]*Recorded
	made    map[int]string
	unsent  *Recorded // why this run sent nothing for what is open
	runs    int
	batches int
	ended   *End
}

// chunk is where a record of items is in the journal.
type chunk struct {
	at, size int64
	first, n int
}

// state is what the journal knows of one item.
type state byte

const (
	open    state = iota // nothing was sent for it
	under                // asked or sent, and not answered
	done                 // and the other outcomes that stand
	already              //
	failed               //
)

// pendingBatch is a batch that was asked or sent and has items without answer.
type pendingBatch struct {
	number int
	at     time.Time
	sent   bool // with a signature
	items  []int
}

// End is how the last run of a job ended.
type End struct {
	At   time.Time
	Exit int
	Why  string
}

// CheckName refuses a name that is no plain name of a folder.
func CheckName(name string) error {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
	if name == "" || len(name) > 100 || name[0] == '.' || name[0] == '-' || strings.Trim(name, letters) != "" {
		return exit.Usagef("letters, digits, dots, hyphens and underscores", "--job %q: expected a plain name", name)
	}
	return nil
}

// Draft starts a plan below dir, the folder of all jobs; with dir empty it is
// kept in memory, for what need not survive. name may be empty: it is made of
// the verb and the time. A draft that is discarded leaves nothing behind.
func Draft(dir, name, verb string, now time.Time) (*Job, error) {
	j := &Job{Header: Header{Job: name, Verb: verb, Created: now.UTC()}, wrong: map[int]*Recorded{}, made: map[int]string{}}
	if dir == "" {
		j.store = &memory{}
		j.out = newAppender(j.store, "", 0)
		return j, j.begin()
	}
	if name == "" {
		var unique [2]byte
		_, _ = rand.Read(unique[:])
		j.Header.Job = filepath.Base(verb2name(verb)) + "-" + now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(unique[:])
	} else if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, exit.New(exit.Failure, "", "the folder of journals: %w", err)
	}
	j.dir = filepath.Join(dir, j.Header.Job)
	if err := os.Mkdir(j.dir, 0o700); errors.Is(err, fs.ErrExist) {
		return nil, exit.Usagef("`cmctl job show "+j.Header.Job+"` tells how it stands; `cmctl job resume` goes on with it", "there is a job %s already", j.Header.Job)
	} else if err != nil {
		return nil, exit.New(exit.Failure, "", "the folder of the job: %w", err)
	}
	path := filepath.Join(j.dir, JournalFile)
	file, err := openAppend(path, true)
	if err == nil {
		j.store, j.out = file, newAppender(file, path, 0)
		err = j.acquire()
	}
	if err == nil {
		err = j.begin()
	}
	if err != nil {
		j.Discard()
		return nil, err
	}
	return j, nil
}

func verb2name(verb string) string {
	b := []byte(verb)
	for i := range b {
		if b[i] == ' ' {
			b[i] = '-'
		}
	}
	return string(b)
}

func (j *Job) begin() (err error) {
	j.builder, err = newBuilder(j.out)
	return err
}

// acquire takes the job for this process.
func (j *Job) acquire() error {
	j.lock = flock.New(filepath.Join(j.dir, lockFile), flock.SetPermissions(0o600))
	ok, err := j.lock.TryLock()
	switch {
	case err != nil:
		return exit.New(exit.Failure, "", "the job %s cannot be locked: %w", j.Header.Job, err)
	case !ok:
		return exit.Usagef("wait until it has ended", "another run is at work on the job %s", filepath.Base(j.dir))
	}
	return nil
}

// Plan takes the items of a draft.
func (j *Job) Plan() *Builder { return j.builder }

// Dir is the job's folder; empty for one in memory.
func (j *Job) Dir() string { return j.dir }

// Freeze ends the draft: the plan and what it is bound to stand from now on.
func (j *Job) Freeze() error {
	if err := j.builder.freeze(&j.Header); err != nil {
		return err
	}
	j.chunks, j.state = j.builder.chunks, make([]state, j.Header.Items)
	j.builder = nil
	if j.dir != "" {
		if err := syncFolder(j.dir); err != nil {
			return exit.New(exit.Failure, "", "the journal: %w", err)
		}
		if err := syncFolder(filepath.Dir(j.dir)); err != nil {
			return exit.New(exit.Failure, "", "the journal: %w", err)
		}
	}
	return nil
}

// Discard throws a draft away.
func (j *Job) Discard() {
	_ = j.Close() // what it lacks goes with it
	if j.dir != "" {
		_ = os.RemoveAll(j.dir)
	}
}

// Close writes what is queued and lets the job go. An error means that the
// journal lacks something.
func (j *Job) Close() error {
	if j.store == nil {
		return nil
	}
	err := j.out.flushAll()
	if cerr := j.store.Close(); err == nil {
		err = cerr
	}
	j.store = nil
	if j.lock != nil {
		_ = j.lock.Unlock()
	}
	return err
}

// Open takes up a job to go on with it: by the path of its folder or journal.
// A last line that a crash has torn is cut off.
func Open(path string) (*Job, error) { return openJob(path, true) }

// Read takes up a job to look at it; another run may be at work on it.
func Read(path string) (*Job, error) { return openJob(path, false) }

func openJob(path string, write bool) (*Job, error) {
	if filepath.Base(path) != JournalFile {
		path = filepath.Join(path, JournalFile)
	}
	j := &Job{dir: filepath.Dir(path), wrong: map[int]*Recorded{}, made: map[int]string{}}
	j.Header.Job = filepath.Base(j.dir)
	var file *os.File
	var err error
	if write {
		file, err = openAppend(path, false)
	} else {
		file, err = os.Open(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.New(exit.NotFound, "`cmctl job list` shows those there are", "there is no job %s", filepath.Base(filepath.Dir(path)))
	} else if err != nil {
		return nil, exit.New(exit.Failure, "", "the journal: %w", err)
	}
	j.store = file
	j.out = newAppender(file, path, 0)
	if write {
		if err := j.acquire(); err != nil {
			_ = file.Close()
			return nil, err
		}
	}
	size, err := j.replay()
	if err == nil && j.Header.Items == 0 {
		err = errors.New("its plan was never finished, and nothing was sent")
	}
	if err != nil {
		_ = j.Close()
		return nil, exit.New(exit.Usage, "", "the journal %s cannot be used: %w", path, err)
	}
	if write {
		if err := file.Truncate(size); err != nil {
			_ = j.Close()
			return nil, exit.New(exit.Failure, "", "the journal %s: %w", path, err)
		}
	}
	j.out = newAppender(file, path, size)
	return j, nil
}

// replay reads the journal from its start.
func (j *Job) replay() (int64, error) {
	j.chunks, j.state, j.pending = nil, nil, nil
	n := 0
	defer j.lastOnly()
	return scan(j.store, func(r *record, at, size int64) error {
		if r.Type != recStart && r.Type != recItems && r.Type != recExcluded && r.Type != recJob && j.state == nil {
			return errors.New("steps before the plan was frozen")
		}
		switch r.Type {
		case recItems:
			j.chunks = append(j.chunks, chunk{at, size, n, len(r.Items)})
			n += len(r.Items)
		case recJob:
			if r.Job == nil || r.Job.Items != n {
				return fmt.Errorf("the plan has %d items, and its header says otherwise", n)
			}
			name := j.Header.Job
			j.Header = *r.Job
			if j.dir != "" {
				j.Header.Job = name // a folder may have been moved
			}
			j.state = make([]state, n)
		case recRun:
			j.runs++
			j.ended = nil
		case recEnd:
			j.ended = &End{r.At, r.Exit, r.Reason}
		case recAsked, recSent, recAnswered:
			if !r.Indexes.within(n) || !r.Done.within(n) || !r.Already.within(n) || !r.Skipped.within(n) {
				return errors.New("it names items that the plan does not have")
			}
			return j.step(r)
		}
		return nil
	})
}

// step takes one step of a batch in.
func (j *Job) step(r *record) error {
	j.batches = max(j.batches, r.Batch)
	if r.Type != recAnswered {
		p := pendingBatch{number: r.Batch, at: r.At, sent: r.Type == recSent}
		r.Indexes.each(func(i int) {
			if j.state[i] <= under {
				j.state[i] = under
				p.items = append(p.items, i)
			}
		})
		j.drop(r.Batch)
		j.pending = append(j.pending, p)
		return nil
	}
	r.Done.each(func(i int) { j.state[i] = done })
	r.Already.each(func(i int) { j.state[i] = already })
	r.Skipped.each(func(i int) { j.state[i] = open })
	for _, w := range r.Wrong {
		if w.Index < 0 || w.Index >= len(j.state) {
			return errors.New("it names an item that the plan does not have")
		}
		if w.Outcome == Failed {
			j.state[w.Index] = failed
		}
		j.wrong[w.Index] = &Recorded{Code: w.Code, Exit: exit.Code(w.Exit), Message: w.Message}
		if w.ID != "" {
			j.made[w.Index] = w.ID
		}
	}
	for _, m := range r.Made {
		j.made[m.Index] = m.ID
	}
	j.settle(r.Batch)
	return nil
}

// lastOnly keeps every item that waits for its answer in the last batch that it
// was in: an earlier one was settled, or the item would not have been sent anew.
func (j *Job) lastOnly() {
	seen := map[int]bool{}
	var waiting []pendingBatch
	for _, p := range slices.Backward(j.pending) {
		p.items = slices.DeleteFunc(p.items, func(i int) bool {
			again := seen[i] || j.state[i] != under
			seen[i] = true
			return again
		})
		if len(p.items) > 0 {
			waiting = append(waiting, p)
		}
	}
	slices.Reverse(waiting)
	j.pending = waiting
}

// drop forgets a batch that is asked or sent anew.
func (j *Job) drop(number int) {
	for k, p := range j.pending {
		if p.number == number {
			j.pending = append(j.pending[:k], j.pending[k+1:]...)
			return
		}
	}
}

// settle takes what stands out of a batch that waits for answers.
func (j *Job) settle(number int) {
	for k := range j.pending {
		if j.pending[k].number != number {
			continue
		}
		rest := j.pending[k].items[:0]
		for _, i := range j.pending[k].items {
			if j.state[i] == under {
				rest = append(rest, i)
			}
		}
		if j.pending[k].items = rest; len(rest) == 0 {
			j.drop(number)
		}
		return
	}
}

// Counts is how the items stand by the journal: what waits for its answer is
// Unknown, what nothing was sent for Skipped.
func (j *Job) Counts() Counts {
	c := Counts{}
	for _, s := range j.state {
		c.Add(s.outcome())
	}
	return c
}

func (s state) outcome() Outcome {
	switch s {
	case done:
		return Done
	case already:
		return Already
	case failed:
		return Failed
	case under:
		return Unknown
	}
	return Skipped
}

func stateOf(o Outcome) state {
	switch o {
	case Done:
		return done
	case Already:
		return already
	case Failed:
		return failed
	case Unknown:
		return under
	}
	return open
}

// Ended is how the last run ended; nil when it has not, or was killed.
func (j *Job) Ended() *End { return j.ended }

// Busy says that another process is at work on the job.
func (j *Job) Busy() bool {
	if j.dir == "" || j.lock != nil {
		return false
	}
	l := flock.New(filepath.Join(j.dir, lockFile), flock.SetFlag(os.O_RDONLY))
	ok, err := l.TryLock()
	if ok {
		_ = l.Unlock()
	}
	return err == nil && !ok
}

// Runs is how many runs have worked on the job.
func (j *Job) Runs() int { return j.runs }

// Finished says that nothing is left to send or to settle.
func (j *Job) Finished() bool {
	for _, s := range j.state {
		if s <= under {
			return false
		}
	}
	return true
}

// StillToDo says whether an item is not settled yet.
func (j *Job) StillToDo(i int) bool { return j.state[i] <= under }

// WasSent says whether something was sent for an item and no answer noted.
func (j *Job) WasSent(i int) bool { return j.state[i] == under }

// Each calls f with every item in order and how it stands. It reads the plan
// from the journal, a part at a time.
func (j *Job) Each(f func(Result) error) error {
	for k := range j.chunks {
		items, err := j.load(k)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := f(j.result(it)); err != nil {
				return err
			}
		}
	}
	return nil
}

// result is how one item stands.
func (j *Job) result(it Item) Result {
	r := Result{Item: it, Outcome: j.state[it.Index].outcome(), ID: j.made[it.Index]}
	switch w := j.wrong[it.Index]; {
	case r.Outcome.Good():
	case w != nil:
		if r.Err = w; w.refused {
			r.Outcome = Failed
		}
	case r.Outcome == Skipped && j.unsent != nil:
		r.Err = j.unsent
	}
	return r
}

// Known are the keys of the plan and of what was kept out of it.
func (j *Job) Known() (*KeySet, error) {
	s := newKeySet()
	if err := j.Each(func(r Result) error { s.add(r.Key); return nil }); err != nil {
		return nil, err
	}
	return s, j.Excluded(func(key, _ string) error { s.add(key); return nil })
}

// Excluded calls f with every item that was kept out.
func (j *Job) Excluded(f func(key, why string) error) error {
	_, err := scan(j.store, func(r *record, _, _ int64) error {
		for _, e := range r.Excluded {
			if err := f(e.Key, e.Why); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// load reads a record of items.
func (j *Job) load(k int) ([]Item, error) {
	c := j.chunks[k]
	raw := make([]byte, c.size)
	if _, err := j.store.ReadAt(raw, c.at); err != nil {
		return nil, exit.New(exit.Failure, "", "the journal %s: %w", j.out.name(), err)
	}
	r := record{Items: make([]planned, 0, c.n)}
	if err := json.Unmarshal(raw, &r); err != nil || len(r.Items) != c.n {
		return nil, exit.New(exit.Failure, "", "the journal %s: its plan has changed under the run: %w", j.out.name(), err)
	}
	items := make([]Item, c.n)
	for i, p := range r.Items {
		items[i] = Item{Index: c.first + i, Key: p.Key, Line: p.Line, Input: p.Input, Group: p.Group, Data: p.Data}
	}
	return items, nil
}

// Recorded is an error as the journal has it.
type Recorded struct {
	Code    int // the gateway's; 0: none
	Exit    exit.Code
	Message string

	refused bool // in this run, when it stopped: failed, and still to do
}

// Error is the message.
func (r *Recorded) Error() string { return r.Message }

// ExitCode is that of the error that was recorded.
func (r *Recorded) ExitCode() exit.Code { return r.Exit }

// GatewayCode is the gateway's code.
func (r *Recorded) GatewayCode() int { return r.Code }
