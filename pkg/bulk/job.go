package bulk

import (
	"os"
	"path/filepath"
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
	passed  bool // the pilot has
}

// chunk is where a record of items is in the journal.
type chunk struct {
	at, size int64
	first, n int
	items    []Item // of a plan just made, unless it is long; else they are read when they are wanted
}

// pendingBatch is a batch that was asked or sent and has items without answer.
type pendingBatch struct {
	number int
	at     time.Time
	sent   bool // with a signature
	items  []int
}

// End is how the last run of a job ended.
type End struct {
	At     time.Time
	Exit   int
	Why    string
	Closed bool // nothing stopped it, and what comes behind the last item was done
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

// Dir is the job's folder; empty for one in memory.
func (j *Job) Dir() string { return j.dir }

// Close writes what is queued and lets the job go. An error means that the
// journal lacks something.
func (j *Job) Close() error {
	if j.store == nil {
		if j.lock != nil { // of a draft that never had a journal
			_ = j.lock.Unlock()
		}
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

// Ended is how the last run ended; nil when it has not, or was killed.
func (j *Job) Ended() *End { return j.ended }

// Closed says that nothing is left of the job: all items are settled, and what
// comes behind the last of them was done.
func (j *Job) Closed() bool { return j.Finished() && j.ended != nil && j.ended.Closed }

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

// PilotDue says that the others may not follow the pilot yet.
func (j *Job) PilotDue() bool { return j.Header.Pilot > 0 && !j.passed }

// PassPilot notes that they may.
func (j *Job) PassPilot(at time.Time) error {
	j.passed = true
	return j.out.append(record{Type: recPilot, At: at.UTC()}, true)
}

// Runs is how many runs have worked on the job.
func (j *Job) Runs() int { return j.runs }
