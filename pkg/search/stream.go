package search

import (
	"context"
	"slices"
)

// job is a slice in the order of the listing.
type job struct {
	slice   slice
	stretch *stretch // that it is cut off, or what is left of it
	wanted  float64  // certificates expected in it, when it was cut off
	whole   bool     // read as it is
	started bool
	done    bool
	result
	err error
}

// stretch is a slice of many pages. Windows are cut off its start one after the
// other, each as wide as the count of the last ones says that a page is: so
// pages are nearly full however the density changes, without counting first.
type stretch struct {
	left    float64 // certificates expected in what is left
	density float64 // certificates a second, in the window that came last; 0: none came
}

// fill is how full pages are meant to be: full ones that turn out to be too
// full are read in vain.
const fill = 0.88

// next cuts a page off what is left, or is what is left when that is a page.
func (j *job) next(most int) *job {
	w := &j.slice.windows[0]
	seconds := w.hi - w.lo + 1
	density := j.stretch.left / float64(seconds)
	if j.stretch.density > 0 {
		density = (density + j.stretch.density) / 2
	}
	width := max(1, int64(min(fill*float64(most)/density, float64(seconds))))
	if width >= seconds {
		j.whole, j.wanted = true, j.stretch.left
		return j
	}
	page := &job{slice: j.slice, stretch: j.stretch, whole: true, wanted: density * float64(width)}
	page.slice.windows[0].hi = w.lo + width - 1
	page.slice.hits = 0
	w.lo += width
	j.stretch.left = max(1, j.stretch.left-page.wanted)
	return page
}

// joins leaves what is left to the stretch behind it, when that is less than
// half a page.
func (j *job) joins(behind *job, most int) bool {
	a, b := &j.slice, &behind.slice
	if j.stretch.left >= fill/2*float64(most) || behind.started || behind.stretch == nil ||
		a.windows[0].hi+1 != b.windows[0].lo || a.windows[1] != b.windows[1] || a.issuer != b.issuer || a.country != b.country {
		return false
	}
	b.windows[0].lo = a.windows[0].lo
	behind.stretch.left += j.stretch.left
	if behind.stretch.density == 0 {
		behind.stretch.density = j.stretch.density
	}
	return true
}

// came tells the stretch how many certificates the window had.
func (j *job) came() {
	if j.stretch == nil || j.hits < 0 {
		return
	}
	w := j.slice.windows[0]
	j.stretch.left = max(1, j.stretch.left+j.wanted-float64(j.hits))
	j.stretch.density = max(1, float64(j.hits)) / float64(w.hi-w.lo+1)
}

// stream reads slices several at a time and hands them out in their order. At
// most two pages for each reader wait for their turn, so that memory stays
// flat however many certificates there are.
func (r *reader) stream(ctx context.Context, first *answer, parallel int, out *counter) error {
	roots, err := r.divide(ctx, r.root(), first)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	queue := r.jobs(roots.parts)
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
		for k := 0; k < len(queue) && running < parallel && running+waiting < 2*parallel; k++ {
			j := queue[k]
			if j.done {
				waiting++
			}
			if j.started {
				continue
			}
			if j.stretch != nil && !j.whole {
				if k+1 < len(queue) && j.joins(queue[k+1], r.cap) {
					queue = slices.Delete(queue, k, k+1)
					k--
					continue
				}
				if page := j.next(r.cap); page != j {
					queue = slices.Insert(queue, k, page)
					j = page
				}
			}
			j.started = true
			running++
			go func() {
				j.result, j.err = r.read(ctx, j.slice)
				results <- j
			}()
		}
		j := <-results
		running--
		j.done = true
		if j.err != nil {
			return j.err
		}
		j.came()
		if len(j.parts) > 0 {
			k := slices.Index(queue, j)
			queue = slices.Replace(queue, k, k+1, r.jobs(j.parts)...)
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

// jobs makes a job of each slice, and a stretch of those that are counted and
// are no page.
func (r *reader) jobs(parts []slice) []*job {
	js := make([]*job, len(parts))
	for k, p := range parts {
		js[k] = &job{slice: p}
		if p.hits > r.cap && p.bounded() {
			js[k].stretch = &stretch{left: float64(p.hits)}
		}
	}
	return js
}
