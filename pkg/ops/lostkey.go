package ops

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// LostKeyError says that the answer with a key that the server made was lost.
// Nobody has the key, so a certificate that was issued for it is to be revoked.
type LostKeyError struct {
	CertIDs []string     // what may have been issued: one is sure, of several one
	Serials []pki.Serial // of each
	CN      string
	Err     error
}

// Error names the certificate.
func (e *LostKeyError) Error() string {
	what := "no new certificate of this subject is found so far"
	switch len(e.CertIDs) {
	case 0:
	case 1:
		what = "certificate " + e.CertIDs[0] + " was issued for it"
	default:
		what = "one of the certificates " + strings.Join(e.CertIDs, ", ") + " was issued for it"
	}
	return fmt.Sprintf("the answer was lost and the key with it; %s: %v", what, e.Err)
}

// Unwrap returns the cause.
func (e *LostKeyError) Unwrap() error { return e.Err }

// ExitCode is Failure when a certificate is to be revoked, else that of a
// gateway worth another try.
func (e *LostKeyError) ExitCode() exit.Code {
	if len(e.CertIDs) > 0 {
		return exit.Failure
	}
	return exit.Unavailable
}

// Hint says what to do before asking again.
func (e *LostKeyError) Hint() string {
	switch len(e.CertIDs) {
	case 0:
		find := "`cmctl cert search --valid-from-after -1h`"
		if e.CN != "" {
			find = fmt.Sprintf("`cmctl cert search --cn %q --valid-from-after -1h`", e.CN)
		}
		return "look with " + find + " before asking again: a certificate whose key nobody has must be revoked"
	case 1:
		return "revoke it with `cmctl cert revoke " + e.CertIDs[0] + " --reason superseded`, then ask again"
	}
	return "find out which is whose with `cmctl cert show`, and revoke the one that nobody has the key of"
}

// KeyedSince looks for what a request brought about that was sent at a time and
// whose key the server made: a *LostKeyError names it, nil says that there is
// nothing.
func (r *Runner) KeyedSince(ctx context.Context, cn string, validFrom, sent time.Time) error {
	found, err := r.arrivals(ctx, r.leftBehind(cn, validFrom, sent))
	if err != nil || len(found) == 0 {
		return err
	}
	lost := &LostKeyError{CN: cn, Err: errors.New("an earlier run was broken off")}
	lost.name(found)
	return lost
}

func (e *LostKeyError) name(found []cmapi.Certificate) {
	for _, c := range found {
		e.CertIDs, e.Serials = append(e.CertIDs, c.CertID), append(e.Serials, c.Serial)
	}
}

// settleLostKey looks for what a lost answer may have brought about.
func (r *Runner) settleLostKey(ctx context.Context, want *wanted, cause error) error {
	r.notice("the answer was lost, and the key with it; looking for the certificate")
	lost := &LostKeyError{CN: want.cn}
	var searchErr error
	for _, wait := range settleWaits {
		if wait > 0 && r.pause(ctx, wait) != nil {
			break
		}
		var found []cmapi.Certificate
		if found, searchErr = r.arrivals(ctx, want); len(found) > 0 {
			lost.name(found)
			break
		}
	}
	lost.Err = errors.Join(cause, searchErr)
	return lost
}

// UnusableError is an answer that came and is not what was asked for: it is
// kept, since it cannot be had again, and nothing is called done.
type UnusableError struct {
	Got *Issuance
	Err error
}

// Error tells what is wrong with it.
func (e *UnusableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UnusableError) Unwrap() error { return e.Err }

// ExitCode is Failure, whatever the reader of the answer says.
func (e *UnusableError) ExitCode() exit.Code { return exit.Failure }
