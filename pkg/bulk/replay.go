package bulk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cmctl/cmctl/pkg/exit"
)

// ErrUnfinished says that a job's program was killed before its plan stood.
var ErrUnfinished = errors.New("its plan was never finished, and nothing was sent")

var errCutOff = errors.New("it ends within its plan: it was cut off, or copied in part, and what it sent is not known")

// Open takes up a job to go on with it: by the path of its folder or journal.
// A last line that a crash has torn is cut off. A finished one that cannot be
// written is for reading.
func Open(path string) (*Job, error) { return openJob(path, true) }

// Read takes up a job to look at it; another run may be at work on it.
func Read(path string) (*Job, error) { return openJob(path, false) }

func openJob(path string, write bool) (*Job, error) {
	if filepath.Base(path) != JournalFile {
		path = filepath.Join(path, JournalFile)
	}
	dir, err := filepath.Abs(filepath.Dir(path)) // the run may be in another folder when it comes to the lists
	if err != nil {
		return nil, exit.New(exit.Failure, "", "the folder of the job: %w", err)
	}
	j := &Job{dir: dir, wrong: map[int]*Recorded{}, made: map[int]string{}}
	j.Header.Job = filepath.Base(dir)
	var file *os.File
	if write {
		file, err = openAppend(path, false)
	} else {
		file, err = os.Open(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.New(exit.NotFound, "`cmctl job list` shows those there are", "there is no job %s", filepath.Base(filepath.Dir(path)))
	} else if err != nil {
		if write {
			if j, rerr := Read(path); rerr == nil && j.Closed() && !j.Busy() {
				return j, nil // there is nothing to write
			} else if rerr == nil {
				_ = j.Close()
			}
		}
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
	draft := drafted(path) // before it may be frozen meanwhile
	size, err := j.replay()
	hint := "take the journal anew from where the job began, or from a backup; what is done already, the gateway tells: `cmctl cert show`"
	if err == nil && j.Header.Items == 0 {
		if err = errCutOff; draft {
			hint, err = "begin anew: `--job "+j.Header.Job+"` takes its place", ErrUnfinished
		}
	}
	if err != nil {
		_ = j.Close()
		return nil, exit.New(exit.Usage, hint, "the journal %s cannot be used: %w", path, err)
	}
	if write {
		if draft { // killed while it was frozen
			_ = os.Remove(filepath.Join(j.dir, draftFile))
		}
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
	sum := sha256.New()
	defer j.lastOnly()
	return scan(j.store, func(r *record, at, size int64) error {
		if r.Type != recStart && r.Type != recItems && r.Type != recExcluded && r.Type != recJob && j.state == nil {
			return errors.New("steps before the plan was frozen")
		}
		switch r.Type {
		case recItems:
			if j.state != nil {
				return errors.New("items behind the header: its plan was changed after it was frozen")
			}
			for _, it := range r.Items {
				data := it.Data
				if it.Late {
					data = nil
				}
				digest(sum, it.Key, it.Group, data)
			}
			j.chunks = append(j.chunks, chunk{at: at, size: size, first: n, n: len(r.Items)})
			n += len(r.Items)
		case recJob:
			if r.Job == nil || r.Job.Items != n {
				return fmt.Errorf("the plan has %d items, and its header says otherwise", n)
			}
			if got := hex.EncodeToString(sum.Sum(nil)); got != r.Job.SHA256 {
				return fmt.Errorf("its plan was changed after it was frozen: the items and reasons have the SHA-256 %s, and the header %s", got, r.Job.SHA256)
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
			j.anew()
		case recPilot:
			j.passed = true
		case recEnd:
			j.ended = &End{r.At, r.Exit, r.Reason, r.Closed}
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
		j.forget(r.Batch, p.items)
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
		switch {
		case w.Moment:
			j.state[w.Index] = open
		case w.Outcome == Failed:
			j.state[w.Index] = failed
		}
		j.wrong[w.Index] = &Recorded{Code: w.Code, Exit: exit.Code(w.Exit), Message: w.Message, refused: w.Moment}
		if w.ID != "" {
			j.made[w.Index] = w.ID
		}
	}
	for _, m := range r.Made {
		j.made[m.Index] = m.ID
	}
	j.forget(r.Batch, nil)
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

// forget takes out of what waits for the answer to a batch the items that are
// sent anew and those that stand. A batch that is sent anew may leave items
// behind, of which nobody could tell what became of them: they wait on.
func (j *Job) forget(number int, anew []int) {
	again := make(map[int]bool, len(anew))
	for _, i := range anew {
		again[i] = true
	}
	waiting := j.pending[:0]
	for _, p := range j.pending {
		if p.number == number {
			p.items = slices.DeleteFunc(p.items, func(i int) bool { return again[i] || j.state[i] != under })
		}
		if len(p.items) > 0 {
			waiting = append(waiting, p)
		}
	}
	j.pending = waiting
}
