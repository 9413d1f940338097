package bulk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

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
		return nil, taken(j.Header.Job)
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

// CheckFree refuses the name of a job that is there.
func CheckFree(dir, name string) error {
	if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
		return nil //nolint:nilerr // not there, or for Draft to find out
	}
	return taken(name)
}

func taken(name string) error {
	return exit.Usagef("`cmctl job show "+name+"` tells how it stands; `cmctl job resume` goes on with it", "there is a job %s already", name)
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

// Plan takes the items of a draft.
func (j *Job) Plan() *Builder { return j.builder }

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
