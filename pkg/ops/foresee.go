package ops

import (
	"context"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// Foresee tells what a change would come to for a certificate as a look-up
// gives it: done, already, or failed and why. Nothing is sent. An error of the
// look-up other than that it is not known is Unknown.
func (w *StateChange) Foresee(certID string, c *cmapi.Certificate, err error) (Outcome, error) {
	switch {
	case exit.Of(err) == exit.NotFound:
		return Failed, &cmapi.ItemError{CertID: certID, Code: cmapi.ItemMissing}
	case err != nil:
		return Unknown, err
	case w.reached(c):
		return Already, nil
	}
	if barred := w.barred(c); barred != nil {
		barred.CertID = certID
		return Failed, barred
	}
	return Done, nil
}

// ForeseeImport looks for a certificate by serial and issuer and tells what an
// import of it would come to; the Result's ID is the certid of one that is
// there. Nothing is sent.
func (r *Runner) ForeseeImport(ctx context.Context, it Item) Result {
	res := Result{Item: it, Outcome: Unknown}
	want, err := UnpackImport(it.Data)
	if err != nil {
		res.Err = err
		return res
	}
	c, err := r.findImported(ctx, want.Certificate)
	switch {
	case err != nil:
		res.Err = err
		return res
	case c == nil:
		res.Outcome = Done
		return res
	}
	im := &importer{Runner: r, items: []Item{it}, certs: []*ImportItem{want}}
	res, _ = im.judge(0, c, nil, nil)
	if res.Outcome == Done {
		res.Outcome = Already
		return res
	}
	res.Err = &refusalAhead{res.Err}
	return res
}

// refusalAhead is what stands in the way of an import: the gateway refuses it as
// a bad field, which is a Failure.
type refusalAhead struct{ error }

func (e *refusalAhead) Unwrap() error       { return e.error }
func (e *refusalAhead) ExitCode() exit.Code { return exit.Failure }
func (e *refusalAhead) Hint() string        { return exit.HintOf(e.error) }

// ForeseeRegistration tells what a new registration would come to: sameName says
// that there is another of its name, which stands in the way of nothing.
func (r *Runner) ForeseeRegistration(ctx context.Context, at RegistrationPlace, it Item, fqdn string) (res Result, sameName bool) {
	res = Result{Item: it, Outcome: Done}
	before, err := r.RegistrationsNamed(ctx, at, fqdn)
	if code := exit.Of(err); err != nil && !refusedRead(err) && (code == exit.Unavailable || code == exit.Identity || code >= exit.Hangup) {
		res.Outcome, res.Err = Unknown, err
	}
	return res, len(before) > 0
}

// ForeseeUpdate reads a registration and tells what a change of it would come
// to. secret says that it is to have a new one, which cannot be read.
func (r *Runner) ForeseeUpdate(ctx context.Context, at RegistrationPlace, it Item, in cmapi.RegistrationInput, secret bool) (Result, *cmapi.Registration) {
	res := Result{Item: it, Outcome: Done, ID: it.Key}
	before, err := r.FindRegistration(ctx, at, it.Key)
	switch {
	case exit.Of(err) == exit.NotFound:
		res.Outcome, res.Err = Failed, err
	case err != nil:
		res.Outcome, res.Err = Unknown, err
	case !secret && reached(before, in) && readsWhole(in):
		res.Outcome = Already
	}
	return res, before
}
