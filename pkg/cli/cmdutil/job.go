package cmdutil

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/kballard/go-shellquote"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// JobsDir is the folder of all jobs.
func (f *Factory) JobsDir() (string, error) {
	state := config.StateDir(f.Env)
	if state == "" {
		return "", exit.New(exit.Failure, "set CMCTL_STATE_DIR to a folder of yours", "there is no state folder to keep a journal in")
	}
	return filepath.Join(state, "jobs"), nil
}

// JobRef is how a command names a job: by its name, or by its path where it is
// in another folder than the jobs of this machine.
func (f *Factory) JobRef(j *bulk.Job) string {
	at, err := filepath.Abs(j.Dir())
	if err != nil {
		at = j.Dir()
	}
	name := filepath.Base(at)
	if dir, err := f.JobsDir(); err == nil {
		if dir, err = filepath.Abs(dir); err == nil && filepath.Join(dir, name) == at {
			return name
		}
	}
	return shellquote.Join(at)
}

// NewJob makes the plan of a write and freezes it: fill puts the items in, ask
// checks their number and asks the officer. A write on a single item needs no
// journal, unless it has a name or something is to be noted: run it again. When
// anything fails before the plan is frozen, nothing is left of it.
// A job that goes on has its plan already and was asked for.
func (f *Factory) NewJob(ctx context.Context, verb string, flags JobFlags, single bool, fill, ask func(*bulk.Job) error) (*bulk.Job, error) {
	if f.resumed != nil {
		return f.resumed, f.checkBound(ctx, f.resumed)
	}
	dir := ""
	if !single || flags.Job+flags.Comment+flags.Ticket != "" {
		var err error
		if dir, err = f.JobsDir(); err != nil {
			return nil, err
		}
	}
	j, err := bulk.Draft(dir, flags.Job, verb, f.Now())
	if err != nil {
		return nil, err
	}
	h := &j.Header
	h.Comment, h.Ticket, h.Drill, h.Verify = flags.Comment, flags.Ticket, flags.Drill, string(flags.Verify)
	h.Flags, h.Args = f.keptFlags()
	h.Folder, _ = os.Getwd()
	h.Mark, h.Marked = f.files.made()
	if err := f.files.Try(func() error {
		for _, step := range []func() error{
			func() error { return fill(j) }, // before a key is opened: most of what may be wrong is wrong here
			func() error { return flags.CheckDigest(j.Plan()) },
			func() error { return f.bind(ctx, h) },
			func() error { return ask(j) },
			func() error { h.Remarks = f.remarks; return j.Freeze() },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		j.Discard()
		return nil, err
	}
	return j, nil
}

// bind notes gateway and officer in a job's header.
func (f *Factory) bind(ctx context.Context, h *bulk.Header) error {
	s, err := f.Settings()
	if err != nil {
		return err
	}
	officer, err := f.Officer(ctx)
	if err != nil {
		return err
	}
	if h.Context, h.Server = s.ContextName, s.Server; h.Batch == 0 { // a verb may take one at a time
		h.Batch = s.Batch
	}
	sum := sha256.Sum256(officer.Leaf.Raw)
	h.Officer, h.Name = hex.EncodeToString(sum[:]), pki.DN(officer.Leaf.RawSubject)
	h.CA, err = caDigest(s.CAFile)
	return err
}

// caDigest tells the certificates that are trusted for a gateway.
func caDigest(path string) (string, error) {
	if path == "" {
		return "system", nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", exit.Usagef("", "the CA file: %w", err)
	}
	certs, err := pki.ReadCertificates(path, data)
	if err != nil {
		return "", exit.Usagef("", "the CA file: %w", err)
	}
	sum := sha256.New()
	for _, c := range certs {
		sum.Write(c.Raw)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
