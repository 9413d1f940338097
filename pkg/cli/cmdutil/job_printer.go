package cmdutil

import (
	"context"
	"errors"
	"slices"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/output"
)

// printer prints what a run did, in a goroutine of its own: a reader of stdout
// that stalls, such as a pager, holds up neither the write nor its journal nor
// the signal that ends it.
type printer[T any] struct {
	run   *JobRun[T]
	out   *patientWriter
	w     *output.Writer[T]
	tally *bulk.Tally // of this run
	told  []byte      // by index: the outcome that this run found, from 1 on in the order of bulk.Outcomes; see queued
	late  int         // how many of these are printed at the end

	queue   chan bulk.Result // what is printed as it comes; nil: everything at the end
	printed chan struct{}    // closed when the queue is
	err     error            // why something could not be printed
}

// mostQueued is how many results wait for a reader that is slow. What comes on
// top is printed at the end, from the journal: the run waits for nobody, and
// memory stays flat.
const mostQueued = 25600

// queued marks, in told, what is printed as it comes.
const queued = 1 << 7

func newPrinter[T any](r *JobRun[T], opt output.Options) *printer[T] {
	p := &printer[T]{run: r, out: newPatientWriter(opt.Out), tally: bulk.NewTally(), told: make([]byte, r.Job.Header.Items), printed: make(chan struct{})}
	opt.Out = p.out
	p.w = output.NewWriter(r.Noun, opt)
	if opt.Format != output.JSONL && r.Bare == nil {
		close(p.printed)
		return p
	}
	p.queue = make(chan bulk.Result, min(mostQueued, r.Job.Header.Items))
	go func() {
		defer close(p.printed)
		some := make([]bulk.Result, 0, together)
		for res := range p.queue {
			some = append(some[:0], res)
			for len(some) < together && len(p.queue) > 0 { // nobody else takes from it
				some = append(some, <-p.queue)
			}
			p.print(some)
		}
	}()
	return p
}

// together is how many records are written at once where they are at hand.
const together = 256

// take takes what became of an item. It is called under the run's lock, and
// never waits.
func (p *printer[T]) take(res bulk.Result) {
	p.tally.Add(res)
	told := byte(1 + slices.Index(bulk.Outcomes(), res.Outcome))
	select {
	case p.queue <- res:
		told |= queued
	default:
		p.late++
	}
	p.told[res.Index] = told
}

func (p *printer[T]) print(results []bulk.Result) {
	var records []T
	for _, res := range results {
		if p.run.Bare != nil {
			_, err := output.Raw(p.out).Write(p.run.Bare(res))
			p.keep(err)
		} else if rec, ok := p.run.Record(res); ok {
			records = append(records, rec)
		}
	}
	if len(records) > 0 {
		p.keep(p.w.Write(records...))
	}
}

func (p *printer[T]) keep(err error) {
	if p.err == nil && !errors.Is(err, output.ErrClosed) {
		p.err = err
	}
}

// finish prints what was not printed as it came. What it returns waits for
// that; when ctx has ended and nobody reads, it gives up.
func (p *printer[T]) finish(stop error) (wait func(context.Context) error) {
	if stop == nil && p.tally.First != nil {
		stop = p.tally.First.Err
	}
	if p.queue != nil {
		close(p.queue)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-p.printed
		p.rest(stop)
	}()
	return func(ctx context.Context) error {
		if err := p.out.wait(ctx, ended); err != nil {
			return err // and the rest of p is the goroutine's
		}
		return p.err
	}
}

// rest prints what is left. A run that was stopped before there was a record
// prints nothing.
func (p *printer[T]) rest(failed error) {
	if p.late > 0 {
		some := make([]bulk.Result, 0, together)
		p.keep(p.run.Job.Each(func(res bulk.Result) error {
			if told := p.told[res.Index]; told > 0 && told&queued == 0 {
				res.Outcome = bulk.Outcomes()[told-1] // what failed for the moment is open again by now
				some = append(some, res)
			}
			if len(some) == together {
				p.print(some)
				some = some[:0]
			}
			return nil
		}))
		p.print(some)
	}
	if p.run.Bare != nil {
		return
	}
	if err := p.w.End(failed); failed == nil {
		p.keep(err)
	}
}
