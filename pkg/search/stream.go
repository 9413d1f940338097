package search

import (
	"context"
	"slices"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// job is a slice in the order of the listing.
type job struct {
	slice   slice
	started bool
	done    bool
	certs   []cmapi.Certificate
	parts   []slice
	err     error
}

// stream reads slices several at a time and hands them out in their order. At
// most two pages for each reader wait for their turn, so that memory stays
// flat however many certificates there are.
func (r *reader) stream(ctx context.Context, first *answer, parallel int, out *counter) error {
	_, roots, err := r.divide(ctx, r.root(), first)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	queue := jobs(roots)
	running := 0
	results := make(chan *job)
	defer func() {
		cancel()
		for ; running > 0; running-- {
			<-results
		}
	}()
	for len(queue) > 0 {
		waiting := 0
		for _, j := range queue {
			switch {
			case j.done:
				waiting++
			case !j.started && running < parallel && running+waiting < 2*parallel:
				j.started = true
				running++
				go func() {
					j.certs, j.parts, j.err = r.read(ctx, j.slice)
					results <- j
				}()
			}
			if running == parallel {
				break
			}
		}
		j := <-results
		running--
		j.done = true
		if j.err != nil {
			return j.err
		}
		if len(j.parts) > 0 {
			k := slices.Index(queue, j)
			queue = slices.Replace(queue, k, k+1, jobs(j.parts)...)
		}
		for len(queue) > 0 && queue[0].done {
			certs := queue[0].certs
			queue = queue[1:]
			if len(certs) == 0 {
				continue
			}
			if err := out.add(certs); err != nil {
				return err
			}
		}
	}
	return nil
}

func jobs(parts []slice) []*job {
	js := make([]*job, len(parts))
	for k := range parts {
		js[k] = &job{slice: parts[k]}
	}
	return js
}
