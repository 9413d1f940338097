package ops

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// RegistrationUpdates is the write that changes registrations
// (updateRegistration and those of SCEP, EST, CMP and ACME), each by a request
// of its own. The Key of an item is its regid.
func (r *Runner) RegistrationUpdates(at RegistrationPlace, of Inputs) bulk.Write {
	return &registrationUpdates{r, at, of}
}

type registrationUpdates struct {
	r  *Runner
	at RegistrationPlace
	of Inputs
}

// Do implements bulk.Write.
func (w *registrationUpdates) Do(ctx context.Context, items []Item, gate bulk.Gate, report func(Result)) error {
	return oneByOne(items, report, func(it Item) (res Result) {
		res.Item, res.ID = it, it.Key
		in, err := w.of(it)
		if err != nil {
			res.Outcome, res.Err = Skipped, err
			return res
		}
		before, err := w.r.FindRegistration(ctx, w.at, it.Key)
		switch {
		case exit.Of(err) == exit.NotFound:
			res.Outcome, res.Err = Failed, err
		case err != nil:
			res.Outcome, res.Err = Skipped, err
		default:
			res.Outcome, res.Err = w.r.Through(gate).updateRegistration(ctx, w.at, *before, in)
		}
		return res
	})
}

// Settle implements bulk.Write. What cannot be read back may be sent again: to
// set the same values twice does no harm.
func (w *registrationUpdates) Settle(ctx context.Context, items []Item, _ time.Time, report func(Result)) (rest []Item, err error) {
	for _, it := range items {
		in, err := w.of(it)
		if err != nil {
			return nil, err
		}
		reg, err := w.r.FindRegistration(ctx, w.at, it.Key)
		switch {
		case err != nil && exit.Of(err) != exit.NotFound:
			return nil, err
		case err == nil && reached(reg, in) && readsWhole(in):
			report(Result{Item: it, Outcome: Done, ID: it.Key})
		default:
			rest = append(rest, it)
		}
	}
	return rest, nil
}

// updateRegistration changes one. before is what was read of it. A lost answer
// is settled by reading it again: changed is done, unchanged is sent once more.
// A change of what cannot be read, such as a password, stays unknown then.
func (r *Runner) updateRegistration(ctx context.Context, at RegistrationPlace, before cmapi.Registration, in cmapi.RegistrationInput) (Outcome, error) {
	call, err := cmapi.NewUpdateRegistration(at.Kind, at.ProcID, in)
	if err != nil {
		return Failed, err
	}
	for round := 1; ; round++ {
		_, _, err := r.exchange(ctx, call)
		switch lost := lostAnswer(err); {
		case lost != nil:
			const hint = "run the same command again: setting the same values twice does no harm"
			o, again := r.settleUpdate(context.WithoutCancel(ctx), at, &before, in)
			switch {
			case o == Unknown:
				return Unknown, unsettled(lost, hint, "what was to be changed cannot be read back")
			case !again:
				return o, nil
			case round >= lostRounds || lost.Fault == cmapi.FaultTimeout:
				return Unknown, unsettled(lost, hint, "the registration reads unchanged so far")
			}
			r.notice("reg update: the answer was lost and the registration reads unchanged; sending it again")
		case err != nil:
			return refusedOrUnsent(err), err
		default:
			return r.confirmUpdate(context.WithoutCancel(ctx), at, &before, in)
		}
	}
}

// settleUpdate reads the registration until it is as wished. again says that it
// reads unchanged: then nothing was carried out.
func (r *Runner) settleUpdate(ctx context.Context, at RegistrationPlace, before *cmapi.Registration, in cmapi.RegistrationInput) (o Outcome, again bool) {
	for _, wait := range settleWaits {
		if wait > 0 && r.pause(ctx, wait) != nil {
			break
		}
		after, err := r.FindRegistration(ctx, at, in.RegID)
		switch {
		case err != nil:
			o, again = Unknown, false // tried again, and in vain the last time
		case reached(after, in) && !reached(before, in):
			return Done, false
		case reached(after, in) && readsWhole(in):
			return Already, false
		case reached(after, in):
			o, again = Unknown, false // the rest cannot be read
		default:
			o, again = "", true
		}
	}
	return o, again
}

// confirmUpdate reads back what the gateway called done.
func (r *Runner) confirmUpdate(ctx context.Context, at RegistrationPlace, before *cmapi.Registration, in cmapi.RegistrationInput) (Outcome, error) {
	for _, wait := range settleWaits {
		if wait > 0 && r.pause(ctx, wait) != nil {
			break
		}
		after, err := r.FindRegistration(ctx, at, in.RegID)
		switch {
		case err != nil: // not to be read now: the gateway's word stands
			return Done, nil
		case reached(after, in) && reached(before, in) && readsWhole(in):
			return Already, nil
		case reached(after, in), moved(before, after, in):
			return Done, nil
		}
	}
	return Failed, exit.New(exit.Failure, "`cmctl reg list` shows how it is now", "the gateway said done but the registration reads unchanged")
}

// readable are the fields of a wish that a list shows, as the registration has
// them and as they are wanted.
func readable(reg *cmapi.Registration, in cmapi.RegistrationInput) (has, want []string) {
	for _, f := range [][2]string{{reg.FQDN, in.FQDN}, {reg.Status, in.Status}, {reg.Validity, in.Validity}} {
		if f[1] != "" {
			has, want = append(has, strings.ToLower(f[0])), append(want, strings.ToLower(f[1]))
		}
	}
	return has, want
}

// readsWhole says whether everything wished can be read back. A validity in
// days cannot: to set the same again may start it anew.
func readsWhole(in cmapi.RegistrationInput) bool {
	if in.Validity != "" && in.Validity != cmapi.ValidityAlways {
		return false
	}
	in.RegID, in.FQDN, in.Status, in.Validity = "", "", "", ""
	return in == cmapi.RegistrationInput{}
}

// reached says whether everything wished that can be read is so.
func reached(reg *cmapi.Registration, in cmapi.RegistrationInput) bool {
	has, want := readable(reg, in)
	return slices.Equal(has, want)
}

// moved says whether any of it has changed.
func moved(before, after *cmapi.Registration, in cmapi.RegistrationInput) bool {
	was, _ := readable(before, in)
	is, _ := readable(after, in)
	return !slices.Equal(was, is)
}
