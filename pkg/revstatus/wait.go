package revstatus

import (
	"context"
	"fmt"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Between two looks: lists are made anew every few minutes at best, and a
// responder is not to be hammered. It starts short for tests of a pilot and
// gets longer.
const (
	firstPause = time.Second
	lastPause  = 15 * time.Second
)

// NotPublishedError says that a wait ran out.
type NotPublishedError struct {
	Pending, Of int
	Waited      time.Duration
}

// Error counts.
func (e *NotPublishedError) Error() string {
	if e.Of == 1 {
		return fmt.Sprintf("the revocation is not published after %v", e.Waited)
	}
	return fmt.Sprintf("%d of %d revocations are not published after %v", e.Pending, e.Of, e.Waited)
}

// ExitCode is WaitOver.
func (e *NotPublishedError) ExitCode() exit.Code { return exit.WaitOver }

// Hint says what may be done.
func (e *NotPublishedError) Hint() string {
	return "a CA publishes its CRL by a timetable: see nextUpdate, and wait longer"
}

// Wait asks until the revocation of every target is visible, or for as long as
// patience lasts: then the error is a *NotPublishedError. What is visible is
// not asked about again, and a list that did not change is not read again.
// progress, which may be nil, is told after each look how many are pending. An
// interruption is the cause of its context, with what is known so far.
func (c *Checker) Wait(ctx context.Context, targets []Target, patience time.Duration, progress func(pending int)) ([]Result, error) {
	start := time.Now()
	results := make([]Result, len(targets))
	pending := make([]int, len(targets))
	for i := range pending {
		pending[i] = i
	}
	kept := &lists{kept: map[listKey]keptList{}}
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		c.look(ctx, targets, pending, results, kept)
		if ctx.Err() != nil {
			return results, context.Cause(ctx)
		}
		left := pending[:0]
		for _, i := range pending {
			if !targets[i].Visible(results[i]) {
				left = append(left, i)
			}
		}
		if pending = left; progress != nil {
			progress(len(pending))
		}
		rest := patience - time.Since(start)
		switch {
		case len(pending) == 0:
			return results, nil
		case rest <= 0:
			return results, &NotPublishedError{len(pending), len(targets), patience}
		}
		timer := time.NewTimer(min(pause, rest))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return results, context.Cause(ctx)
		}
	}
}
