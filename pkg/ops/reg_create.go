package ops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// Inputs gives the fields of an item of a plan. They stay out of the plan, since
// they may hold secrets.
type Inputs func(Item) (cmapi.RegistrationInput, error)

// NewRegistrations is the write that creates registrations (createRegistration
// and those of SCEP, EST, CMP and ACME), each by a request of its own. The Key
// of an item is its fqdn, the ID of its result the registration's.
func (r *Runner) NewRegistrations(at RegistrationPlace, of Inputs) bulk.Write {
	return &newRegistrations{r, at, of}
}

type newRegistrations struct {
	r  *Runner
	at RegistrationPlace
	of Inputs
}

// Do implements bulk.Write.
func (w *newRegistrations) Do(ctx context.Context, items []Item, gate bulk.Gate, report func(Result)) error {
	return oneByOne(items, report, func(it Item) (res Result) {
		res.Item = it
		in, err := w.of(it)
		if err != nil {
			res.Outcome, res.Err = Skipped, err
			return res
		}
		res.ID, res.Outcome, res.Err = w.r.Through(gate).createRegistration(ctx, w.at, in)
		return res
	})
}

// Settle implements bulk.Write: by the one registration of the name that was
// created since the send.
func (w *newRegistrations) Settle(ctx context.Context, items []Item, sent time.Time, report func(Result)) (rest []Item, err error) {
	for _, it := range items {
		reg, err := w.r.newRegistration(ctx, w.at, it.Key, nil, sent)
		if reg == nil && err == nil && w.r.Patience(ctx, sent) {
			reg, err = w.r.newRegistration(ctx, w.at, it.Key, nil, sent)
		}
		switch {
		case errors.Is(err, errSeveral), err == nil && reg != nil && reg.CreationDate.IsZero():
			report(Result{Item: it, Outcome: Unknown, Err: exit.New(exit.Unavailable, "look at them with `cmctl reg list --fqdn`",
				"the answer was lost and it cannot be told which registration of this name is the new one")})
		case err != nil:
			return nil, err
		case reg != nil:
			report(Result{Item: it, Outcome: Done, ID: reg.RegID})
		default:
			rest = append(rest, it)
		}
	}
	return rest, nil
}

// oneByOne carries a write out that takes one item in a request. What stops it
// is what would stop the next as well.
func oneByOne(items []Item, report func(Result), write func(Item) Result) error {
	for i, it := range items {
		res := write(it)
		var stop error
		switch {
		case res.Outcome == Failed && !errors.As(res.Err, new(*cmapi.Error)): // of this item, such as one that is not there
		case res.Outcome == Unknown || res.Outcome == Skipped:
			if stop = res.Err; errors.Is(stop, errDrill) {
				stop = nil
			} else if cause := stopping(stop); cause != nil {
				stop = cause
			}
		default:
			stop = stopping(res.Err)
		}
		report(res)
		if stop == nil {
			continue
		}
		for _, it := range items[i+1:] {
			report(Result{Item: it, Outcome: Skipped, Err: notSent(stop)})
		}
		return stop
	}
	return nil
}

// createRegistration creates one. What has its name before is noted, so that a
// lost answer can be settled: the one that is new since then, and created since
// the send, is the one. It is never asked for again.
func (r *Runner) createRegistration(ctx context.Context, at RegistrationPlace, in cmapi.RegistrationInput) (regID string, o Outcome, err error) {
	call, err := cmapi.NewCreateRegistration(at.Kind, at.ProcID, in)
	if err != nil {
		return "", Failed, err
	}
	seen, err := r.noteRegistrations(ctx, at, in.FQDN)
	switch {
	case ctx.Err() != nil:
		return "", Skipped, context.Cause(ctx)
	case err != nil:
		return "", Skipped, err
	}
	sentAt, answer, err := r.exchange(ctx, call)
	ctx = context.WithoutCancel(ctx)
	switch lost := lostAnswer(err); {
	case lost != nil:
		r.notice(fmt.Sprintf("reg create: the answer was lost; looking for the registration of %s", in.FQDN))
		return r.settleCreation(ctx, at, in.FQDN, seen, sentAt, lost)
	case err != nil:
		return "", refusedOrUnsent(err), err
	}
	if regID = cmapi.RegistrationIDOf(answer); regID != "" {
		o, err = r.confirmCreation(ctx, at, regID)
		return regID, o, err
	}
	if reg, err := r.newRegistration(ctx, at, in.FQDN, seen, sentAt); err == nil && reg != nil {
		return reg.RegID, Done, nil
	}
	return "", Done, nil // the gateway says so and no more
}

// noteRegistrations notes the ids that a name has before the send; nil when
// this officer may not read them.
func (r *Runner) noteRegistrations(ctx context.Context, at RegistrationPlace, fqdn string) (map[string]bool, error) {
	before, err := r.RegistrationsNamed(ctx, at, fqdn)
	switch {
	case refusedRead(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	seen := make(map[string]bool, len(before))
	for _, reg := range before {
		seen[reg.RegID] = true
	}
	return seen, nil
}

// confirmCreation reads back what the gateway called done.
func (r *Runner) confirmCreation(ctx context.Context, at RegistrationPlace, regID string) (Outcome, error) {
	for _, wait := range settleWaits {
		if wait > 0 && r.pause(ctx, wait) != nil {
			break
		}
		if _, err := r.FindRegistration(ctx, at, regID); exit.Of(err) != exit.NotFound {
			return Done, nil // there, or not to be read by this officer now: the gateway's word stands
		}
	}
	return Unknown, exit.New(exit.Unavailable, "look for it with `cmctl reg list` before creating it again",
		"the gateway said done and named registration %s, but does not list it", regID)
}

// settleCreation looks for what a lost answer may have brought about.
func (r *Runner) settleCreation(ctx context.Context, at RegistrationPlace, fqdn string, seen map[string]bool, sentAt time.Time, cause error) (string, Outcome, error) {
	const hint = "before creating it again, look for it with `cmctl reg list --fqdn`: a second request makes a second registration"
	if seen == nil {
		return "", Unknown, unsettled(cause, hint, "this officer may not list registrations")
	}
	for _, wait := range settleWaits {
		if wait > 0 && r.pause(ctx, wait) != nil {
			break
		}
		reg, err := r.newRegistration(ctx, at, fqdn, seen, sentAt)
		switch {
		case errors.Is(err, errSeveral):
			return "", Unknown, unsettled(cause, hint, err.Error())
		case err == nil && reg != nil:
			return reg.RegID, Done, nil
		}
	}
	return "", Unknown, unsettled(cause, hint, "no new registration of this name is found so far")
}

var errSeveral = errors.New("several new registrations have this name")

// newRegistration finds the one registration of a name that was not there
// before; nil when there is none.
func (r *Runner) newRegistration(ctx context.Context, at RegistrationPlace, fqdn string, seen map[string]bool, sentAt time.Time) (*cmapi.Registration, error) {
	named, err := r.RegistrationsNamed(ctx, at, fqdn)
	if err != nil {
		return nil, err
	}
	var found *cmapi.Registration
	for i, reg := range named {
		at := reg.CreationDate
		if seen[reg.RegID] || !at.IsZero() && (at.Before(sentAt.Add(-clockSkew)) || at.After(sentAt.Add(lateArrival))) {
			continue
		}
		if found != nil {
			return nil, errSeveral
		}
		found = &named[i]
	}
	return found, nil
}
