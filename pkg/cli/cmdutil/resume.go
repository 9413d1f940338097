package cmdutil

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

// notKept are the flags that say how one run is to behave, or guarded the plan
// when it was made: a run that goes on says its own.
var notKept = []string{
	"yes", "expect", "max", "expect-sha256", "dry-run", "check", "job", "comment", "ticket", "output", "columns", "sort", "csv-safe", "no-header", "no-color", "jq",
	"no-input", "debug", "quiet", "pin-entries", "pin-final-try", "deadline",
}

// keptFlags are the flags and arguments that the verb was called with, as far
// as a run that goes on needs them.
func (f *Factory) keptFlags() (map[string][]string, []string) {
	kept := map[string][]string{}
	f.flags.Visit(func(fl *pflag.Flag) {
		if slices.Contains(notKept, fl.Name) {
			return
		}
		kept[fl.Name] = []string{fl.Value.String()}
		if list, ok := fl.Value.(pflag.SliceValue); ok {
			kept[fl.Name] = list.GetSlice()
		}
	})
	return kept, f.args
}

// Resuming says that the verb goes on with a job: its plan stands.
func (f *Factory) Resuming() bool { return f.resumed != nil }

// Resumed is the job that the verb goes on with.
func (f *Factory) Resumed() *bulk.Job { return f.resumed }

// StillToDo tells the items, by index, that the run may come to; nil: all.
func (f *Factory) StillToDo() func(int) bool {
	if f.resumed == nil {
		return nil
	}
	return f.resumed.StillToDo
}

// WasSent tells the items, by index, that an earlier run sent something for and
// had no answer of; nil: there was none.
func (f *Factory) WasSent() func(int) bool {
	if f.resumed == nil {
		return nil
	}
	return f.resumed.WasSent
}

// Resume goes on with a job by the verb that began it; of one that is finished
// it prints what the verb prints when there is nothing to do. asOfficer allows
// another officer than the one who began.
func (f *Factory) Resume(ctx context.Context, j *bulk.Job, asOfficer bool) error {
	h := &j.Header
	flags := map[string][]string{}
	for name, values := range h.Flags {
		flags[name] = values
	}
	if _, given := h.Flags["context"]; !given { // the current context may be another by now
		f.begun = config.Begun{Context: h.Context, Origin: "the job " + h.Job}
	}
	for name := range flags {
		if _, given := f.Flag(name); given {
			delete(flags, name) // said anew
		}
	}
	if err := f.absoluteFlags(); err != nil {
		return err
	}
	f.Env = config.AbsoluteEnv(f.Env)
	if h.Folder != "" {
		_ = os.Chdir(h.Folder) // not there on another machine: then names are relative to where we are
	}
	if err := f.checkContext(h); err != nil {
		return err
	}
	f.resumed, f.asOfficer = j, asOfficer
	cmd, err := f.Verb(ctx, h.Verb, flags, h.Args)
	if err != nil {
		return err
	}
	if j.Finished() && !j.Closed() && !h.Closes { // what the verb needs may be gone, and is not needed
		if err := j.CloseUp(f.Now()); err != nil {
			return err
		}
	}
	if j.Closed() {
		for _, l := range Exclusions(h.Summary) {
			f.Notice("%s", l)
		}
		f.Notice("the job %s is finished: %s", h.Job, CountsText(j.Counts()))
		return f.printNone(ColumnsOf(cmd))
	}
	return cmd.RunE(cmd, h.Args)
}

// checkContext tells of a job's context that is no longer there: most likely it
// was given another name.
func (f *Factory) checkContext(h *bulk.Header) error {
	if _, given := f.Flag("context"); given || h.Context == "" {
		return nil // said anew, or there was none
	}
	file, err := f.ConfigFile()
	if err != nil {
		return err
	}
	names := file.Names()
	if slices.Contains(names, h.Context) {
		return nil
	}
	hint := "--context NEWNAME says what it is called now"
	if len(names) > 0 {
		hint += "; contexts are " + strings.Join(names, ", ")
	}
	return exit.Usagef(hint, "the job %s began with the context %q, and there is none of that name", h.Job, h.Context)
}

// absoluteFlags makes the files that this command line names mean the same in
// the job's folder.
func (f *Factory) absoluteFlags() (err error) {
	f.flags.Visit(func(fl *pflag.Flag) {
		abs, aerr := config.Absolute(fl.Name, fl.Value.String())
		if aerr == nil && abs != fl.Value.String() {
			aerr = reset(fl, abs)
		}
		err = errors.Join(err, aerr)
	})
	return err
}

// ClearUp takes away the temporary files that a killed run of a job left: nobody
// else works on it now.
func (f *Factory) ClearUp(j *bulk.Job) {
	if f.files.mark = j.Header.Mark; f.files.mark == "" {
		return
	}
	if err := f.files.clear(j.Header.Marked); err != nil {
		f.Warn("what an earlier run left behind: %v", err)
	}
}

// checkBound refuses to go on with a job at another gateway, with another trust
// in it, or as another officer.
func (f *Factory) checkBound(ctx context.Context, j *bulk.Job) error {
	var now bulk.Header
	if err := f.bind(ctx, &now); err != nil {
		return err
	}
	then := &j.Header
	switch {
	case now.Server != then.Server:
		return exit.Usagef("give the context of the job with --context, or its --server", "the job %s is of %s, and this is %s", then.Job, then.Server, now.Server)
	case now.CA != then.CA:
		return exit.Usagef("the certificates in --ca-file must be those that the job began with", "the job %s trusts other certificates for the gateway", then.Job)
	case now.Officer != then.Officer && !f.asOfficer:
		return exit.Usagef("to go on as the first, name the key that it began with, by flag or variable as then; --as-officer hands the job over to this officer", "the job %s is of %s, and this is %s", then.Job, output.Escape(then.Name), output.Escape(now.Name))
	}
	f.runAs = &now
	return nil
}

// officerOfRun is who signs this run of a job: fingerprint and name.
func (f *Factory) officerOfRun(j *bulk.Job) (sha, name string) {
	if f.runAs != nil {
		return f.runAs.Officer, f.runAs.Name
	}
	return j.Header.Officer, j.Header.Name
}

// printNone prints no records of a noun with such columns: an empty array where
// JSON is wanted, a header where there is one.
func (f *Factory) printNone(c output.Columns) error {
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	none := output.Noun[struct{}]{Name: "record"}
	for _, name := range c.TSV {
		none.Fields = append(none.Fields, output.Field[struct{}]{Name: name})
	}
	for _, name := range c.More {
		none.Fields = append(none.Fields, output.Field[struct{}]{Name: name, Where: output.InWide})
	}
	return output.Print(none, opt)
}
