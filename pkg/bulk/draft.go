package bulk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// draftFile is in the folder of a job until its plan is frozen. A journal that
// ends within its plan and has none beside it was cut off, and may have sent
// anything.
const draftFile = "draft"

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
		j.out.draft = true
		return j, j.begin()
	}
	if name == "" {
		var unique [2]byte
		_, _ = rand.Read(unique[:])
		j.Header.Job = strings.ReplaceAll(verb, " ", "-") + "-" + now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(unique[:])
	} else if err := CheckName(name); err != nil {
		return nil, err
	}
	cannot := func(what string, err error) error {
		return exit.New(exit.Failure, "CMCTL_STATE_DIR names another folder for journals", "nothing was sent: %s: %w", what, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, cannot("the folder of journals", err)
	}
	j.dir = filepath.Join(dir, j.Header.Job)
	path := filepath.Join(j.dir, JournalFile)
	if err := os.Mkdir(j.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, cannot("the folder of the job", err)
	}
	if err := j.acquire(); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); err == nil && !abandoned(path) {
		_ = j.lock.Unlock()
		return nil, taken(j.Header.Job)
	}
	err := os.WriteFile(filepath.Join(j.dir, draftFile), nil, 0o600)
	var file *os.File
	if err == nil {
		if err = os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			file, err = openAppend(path, true)
		}
	}
	if err != nil {
		err = cannot("the journal cannot be made", err)
	} else {
		j.store, j.out = file, newAppender(file, path, 0)
		j.out.draft = true
		err = j.begin()
	}
	if err != nil {
		j.Discard()
		return nil, err
	}
	return j, nil
}

// abandoned tells a journal whose plan was never finished, since its program was
// killed: nothing was sent, and nobody is at work on it. One that is damaged is
// none.
func abandoned(path string) bool {
	if !drafted(path) {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	_, err = scan(file, func(r *record, _, _ int64) error {
		if r.Type != recStart && r.Type != recItems && r.Type != recExcluded {
			return errors.New("it was finished")
		}
		return nil
	})
	return err == nil
}

// drafted tells a journal beside which it says that the plan is being made.
func drafted(path string) bool {
	_, err := os.Lstat(filepath.Join(filepath.Dir(path), draftFile))
	return err == nil
}

// CheckFree refuses the name of a job that is there.
func CheckFree(dir, name string) error {
	path := filepath.Join(dir, name, JournalFile)
	if _, err := os.Lstat(path); err != nil || abandoned(path) {
		return nil //nolint:nilerr // not there, or for Draft to find out
	}
	return taken(name)
}

func taken(name string) error {
	return exit.Usagef("`cmctl job show "+name+"` tells how it stands; `cmctl job resume "+name+"` goes on with it", "there is a job %s already", name)
}

func (j *Job) begin() (err error) {
	j.builder, err = newBuilder(j.out)
	return err
}

// Plan takes the items of a draft.
func (j *Job) Plan() *Builder { return j.builder }

// Freeze ends the draft: the plan and what it is bound to stand from now on.
func (j *Job) Freeze() error {
	if err := j.builder.freeze(&j.Header); err != nil {
		return err
	}
	j.out.draft = false
	j.chunks, j.state = j.builder.chunks, make([]state, j.Header.Items)
	j.builder = nil
	if j.dir != "" {
		for _, step := range []func() error{
			func() error { return os.Remove(filepath.Join(j.dir, draftFile)) },
			func() error { return syncFolder(j.dir) },
			func() error { return syncFolder(filepath.Dir(j.dir)) },
		} {
			if err := step(); err != nil {
				return exit.New(exit.Failure, "", "the journal: %w", err)
			}
		}
	}
	return nil
}

// Discard throws a draft away. Its folder goes while it is locked, where a file
// that is open can be removed: the next of that name takes up what is left of it.
func (j *Job) Discard() {
	if j.dir != "" {
		_ = os.RemoveAll(j.dir)
	}
	_ = j.Close() // what it lacks goes with it
	if j.dir != "" && runtime.GOOS == "windows" {
		_ = os.RemoveAll(j.dir)
	}
}
