package reg

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
)

// writeOptions are what create and update share.
type writeOptions struct {
	f *cmdutil.Factory

	procedure, regtype string
	input              input
	from               string
	exclude            []string
	dryRun             bool
	limits             cmdutil.Limits
	job                cmdutil.JobFlags

	out   []cmdutil.KeptOut // what --exclude keeps out
	fewer bool              // and more is left out after it was looked up
}

func (o *writeOptions) addFlags(cmd *cobra.Command, usageOfType, usageOfFrom, usageOfExclude string) {
	addTypeFlag(cmd, &o.regtype, usageOfType)
	o.input.addFlags(cmd)
	cmd.Flags().StringVar(&o.from, "from", "", usageOfFrom)
	cmdutil.AddExcludeFlag(cmd, &o.exclude, "leave out what a CSV list `file` names in a column "+usageOfExclude)
	cmdutil.AddDryRunFlag(cmd, &o.dryRun, "look every registration up and print what would become of it; nothing is made, signed or sent", prospectNoun.Columns())
	cmdutil.AddLimitFlags(cmd, &o.limits)
	cmdutil.AddJobFlags(cmd, &o.job, false)
}

// begun is a write of which all that can be checked here was checked.
type begun struct {
	client    *cmapi.Client
	at        ops.RegistrationPlace
	procedure string // its name
	devices   []device
	keep      *keeper
}

// begin reads and checks what is to be written, makes the secrets that are to
// be made, and finds the procedure. The caller discards keep.
func (o *writeOptions) begin(ctx context.Context, read func(cmapi.RegistrationKind) ([]device, error)) (b begun, err error) {
	f := o.f
	if _, err := f.OutputOptions(); err != nil {
		return b, err
	}
	if err := o.job.Check(f); err != nil {
		return b, err
	}
	if o.dryRun {
		f.Files().DryRun()
	}
	b.at.Kind = cmapi.KindOfRegistration(o.regtype)
	if b.devices, err = read(b.at.Kind); err != nil {
		return b, err
	}
	if b.keep, err = newKeeper(f, o.input.secret, b.devices, o.from != ""); err != nil {
		return b, err
	}
	if !o.dryRun && !f.Resuming() && !o.fewer && len(b.devices) > 0 {
		if err := f.ReadyToSign(ctx, len(b.devices)); err != nil {
			return b, err
		}
	}
	if b.client, err = f.Client(ctx); err != nil {
		return b, err
	}
	proc, err := cmdutil.FindProcedure(ctx, b.client, o.procedure)
	if err != nil {
		return b, err
	}
	b.at.ProcID, b.procedure = proc.ID, proc.Name
	return b, nil
}

// fields are what the flags say of every registration.
func (o *writeOptions) fields(cmd *cobra.Command, kind cmapi.RegistrationKind) (cmapi.RegistrationInput, error) {
	in, err := o.input.read(cmd, kind)
	if s := o.input.secret; s != nil {
		s.dryRun = o.dryRun
	}
	return in, err
}

// list reads the list; in has what the flags say for every line.
func (o *writeOptions) list(ctx context.Context, in cmapi.RegistrationInput, w wishes) ([]device, error) {
	if s := o.input.secret; s != nil {
		if err := s.fill(ctx, o.f, &in, false); err != nil {
			return nil, err
		}
	}
	w.defaults, w.secret = in, o.input.secret
	return readDevices(o.f, o.from, w)
}

// confirm asks the question, and then keeps the secrets: they are in their file
// before anything is sent.
func (b *begun) confirm(ctx context.Context, f *cmdutil.Factory, job *bulk.Job, write cmdutil.Write) error {
	write.Items = append(write.Items, cmdutil.Exclusions(job.Plan().Summary())...)
	job.Header.Closes = b.keep != nil
	write.Noun, write.Count, write.Signatures = "registration", len(b.devices), len(b.devices)
	if err := cmdutil.Confirm(ctx, f, write); err != nil {
		return err
	}
	return b.keep.save(b.devices)
}

// allowed refuses a number of registrations that was not meant, and a question
// that nobody can be asked. A job that goes on was asked for.
func (o *writeOptions) allowed(n int) error {
	if o.f.Resuming() {
		return nil
	}
	if err := o.limits.Check(o.f, n); err != nil || o.dryRun {
		return err
	}
	return cmdutil.AskFirst(o.f)
}

// plan puts devices into a job, without their secrets: those are read again
// where they came from when the job goes on.
func plan(job *bulk.Job, devices []device, out []cmdutil.KeptOut, key func(device) string) error {
	if err := cmdutil.KeepOut(job.Plan(), out); err != nil {
		return err
	}
	for _, d := range devices {
		data, err := d.open()
		if err != nil {
			return err
		}
		if _, err := job.Plan().Add(bulk.Item{Key: key(d), Line: d.line, Input: d.named, Data: data}, bulk.Facts{}); err != nil {
			return err
		}
	}
	return nil
}

// open are the fields that are no secrets.
func (d device) open() ([]byte, error) {
	in := d.in
	in.RegID, in.Password, in.HMACKey = "", "", nil
	return json.Marshal(in)
}

// takeUp holds what was read again against the plan of the job that goes on,
// and takes from it which registration each line means, and which were excluded.
func takeUp(f *cmdutil.Factory, from string, devices []device) ([]device, error) {
	job := f.Resumed()
	if out := job.Header.Excluded; out > 0 && len(devices) == job.Header.Items+out {
		planned := map[int]bool{}
		if err := job.Each(func(r bulk.Result) error { planned[r.Line] = true; return nil }); err != nil {
			return nil, err
		}
		devices = slices.DeleteFunc(devices, func(d device) bool { return !planned[d.line] })
	}
	differs := func(line int) error {
		return exit.Usagef("give it as it was; for other registrations begin a new job", "%s is not the list that the job %s began with: line %d differs", cmdutil.InputName(from), job.Header.Job, line)
	}
	i := 0
	err := job.Each(func(r bulk.Result) error {
		if i >= len(devices) {
			return differs(r.Line)
		}
		d := &devices[i]
		i++
		data, err := d.open()
		if err != nil {
			return err
		}
		if d.line != r.Line || d.named != r.Input || string(data) != string(r.Data) {
			return differs(d.line)
		}
		switch {
		case job.Header.KeyColumn != "regid":
		case d.in.RegID == "": // it was found by its name when the job began
			d.in.RegID = r.Key
		case d.in.RegID != r.Key:
			return differs(d.line)
		}
		return nil
	})
	if err == nil && i < len(devices) {
		err = differs(devices[i].line)
	}
	return devices, err
}

func inputs(devices []device) ops.Inputs {
	return func(it bulk.Item) (cmapi.RegistrationInput, error) { return devices[it.Index].in, nil }
}

// runAll runs a job on registrations and says what became of the secrets that
// were made for them.
func runAll(ctx context.Context, f *cmdutil.Factory, job *bulk.Job, flags cmdutil.JobFlags, write bulk.Write, devices []device, keep *keeper) error {
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	record := func(r bulk.Result) (result, bool) {
		d := devices[r.Index]
		res := result{Result: r, RegID: r.ID, FQDN: d.in.FQDN}
		if d.in.RegID != "" {
			res.RegID = d.in.RegID
		}
		if res.FQDN == "" {
			res.FQDN = d.named
		}
		if d.made && mayBeUsed(r.Outcome) {
			res.File = keep.out.Path
		}
		return res, true
	}
	run := cmdutil.JobRun[result]{
		Job: job, Write: write, Noun: outcomeNoun, Record: record,
		Verb: strings.TrimPrefix(job.Header.Verb, "reg "), Name: func(r bulk.Result) string { rec, _ := record(r); return name(rec) },
		Look: "cmctl reg list",
		Finish: func() error {
			results := make([]bulk.Result, 0, len(devices))
			err := job.Each(func(r bulk.Result) error { results = append(results, r); return nil })
			return errors.Join(err, keep.finish(devices, results, func(i int) bool { return job.Dir() != "" && job.StillToDo(i) }))
		},
	}
	return run.Run(ctx, f, opt, flags)
}
