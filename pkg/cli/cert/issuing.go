package cert

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// issuing is what the verbs that issue share: requests, validity, procedure,
// files, and the way from the command line to the records.
type issuing struct {
	f *cmdutil.Factory

	requests           requests
	procedure, handler string
	validFrom, validTo string
	target             target
	limits             cmdutil.Limits
	job                cmdutil.JobFlags
	dryRun             bool

	verb     string // "issue"
	describe string // "issue"
	noun     string // "certificate"

	// Steps of one verb, each nil when it has none: what is wrong with its own
	// flags, secrets to be had, and a look at the gateway before the question.
	check  func() error
	secret func(context.Context) error
	look   func(context.Context, *ops.Runner, *cmdutil.Write) error
	// issue asks for one certificate.
	issue func(context.Context, *ops.Runner, *csr, cmapi.IssueRequest) (*issued, error)
	// settle looks for what a request brought about that an earlier run sent; nil
	// without an error when there is nothing.
	settle func(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest, sent time.Time) (*issued, error)
	// holds says whether a file is the answer to a request, by the serial number
	// of the certificate that was issued for it.
	holds func(data []byte, serial pki.Serial) bool
	alone bool // one request after the other: answers are told apart by what came since
}

// issued is an answer and the record of it.
type issued struct {
	data   []byte // for the file, or standard output
	record stored
}

func (o *issuing) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.procedure, "procedure", "", "token procedure, `name or id`; the gateway's default when absent (API: procname)")
	cmdutil.CompleteProcedureFlag(cmd, o.f, "procedure")
	cmd.Flags().StringVar(&o.validFrom, "valid-from", "", "wanted start of validity, a `time` such as 2026-01-31 or 1d (API: validfrom)")
	cmd.Flags().StringVar(&o.validTo, "valid-to", "", "wanted end of validity, a `time` such as 2027-01-31 or 90d (API: validto)")
	o.target.addTemplateFlag(cmd)
	o.requests.addFlags(cmd)
	cmdutil.AddLimitFlags(cmd, &o.limits)
	cmdutil.AddJobFlags(cmd, &o.job, false)
	cmdutil.AddDryRunFlag(cmd, &o.dryRun, "check requests, files, procedure and print what would be asked for; nothing is made, signed or sent", issueProspectNoun.Columns())
}

// run is the way of every verb that issues: check everything, make the files,
// ask, send, write, report.
func (o *issuing) run(ctx context.Context) error {
	f := o.f
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	in, err := o.validity()
	if err != nil {
		return err
	}
	if err := o.requests.check(); err != nil {
		return err
	}
	if o.check != nil {
		if err := o.check(); err != nil {
			return err
		}
	}
	if err := o.job.Check(f); err != nil {
		return err
	}
	list, err := o.list()
	if err != nil {
		return err
	}
	if err := o.target.check(len(list), opt); err != nil {
		return err
	}
	if !f.Resuming() {
		if err := o.limits.Check(f, len(list)); err != nil {
			return err
		}
		if o.dryRun {
			f.Files().DryRun()
		} else if err := cmdutil.AskFirst(f); err != nil {
			return err
		}
	}
	files, err := o.target.create(f.Files(), fieldsOf(list), f.StillToDo(), f.WasSent())
	if err != nil {
		return err
	}
	defer discard(files)
	if err := o.makeReady(ctx, list); err != nil {
		return err
	}
	if key := o.requests.key; key != nil {
		defer key.discard()
	}
	if o.dryRun {
		return o.tryOut(ctx, opt, list, files, in)
	}
	runner, job, err := o.connect(ctx, list, &in)
	if err != nil {
		return err
	}
	w := &issueWrite{
		issuing: o, runner: runner, list: list, files: files, in: in, records: o.target.toFiles() || f.FormatGiven(),
		made: make([]stored, len(list)), bare: make([][]byte, len(list)),
	}
	run := cmdutil.JobRun[stored]{
		Job: job, Write: w, Noun: storedNoun, Record: w.record,
		Verb: strings.TrimPrefix(job.Header.Verb, "cert "), Name: func(r bulk.Result) string { return list[r.Index].label() },
		Look: "cmctl cert search",
	}
	if f.Resuming() {
		if err := noteIssued(runner, job); err != nil {
			return err
		}
	}
	if !w.records {
		run.Bare = w.certificate
	}
	if o.alone || !w.records {
		run.Parallel = 1
	}
	return run.Run(ctx, f, opt, o.job)
}

// noteIssued tells what the runs before this one had issued.
func noteIssued(runner *ops.Runner, job *bulk.Job) error {
	return job.Each(func(r bulk.Result) error {
		if r.ID != "" {
			runner.NoteIssued(r.ID)
		}
		return nil
	})
}

// list are the requests: those of the command line, or of a job that goes on.
func (o *issuing) list() ([]csr, error) {
	if !o.f.Resuming() {
		return o.requests.read(o.f)
	}
	var list []csr
	err := o.f.Resumed().Each(func(r bulk.Result) error {
		c, err := o.requests.parse(r.Input, r.Data)
		if err == nil && o.requests.asked {
			var subject csr
			subject, err = o.requests.ofSubject()
			c.fields = subject.fields // its files are called as when the job began
		}
		list = append(list, c)
		return err
	})
	return list, err
}

// makeReady makes what the verb needs here: files for a new key, secrets. A job
// that goes on has its key: it was made before the plan was frozen.
func (o *issuing) makeReady(ctx context.Context, list []csr) error {
	if key := o.requests.key; key != nil && !o.f.Resuming() {
		if err := key.create(o.f.Files(), &o.target, list[0].fields); err != nil {
			key.discard()
			return err
		}
		if err := key.askPassword(ctx, o.f, o.dryRun); err != nil {
			key.discard()
			return err
		}
	}
	if o.secret != nil {
		return o.secret(ctx)
	}
	return nil
}

// connect opens client and key, finds the procedure, asks the question, and
// freezes the plan.
func (o *issuing) connect(ctx context.Context, list []csr, in *cmapi.IssueRequest) (*ops.Runner, *bulk.Job, error) {
	f := o.f
	if !f.Resuming() {
		if err := f.ReadyToSign(ctx, len(list)); err != nil {
			return nil, nil, err
		}
	}
	client, err := f.Client(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := o.findProcedure(ctx, client, in); err != nil {
		return nil, nil, err
	}
	runner, err := f.Runner(ctx, o.job)
	if err != nil {
		return nil, nil, err
	}
	write := o.write(list, *in)
	if o.look != nil {
		if err := o.look(ctx, runner, &write); err != nil {
			return nil, nil, err
		}
	}
	job, err := f.NewJob(ctx, "cert "+o.verb, o.job, len(list) == 1, func(job *bulk.Job) error {
		job.Header.Describe, job.Header.Batch, job.Header.KeyColumn = write.Describe, 1, "csr"
		return planRequests(job, list)
	}, func(job *bulk.Job) error {
		if err := cmdutil.Confirm(ctx, f, write); err != nil {
			return err
		}
		return o.newKey(job, list)
	})
	return runner, job, err
}

// newKey makes the key that was asked for, and puts the request for it into the
// plan.
func (o *issuing) newKey(job *bulk.Job, list []csr) (err error) {
	key := o.requests.key
	if key == nil || key.spec == "" {
		return nil
	}
	if list[0].req, err = key.make(o.requests.name, o.requests.alt); err != nil {
		return err
	}
	o.f.Notice("new key in %s, its request in %s", key.keyFile.Path, key.csrFile.Path)
	return job.Plan().Complete(list[0].req.DER)
}

// planRequests puts requests into a job. One that is named twice is issued for
// twice.
func planRequests(job *bulk.Job, list []csr) error {
	times := map[string]int{}
	for i := range list {
		it := bulk.Item{Key: list[i].label(), Input: list[i].file}
		if times[it.Key]++; times[it.Key] > 1 {
			it.Key += "#" + strconv.Itoa(times[it.Key])
		}
		if list[i].req != nil {
			it.Data = list[i].req.DER
		}
		if _, err := job.Plan().Add(it, bulk.Facts{}); err != nil {
			return err
		}
	}
	return nil
}

// validity checks the flags that go into every request.
func (o *issuing) validity() (cmapi.IssueRequest, error) {
	in := cmapi.IssueRequest{Media: o.target.form.media(), Handler: o.handler}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"valid-from", o.validFrom, &in.ValidFrom}, {"valid-to", o.validTo, &in.ValidTo}} {
		if t.text == "" {
			continue
		}
		at, err := pki.ParseTime(t.text, o.f.Now())
		if err != nil {
			return in, exit.Usagef(exit.HintOf(err), "--%s: %w", t.name, err)
		}
		*t.to = at
	}
	if !in.ValidTo.IsZero() && !in.ValidTo.After(in.ValidFrom) {
		return in, exit.Usagef("", "--valid-to %s is not after --valid-from %s", pki.FormatTime(in.ValidTo), pki.FormatTime(in.ValidFrom))
	}
	if !in.ValidTo.IsZero() && in.ValidTo.Before(o.f.Now()) {
		return in, exit.Usagef("", "--valid-to %s lies in the past", pki.FormatTime(in.ValidTo))
	}
	return in, nil
}

// write is the question before issuing.
func (o *issuing) write(list []csr, in cmapi.IssueRequest) cmdutil.Write {
	w := cmdutil.Write{
		Describe: o.describe + " by the gateway's default procedure", Undo: "cmctl cert revoke",
		Noun: o.noun, Count: len(list), Signatures: len(list),
	}
	if in.Procedure != "" {
		w.Describe = fmt.Sprintf("%s by procedure %q", o.describe, in.Procedure)
	}
	if len(list) > cmdutil.ShownItems {
		return w
	}
	for i := range list {
		line := list[i].label() + "  " + list[i].subject
		if names := list[i].names; len(names) > 0 {
			line += ", names " + strings.Join(names, " ")
		}
		w.Items = append(w.Items, output.Escape(line))
	}
	return w
}
