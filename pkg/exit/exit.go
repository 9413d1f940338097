// Package exit is the one table of how cmctl ends: the exit codes, what each
// means, and the error type that carries a code, a kind and a hint from the
// place where something went wrong to the top of the program, where it is
// printed once. Help, man pages and reference are printed from Table.
package exit

import (
	"errors"
	"fmt"
)

// Code is a process exit status.
type Code int

// The codes. Scripts rely on them; they never change their meaning.
const (
	OK          Code = 0
	Failure     Code = 1
	Usage       Code = 2
	Partial     Code = 3
	Refused     Code = 4
	NotFound    Code = 5
	WrongState  Code = 6
	Unavailable Code = 7
	Key         Code = 8
	Identity    Code = 9
	Declined    Code = 10
	FailWithin  Code = 11
	WaitOver    Code = 12
	Hangup      Code = 129
	Interrupted Code = 130
	Terminated  Code = 143
)

// Row is one line of the table.
type Row struct {
	Code    Code
	Kind    string // stable word, `kind` in JSON errors
	Meaning string
}

var table = []Row{
	{OK, "ok", "all that was asked for is true on the server (items done, already, or excluded by the officer)"},
	{Failure, "failure", "any other failure"},
	{Usage, "usage", "the command line or the input is wrong; nothing was sent"},
	{Partial, "partial", "some items done, some not; or a listing not proven complete"},
	{Refused, "refused", "refused: officer certificate, privilege, signature (-15, -17, 902, 908, 909)"},
	{NotFound, "not-found", "not found (-14 on details, download, registration of a certificate, accounts; 907)"},
	{WrongState, "wrong-state", "wrong state for what was asked (901 with another reason, 906, 910)"},
	{Unavailable, "unavailable", "gateway unreachable, busy, timed out, or answers nonsense (-12, -18, -40 after retries): worth another try later"},
	{Key, "key", "key, token or PIN"},
	{Identity, "identity", "the gateway's identity is not proven (TLS): never retry this blindly"},
	{Declined, "declined", "the officer declined"},
	{FailWithin, "fail-within", "a report's --fail-within hit"},
	{WaitOver, "wait-over", "a --wait ran out"},
	{Hangup, "hangup", "terminal gone: what was in flight was drained first"},
	{Interrupted, "interrupted", "interrupted: what was in flight was drained first"},
	{Terminated, "terminated", "terminated: what was in flight was drained first"},
}

// Rules is what the table cannot say.
const Rules = `A crash ends with 134. For several items, what stopped the run wins (4, 7, 8, 9,
10, 130); else 0 when every item is done or already; else 3 when at least one is;
else the code that all failures share, or 1.
`

// Table returns the codes in ascending order.
func Table() []Row { return append([]Row(nil), table...) }

// Kind is the stable word for a code, "failure" for one that is not in the table.
func (c Code) Kind() string {
	for _, r := range table {
		if r.Code == c {
			return r.Kind
		}
	}
	return "failure"
}

// Coder is an error that knows its exit code. cmapi.Error is one.
type Coder interface{ ExitCode() Code }

// Hinter is an error that knows what the officer can do about it.
type Hinter interface{ Hint() string }

// Error is an error with the code the program ends with and, where there is
// one, a hint. Message says what is wrong: lower case, no full stop.
type Error struct {
	Code    Code
	Message string
	Advice  string // what to do; empty for none
	Err     error  // cause; may be nil
}

// Error is the message, followed by the cause when there is one.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ExitCode returns Code.
func (e *Error) ExitCode() Code { return e.Code }

// Hint returns Advice or, when there is none, the hint of the cause.
func (e *Error) Hint() string {
	if e.Advice != "" || e.Err == nil {
		return e.Advice
	}
	return HintOf(e.Err)
}

// New makes an error with a code. format may use %w; the cause is kept.
func New(c Code, hint, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: c, Advice: hint, Err: err}
}

// Usagef is New(Usage, ...): the command line or the input is wrong.
func Usagef(hint, format string, args ...any) *Error {
	return New(Usage, hint, format, args...)
}

// Of is the code for an error: OK for nil, the outermost Coder's
// word, else Failure.
func Of(err error) Code {
	if err == nil {
		return OK
	}
	var c Coder
	if errors.As(err, &c) {
		return c.ExitCode()
	}
	return Failure
}

// HintOf is the hint of the first error in the chain that has one, else "".
func HintOf(err error) string {
	for err != nil {
		var h Hinter
		if !errors.As(err, &h) {
			return ""
		}
		if s := h.Hint(); s != "" {
			return s
		}
		next, ok := h.(error)
		if !ok {
			return ""
		}
		err = errors.Unwrap(next)
	}
	return ""
}
