package cmdutil

import (
	"cmp"
	"context"
	"path/filepath"
	"runtime"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

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
	Record func(bulk.Result) (T, bool)  // false: there is none to print
	Bare   func(res bulk.Result) []byte // what is printed, as it comes, in place of records; nil: records are

	Name  func(bulk.Result) string // how messages call an item: "certificate 10003"
	Verb  string                   // "revoke"
	Look  string                   // the command that shows what was done
	Again string                   // what to do after a run that was stopped and has no journal

	Parallel int // requests under way at a time; 0: as set

	// AfterPilot is told what became of the pilot and says whether the others
	// follow.
	AfterPilot func(ctx context.Context, pilot []bulk.Result) error

	Finish func() error                    // called when nothing is under way any more; nil: nothing to do
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
	if r.Job.Dir() != "" {
		ref := f.JobRef(r.Job)
		command := "cmctl job resume " + ref
		f.underWay.Store(&command)
		opt.Cut = func(rows, all int) {
			f.Warn("the table stops at %d rows and there are %d: `cmctl job report %s` has every item, %s those that failed", rows, all, ref, filepath.Join(r.Job.Dir(), bulk.ListFile(bulk.Failed)))
		}
	}
	p := newPrinter(r, opt)
	progress := f.WaitProgress(opt)
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
			if f.Streams.Held() { // the warnings below can wait as well
				return
			}
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
	options.Closing = func(stop error) error {
		progress.Clear()
		return r.close(ctx, stop)
	}
	stop := r.pilot(ctx, f, p, options)
	if stop == nil {
		stop = r.Job.Run(ctx, r.Write, options, p.take)
	} else if r.Job.Ended() == nil { // the others do not follow
		stop = r.Job.Stop(options.Closing(stop), client.Now(), p.take)
	}
	progress.Clear()
	return r.end(ctx, f, p, stop)
}

// close does what is to be done behind the last item, and tells how the run
// ended.
func (r *JobRun[T]) close(ctx context.Context, stop error) error {
	if r.Finish != nil {
		stop = cmp.Or(stop, r.Finish())
	}
	if r.Sweep != nil && stop == nil && !r.Job.Header.Drill {
		stop = r.Sweep(ctx)
	}
	return stop
}

// pilot sends the first few and asks whether the others follow. A run that goes
// on does so as well, until they may.
func (r *JobRun[T]) pilot(ctx context.Context, f *Factory, p *printer[T], options bulk.Options) error {
	if !r.Job.PilotDue() {
		return nil
	}
	n := r.Job.Header.Pilot
	options.First = n
	if err := r.Job.Run(ctx, r.Write, options, p.take); err != nil {
		return err
	}
	first, err := r.Job.First(n)
	if err != nil {
		return err
	}
	if err := r.AfterPilot(ctx, first); err != nil {
		return err
	}
	return r.Job.PassPilot(options.Now())
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

// end prints what is left to be printed, which may wait for its reader, and makes
// the error that the run ends with.
func (r *JobRun[T]) end(ctx context.Context, f *Factory, p *printer[T], stop error) error {
	printed := p.finish(stop)
	name, ref := "", ""
	if r.Job.Dir() != "" {
		name, ref = r.Job.Header.Job, f.JobRef(r.Job)
	}
	switch err := printed(ctx); {
	case err != nil && stop == nil:
		stop = exit.New(exit.Failure, cmp.Or(reportHint(ref), "look at what was carried out with `"+r.Look+"`"), "the results cannot be printed: %w", err)
	case err != nil:
		f.Warn("the results cannot be printed: %v", err)
	}
	if err := r.Job.Close(); err != nil && stop == nil {
		stop = err
	}
	p.tally.LeftOut = r.Job.Header.LeftOut
	return Ending{
		Verb: r.Verb, Name: r.Name, Again: r.Again, Job: name, Ref: ref, Excluded: r.Job.Header.Excluded, Summary: r.Job.Header.Summary, Drill: r.Job.Header.Drill,
		Before: r.Job.Runs() > 1, Whole: r.Job.Tally(), Closed: r.Job.Closed(),
	}.Err(f, p.tally, stop)
}
