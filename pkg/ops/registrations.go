package ops

import (
	"context"
	"errors"
	"strings"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// RegistrationPlace is where registrations are: a procedure, by its id, and the
// path of a kind below it.
type RegistrationPlace struct {
	Kind   cmapi.RegistrationKind
	ProcID string
}

// FindRegistration reads one registration; there being none is NotFound.
func (r *Runner) FindRegistration(ctx context.Context, at RegistrationPlace, regID string) (*cmapi.Registration, error) {
	list, err := r.Client.Registrations.List(ctx, at.Kind, at.ProcID, cmapi.RegistrationFilter{RegID: regID})
	if err != nil {
		return nil, err
	}
	for i := range list { // also where a gateway takes no notice of the filter
		if list[i].RegID == regID {
			return &list[i], nil
		}
	}
	return nil, exit.New(exit.NotFound, "`cmctl reg list` shows those of a procedure, with --type those of a type",
		"no registration %s under procedure %s", regID, at.ProcID)
}

// RegistrationsNamed reads the registrations that have this name already.
func (r *Runner) RegistrationsNamed(ctx context.Context, at RegistrationPlace, fqdn string) ([]cmapi.Registration, error) {
	list, err := r.Client.Registrations.List(ctx, at.Kind, at.ProcID, cmapi.RegistrationFilter{FQDN: fqdn})
	if err != nil {
		return nil, err
	}
	var named []cmapi.Registration
	for _, reg := range list {
		if strings.EqualFold(reg.FQDN, fqdn) {
			named = append(named, reg)
		}
	}
	return named, nil
}

// unsettled is the error of a write that was sent, its answer lost, and what
// came of it not to be told.
func unsettled(cause error, hint, what string) error {
	return exit.New(exit.Unavailable, hint, "the answer was lost and %s: %w", what, cause)
}

// lostAnswer is the error as one that leaves the fate of a write open; nil for
// every other.
func lostAnswer(err error) *cmapi.Error {
	var call *cmapi.Error
	if errors.As(err, &call) && call.Lost {
		return call
	}
	return nil
}

// refusedOrUnsent is the outcome of a write whose fate is not open: Failed, or
// Skipped when the key failed or the caller ended it and nothing was asked.
func refusedOrUnsent(err error) Outcome {
	var call *cmapi.Error
	if errors.As(err, &call) && call.Fault != cmapi.FaultEnded {
		return Failed
	}
	return Skipped
}

// refusedRead tells an answer that refuses to read, in a gateway's words: what
// is to be written may be allowed all the same.
func refusedRead(err error) bool {
	var call *cmapi.Error
	return errors.As(err, &call) && call.Fault == cmapi.FaultGateway && call.ExitCode() != exit.Unavailable
}
