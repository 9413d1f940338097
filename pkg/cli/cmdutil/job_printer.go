package cmdutil

import (
	"errors"
	"slices"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/output"
)

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
