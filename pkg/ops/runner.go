package ops

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// Runner carries writes out on one gateway.
type Runner struct {
	Client *cmapi.Client
	Signer cmapi.Signer

	// Verify is how much of what the gateway calls done is read back.
	Verify Verify

	// Drill does everything but send the signed request.
	Drill bool

	// Notice is told, in words for people, what takes time or was tried again.
	Notice func(string)

	gate   bulk.Gate
	shared *memory                                    // of a run, among its batches
	sleep  func(context.Context, time.Duration) error // tests replace it
	swift  bool                                       // tests: no page takes long, however busy the machine is
}

// NewRunner makes a Runner for one run.
func NewRunner(client *cmapi.Client, signer cmapi.Signer) *Runner {
	return &Runner{Client: client, Signer: signer, shared: &memory{}}
}

// memory is what the batches of a run know from each other.
type memory struct {
	mu     sync.Mutex
	issued map[string]bool // certids that Issue brought about
	clock  clock
	keys   map[string]*sync.Mutex // of public keys that are asked for
}

// alone waits until no other request for a certificate of this key is under
// way: after a lost answer one would pass for the other.
func (m *memory) alone(spki []byte) (unlock func()) {
	m.mu.Lock()
	if m.keys == nil {
		m.keys = map[string]*sync.Mutex{}
	}
	key := m.keys[string(spki)]
	if key == nil {
		key = &sync.Mutex{}
		m.keys[string(spki)] = key
	}
	m.mu.Unlock()
	key.Lock()
	return key.Unlock
}

func (r *Runner) memory() *memory {
	if r.shared == nil {
		r.shared = &memory{}
	}
	return r.shared
}

// NoteIssued tells of a certificate that an earlier run had issued: it is not
// the one that a request sent just after it brought about.
func (r *Runner) NoteIssued(certID string) { r.memory().noteIssued(certID) }

func (m *memory) noteIssued(certID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.issued == nil {
		m.issued = map[string]bool{}
	}
	m.issued[certID] = true
}

func (m *memory) issuedSoFar() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.issued)
}

// Verify is how much of a write is read back.
type Verify string

// The choices of --verify.
const (
	VerifyAll    Verify = "all"
	VerifySample Verify = "sample" // one request in ten, and whatever was odd
	VerifyNone   Verify = "none"   // only what was odd
)

// Through is the runner for one batch, whose requests pass the gate.
func (r *Runner) Through(g bulk.Gate) *Runner {
	b := *r
	b.gate = g
	return &b
}

// freely is the gate of a write on its own.
type freely struct{}

func (freely) Ask(context.Context) (func(), error)                               { return func() {}, nil }
func (freely) Sign(context.Context) (func(), error)                              { return func() {}, nil }
func (freely) Send(context.Context) (func(), error)                              { return func() {}, nil }
func (freely) Together(_ context.Context, x any, do func(all []any, alone bool)) { do([]any{x}, true) }

// staleAfter is how old octets to sign are that may no longer be good: those
// that waited for the key or for their turn.
const staleAfter = time.Second

// exchange is one signed request and its answer; sentAt is the gateway's time
// when it was sent. The answer to a request that may change something is
// waited for even when ctx has ended.
func (r *Runner) exchange(ctx context.Context, req cmapi.Request) (sentAt time.Time, a *cmapi.Answer, err error) {
	if ctx.Err() != nil {
		return time.Time{}, nil, context.Cause(ctx)
	}
	gate := r.gate
	if gate == nil {
		gate = freely{}
	}
	drain := cmapi.Drain(ctx)
	r.Client.LearnTime(ctx) // by which the journal notes what a gateway that signs by itself may carry out
	leave, err := gate.Ask(ctx)
	if err != nil {
		return time.Time{}, nil, err
	}
	begun := time.Now()
	sentAt = r.Client.Now()
	p, a, err := r.Client.Prepare(drain, req)
	fetched := time.Now()
	leave()
	switch {
	case err != nil:
		return sentAt, nil, err
	case a != nil: // VRO: the gateway signed, it is done
		if !a.Date.IsZero() {
			sentAt = a.Date.Add(-time.Since(begun))
		}
		return sentAt, a, nil
	}
	for again := true; ; again = false {
		signature, err := r.sign(ctx, gate, p.DataToSign)
		if err != nil {
			return time.Time{}, nil, err
		}
		if r.Drill {
			return p.ServerTime, nil, errDrill
		}
		if leave, err = gate.Send(ctx); err != nil {
			return time.Time{}, nil, err
		}
		waited := time.Since(fetched)
		sentAt = r.memory().clock.sends(p.ServerTime.Add(waited))
		a, err = r.Client.Submit(drain, p, signature)
		leave()
		var stale *cmapi.StaleError
		if again && waited > staleAfter && errors.As(err, &stale) {
			p, fetched = stale.Fresh, time.Now()
			continue
		}
		return sentAt, a, err
	}
}

func (r *Runner) sign(ctx context.Context, gate bulk.Gate, data []byte) ([]byte, error) {
	leave, err := gate.Sign(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	signature, err := r.Signer.SignCMS(ctx, data)
	switch {
	case ctx.Err() != nil: // also the cause of a question for the PIN that was broken off
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, &keyError{err}
	}
	return signature, nil
}

// errDrill is how an exchange of a drill ends: with a signature that nobody is
// sent.
var errDrill = exit.New(exit.OK, "", "drill: it was signed and not sent")

// keyError is a failure of the signing key: nothing that changes anything was
// sent.
type keyError struct{ err error }

func (e *keyError) Error() string { return e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// ExitCode is that of the cause, Key when it has none.
func (e *keyError) ExitCode() exit.Code {
	if c := exit.Of(e.err); c != exit.Failure {
		return c
	}
	return exit.Key
}

// stopping tells whether an error ends the whole run: the next batch would
// meet it as well, or it must not be sent.
func stopping(err error) error {
	var call *cmapi.Error
	if err == nil || errors.Is(err, errDrill) {
		return nil
	}
	if !errors.As(err, &call) {
		return err
	}
	if len(call.Items) > 0 || call.Lost {
		return nil
	}
	if call.Fault == cmapi.FaultEnded {
		return call.Err // nothing of this request is under way
	}
	switch call.ExitCode() {
	case exit.Refused, exit.Unavailable, exit.Identity, exit.Key:
		return err
	}
	return nil
}

// reportUnsent reports items whose request was refused, or never sent.
func reportUnsent(batches [][]Item, stop error, report func(Result)) {
	outcome := Failed
	if !errors.As(stop, new(*cmapi.Error)) {
		outcome = Skipped // the key failed or the caller ended it: the gateway was not asked
	}
	for _, b := range batches {
		for _, it := range b {
			report(Result{Item: it, Outcome: outcome, Err: stop})
		}
	}
}

// notSent is the error of an item whose turn never came.
func notSent(stop error) error { return fmt.Errorf("not sent: %w", stop) }

func (r *Runner) notice(s string) {
	if r.Notice != nil {
		r.Notice(s)
	}
}

// Patience waits until what an earlier run sent at a time has had as long to show
// as a lost answer has: a gateway whose caller was killed may still be at work.
// It says whether it has waited, and another look is due.
func (r *Runner) Patience(ctx context.Context, sent time.Time) bool {
	var long time.Duration
	for _, wait := range settleWaits {
		long += wait
	}
	left := long - r.Client.Now().Sub(sent)
	return left > 0 && r.pause(ctx, min(left, long)) == nil
}

func (r *Runner) pause(ctx context.Context, d time.Duration) error {
	if r.sleep != nil {
		return r.sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
