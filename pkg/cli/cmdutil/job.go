package cmdutil

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// JobFlags are what every write on many items takes.
type JobFlags struct {
	Job       string
	ExpectSHA string
	Verify    ops.Verify
	Rate      int
	Deadline  string
	Comment   string
	Ticket    string
	Drill     bool
}

// AddJobFlags adds them; batched says that several items go into one request.
func AddJobFlags(cmd *cobra.Command, j *JobFlags, batched bool) {
	fs := cmd.Flags()
	fs.StringVar(&j.Job, "job", "", "`name` of the job, for `cmctl job`; made of verb and time by default")
	fs.StringVar(&j.ExpectSHA, "expect-sha256", "", "refuse unless the plan has this `digest`, as --dry-run prints it")
	fs.IntVar(&j.Rate, "rate", 0, "most items a second, `N`; as fast as gateway and key allow by default")
	fs.StringVar(&j.Deadline, "deadline", "", "warn as soon as the run cannot end by this `time`, such as 4h or 2026-01-31T18:00:00Z")
	fs.StringVar(&j.Comment, "comment", "", "`text` for the journal")
	fs.StringVar(&j.Ticket, "ticket", "", "`reference` of a ticket, for the journal")
	fs.BoolVar(&j.Drill, "drill", false, "practise: fetch and sign everything, send nothing signed, and say drill")
	fs.Int("parallel", 4, "requests of a kind under way at a time, `N`, 1 to 64")
	j.Verify = ops.VerifyAll
	if batched {
		EnumFlag(cmd, &j.Verify, "verify", "what is read back before it is called done; all by default", []string{"all", "sample", "none"}, OneOf[ops.Verify]("all", "sample", "none"))
		AddBatchFlag(cmd)
	}
}

// Check refuses flags that cannot be, before anything is read.
func (j *JobFlags) Check(f *Factory) error {
	if j.Job != "" {
		if err := bulk.CheckName(j.Job); err != nil {
			return err
		}
	}
	if sum, err := hex.DecodeString(j.ExpectSHA); err != nil || j.ExpectSHA != "" && len(sum) != sha256.Size {
		return exit.Usagef("--dry-run prints it", "--expect-sha256 %q: expected 64 hexadecimal digits", j.ExpectSHA)
	}
	if j.Rate < 0 {
		return exit.Usagef("", "--rate %d: expected 1 or more items a second", j.Rate)
	}
	_, err := j.deadline(f)
	return err
}

func (j *JobFlags) deadline(f *Factory) (time.Time, error) {
	if j.Deadline == "" {
		return time.Time{}, nil
	}
	t, err := pki.ParseTime(j.Deadline, f.Now())
	switch {
	case err != nil:
		return t, exit.Usagef(exit.HintOf(err), "--deadline: %w", err)
	case !t.After(f.Now()):
		return t, exit.Usagef("", "--deadline %s is over", pki.FormatTime(t))
	}
	return t, nil
}

// JobsDir is the folder of all jobs.
func (f *Factory) JobsDir() (string, error) {
	state := config.StateDir(f.Env)
	if state == "" {
		return "", exit.New(exit.Failure, "set CMCTL_STATE_DIR to a folder of yours", "there is no state folder to keep a journal in")
	}
	return filepath.Join(state, "jobs"), nil
}

// NewJob makes the plan of a write and freezes it: fill puts the items in, ask
// checks their number and asks the officer. A write on a single item, unless it
// has a name, needs no journal: run it again. When anything fails before the
// plan is frozen, nothing is left of it.
// A job that goes on has its plan already and was asked for.
func (f *Factory) NewJob(ctx context.Context, verb string, flags JobFlags, single bool, fill, ask func(*bulk.Job) error) (*bulk.Job, error) {
	if f.resumed != nil {
		return f.resumed, f.checkBound(ctx, f.resumed)
	}
	dir := ""
	if !single || flags.Job != "" {
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
	for _, step := range []func() error{
		func() error { return fill(j) }, // before a key is opened: most of what may be wrong is wrong here
		func() error { return flags.CheckDigest(j.Plan()) },
		func() error { return f.bind(ctx, h) },
		func() error { return ask(j) },
		j.Freeze,
	} {
		if err := step(); err != nil {
			j.Discard()
			return nil, err
		}
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

// CheckDigest refuses a plan that is not the one that was meant.
func (j *JobFlags) CheckDigest(plan *bulk.Builder) error {
	if got := plan.SHA256(); j.ExpectSHA != "" && !strings.EqualFold(j.ExpectSHA, got) {
		return exit.Usagef("look at it with --dry-run", "--expect-sha256 %s: the plan of %s has %s", j.ExpectSHA, Plural(plan.Len(), "item"), got)
	}
	return nil
}

// Runner carries writes out with the officer's key, and tells what takes time.
func (f *Factory) Runner(ctx context.Context, flags JobFlags) (*ops.Runner, error) {
	client, err := f.Client(ctx)
	if err != nil {
		return nil, err
	}
	signer, err := f.Signer(ctx)
	if err != nil {
		return nil, err
	}
	r := ops.NewRunner(client, signer)
	r.Verify, r.Drill, r.Notice = flags.Verify, flags.Drill, func(s string) { f.Notice("%s", s) }
	return r, nil
}

// JobRun is one run of a job, as a verb hands it over.
type JobRun[T any] struct {
	Job    *bulk.Job
	Write  bulk.Write
	Noun   output.Noun[T]
	Record func(bulk.Result) (T, bool) // false: there is none to print

	Name  func(bulk.Result) string // how messages call an item: "certificate 10003"
	Verb  string                   // "revoke"
	Look  string                   // the command that shows what was done
	Again string                   // what to do after a run that was stopped and has no journal

	Parallel int // requests under way at a time; 0: as set

	// Pilot is how many items are sent first; AfterPilot is told those that are
	// done and says whether the others follow. 0: all at once.
	Pilot      int
	AfterPilot func(ctx context.Context, done []bulk.Result) error

	Finish func() error                    // called when all is settled; nil: nothing to do
	Sweep  func(ctx context.Context) error // called after a run that nothing stopped; nil: nothing to do
}

// Run runs it: records to stdout, as they come or in the order of the plan,
// progress and counts to stderr. A stdout that is gone stops no write.
func (r *JobRun[T]) Run(ctx context.Context, f *Factory, opt output.Options, flags JobFlags) error {
	deadline, err := flags.deadline(f)
	if err != nil {
		return err
	}
	s, err := f.Settings()
	if err != nil {
		return err
	}
	client, err := f.Client(ctx)
	if err != nil {
		return err
	}
	p := &printer[T]{run: r, w: output.NewWriter(r.Noun, opt), stream: opt.Format == output.JSONL, told: make([]byte, r.Job.Header.Items)}
	progress := terminal.NewProgress(f.Streams, opt.Format.IsJSON() || f.isSet("quiet"))
	late := false
	parallel := r.Parallel
	if parallel == 0 {
		parallel = s.Parallel
	}
	sha, officer := f.officerOfRun(r.Job)
	batch := 0
	if _, given := f.Flag("batch"); given {
		batch = s.Batch
	}
	if flags.Drill {
		if err := checkDrill(ctx, client); err != nil {
			r.Job.Discard()
			return err
		}
	}
	options := bulk.Options{
		Parallel: parallel, Signers: f.signers(s), Batch: batch, Rate: flags.Rate,
		Officer: sha, Name: officer, Now: client.Now,
		Progress: func(now bulk.Progress) {
			progress.Set("%s", ProgressText(now))
			if end := f.Now().Add(now.Left); !deadline.IsZero() && now.Left > 0 && end.After(deadline) != late {
				late = !late
				progress.Clear()
				if late {
					f.Warn("at %.0f items a second the run ends at %s, after the deadline %s", now.Rate, pki.FormatTime(end), pki.FormatTime(deadline))
				} else {
					f.Warn("at %.0f items a second the run ends at %s, before the deadline", now.Rate, pki.FormatTime(end))
				}
			}
		},
	}
	stop := r.pilot(ctx, f, p, options)
	if stop == nil {
		stop = r.Job.Run(ctx, r.Write, options, p.take)
	} else if r.Job.Ended() == nil { // the others do not follow
		if err := r.Job.Stop(stop, client.Now(), p.take); err != nil {
			stop = errors.Join(stop, err)
		}
	}
	progress.Clear()
	if r.Sweep != nil && stop == nil && !flags.Drill {
		stop = r.Sweep(ctx)
	}
	return r.end(f, p, stop)
}

// pilot sends the first few and asks whether the others follow.
func (r *JobRun[T]) pilot(ctx context.Context, f *Factory, p *printer[T], options bulk.Options) error {
	if r.Pilot <= 0 || r.Pilot >= r.Job.Header.Items || f.Resuming() {
		return nil
	}
	options.Limit = r.Pilot
	var done []bulk.Result
	stop := r.Job.Run(ctx, r.Write, options, func(res bulk.Result) {
		p.take(res)
		if res.Outcome.Good() {
			done = append(done, res)
		}
	})
	switch {
	case stop != nil:
		return stop
	case len(done) < r.Pilot && f.Yes():
		return exit.New(exit.Partial, "", "of the pilot %d of %d are not done: the others were not sent", r.Pilot-len(done), r.Pilot)
	}
	return r.AfterPilot(ctx, done)
}

// checkDrill refuses a drill on a gateway that would do it in earnest: one that
// signs by itself carries the first request out. It is asked to lift the hold
// of a certificate that there is none of.
func checkDrill(ctx context.Context, c *cmapi.Client) error {
	p, _, err := c.Prepare(ctx, cmapi.NewReinstate([]string{"0"}))
	if p != nil {
		return nil
	}
	if err != nil && exit.Of(err) != exit.NotFound && exit.Of(err) != exit.WrongState && exit.Of(err) != exit.Failure {
		return err
	}
	return exit.New(exit.Failure, "try it on a gateway where the caller signs, such as `cmctl-sandbox exec`", "no drill here: this gateway signs by itself, and would carry out what it is asked")
}

// signers is how many signatures are made at a time: a token makes one.
func (f *Factory) signers(s *config.Settings) int {
	if onToken(s.Sign) {
		return 1
	}
	return runtime.NumCPU()
}

// printer prints the records of a run.
type printer[T any] struct {
	run    *JobRun[T]
	w      *output.Writer[T]
	stream bool
	told   []byte      // by index: the outcome that this run found, from 1 on in the order of bulk.Outcomes
	tally  *bulk.Tally // of this run
	err    error
}

func (p *printer[T]) take(res bulk.Result) {
	if p.tally == nil {
		p.tally = bulk.NewTally()
	}
	p.tally.Add(res)
	p.told[res.Index] = byte(1 + slices.Index(bulk.Outcomes(), res.Outcome))
	if p.stream {
		p.print(res)
	}
}

func (p *printer[T]) print(res bulk.Result) {
	if rec, ok := p.run.Record(res); ok {
		p.keep(p.w.Write(rec))
	}
}

func (p *printer[T]) keep(err error) {
	if p.err == nil && !errors.Is(err, output.ErrClosed) {
		p.err = err
	}
}

// rest prints what was not printed as it came. A run that was stopped before
// there was a record prints nothing.
func (p *printer[T]) rest(stop error) {
	if !p.stream {
		p.keep(p.run.Job.Each(func(res bulk.Result) error {
			if told := p.told[res.Index]; told > 0 {
				res.Outcome = bulk.Outcomes()[told-1] // what failed for the moment is open again by now
				p.print(res)
			}
			return nil
		}))
	}
	failed := stop
	if failed == nil && p.tally != nil && p.tally.First != nil {
		failed = p.tally.First.Err
	}
	if err := p.w.End(failed); failed == nil {
		p.keep(err)
	}
}

// end prints what is left, writes the lists of what became of the items, and
// makes the error that the run ends with.
func (r *JobRun[T]) end(f *Factory, p *printer[T], stop error) error {
	p.rest(stop)
	if r.Finish != nil {
		if err := r.Finish(); stop == nil {
			stop = err
		}
	}
	if stop == nil && p.err != nil {
		stop = exit.New(exit.Failure, "everything was carried out; look at it with `"+r.Look+"`", "the results cannot be printed: %w", p.err)
	}
	name := ""
	if r.Job.Dir() != "" {
		name = r.Job.Header.Job
		if p.w.Truncated() {
			f.Warn("the table stops there; `cmctl job report %s` has every item, %s those that failed", name, filepath.Join(r.Job.Dir(), bulk.ListFile(bulk.Failed)))
		}
		if err := r.Job.WriteLists(); err != nil {
			f.Warn("the lists of what became of the items: %v", err)
		}
	}
	if err := r.Job.Close(); err != nil && stop == nil {
		stop = err
	}
	tally := p.tally
	if tally == nil {
		tally = bulk.NewTally()
	}
	return Ending{
		Verb: r.Verb, Name: r.Name, Again: r.Again, Job: name, LeftOut: r.Job.Header.LeftOut, Excluded: r.Job.Header.Excluded,
		Before: r.Job.Runs() > 1, Whole: r.Job.Tally(), Finished: r.Job.Finished(),
	}.Err(f, tally, stop)
}
