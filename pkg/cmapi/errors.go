package cmapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Codes of the `error` member of an answer.
const (
	CodeOK                = 0
	CodeGeneral           = -1
	CodeMissingField      = -7
	CodeEncoding          = -8
	CodeNotInitialized    = -12
	CodeBadValue          = -14
	CodePrivilege         = -15
	CodeBadSignature      = -17
	CodeConnection        = -18
	CodeSignatureRequired = -19
	CodeTooMany           = -40
)

// Codes of an entry of `errors` in the answers of revokeCertificate and
// reinstateCertificate.
const (
	ItemAlreadyRevoked    = 901
	ItemAccessDenied      = 902
	ItemIncorrectPassword = 903
	ItemFreeText          = 904
	ItemAlreadyOnHold     = 906
	ItemMissing           = 907
	ItemNotSigned         = 908
	ItemNotVisible        = 909
	ItemNotOnHold         = 910
	ItemNoRevocation      = 911
)

type meaning struct {
	text string
	exit exit.Code
	hint string
}

var codeMeanings = map[int]meaning{
	CodeGeneral:           {"general error", exit.Failure, "the gateway's log has the details"},
	CodeMissingField:      {"missing field", exit.Failure, "the gateway wants a field that was not sent; this may be a newer gateway"},
	CodeEncoding:          {"encoding error", exit.Failure, "the gateway could not read what was sent"},
	CodeNotInitialized:    {"not initialized", exit.Unavailable, "the gateway is starting or not connected to CM; try again later"},
	CodeBadValue:          {"bad field value", exit.Failure, "the gateway takes this value of a field for wrong; its words say which, its log may say more"},
	CodePrivilege:         {"privilege error", exit.Refused, "the officer lacks a role that the gateway asks for (requiredRoRoles) or a right on the procedure"},
	CodeBadSignature:      {"bad signature", exit.Refused, "the gateway did not accept the officer's signature: is the signing certificate that of an officer?"},
	CodeConnection:        {"connection error", exit.Unavailable, "the gateway has lost CM; try again later"},
	CodeSignatureRequired: {"signature required", exit.Refused, "the gateway asked for a signature again after it was given one"},
	CodeTooMany:           {"too many requests", exit.Unavailable, "the gateway is busy; try again later"},
	ItemAlreadyRevoked:    {"already revoked", exit.WrongState, "the reason of a revoked certificate cannot be changed"},
	ItemAccessDenied:      {"access denied", exit.Refused, "the officer may not do this to this certificate"},
	ItemIncorrectPassword: {"incorrect password", exit.Failure, "CM wanted a password for this and got none or another; its log has the details"},
	ItemFreeText:          {"refused by CM", exit.Failure, "the words are those of CM; the gateway's log has the details"},
	ItemAlreadyOnHold:     {"already on hold", exit.WrongState, "`cmctl cert reinstate` lifts the hold, `cmctl cert revoke` makes it final"},
	ItemMissing:           {"certificate missing", exit.NotFound, "no certificate has this id; `cmctl cert search` finds ids"},
	ItemNotSigned:         {"request not signed", exit.Refused, "CM wants the request signed by an officer"},
	ItemNotVisible:        {"not visible from domain", exit.Refused, "the certificate belongs to a domain that this officer does not see"},
	ItemNotOnHold:         {"not on hold", exit.WrongState, "only a certificate on hold can be reinstated"},
	ItemNoRevocation:      {"revocation not available", exit.Failure, "this kind of certificate cannot be revoked"},
}

// CodeText is the meaning of a gateway code or an item code in words.
func CodeText(code int) string {
	if m, ok := codeMeanings[code]; ok {
		return m.text
	}
	return fmt.Sprintf("code %d", code)
}

// ItemError is one entry of `errors`: why one certificate id (or one entry of
// an import, by Index) failed.
type ItemError struct {
	CertID        string
	Index         int // arrayindex of an import entry; -1 when absent
	Code          int
	Message       string
	ServerMessage string
	Limit         int // largest allowed length of importdata; 0 when absent
	HTTP          int // status of the answer that named it; 0 when none did
}

// Error tells the code, its meaning and the gateway's own words.
func (e *ItemError) Error() string {
	s := fmt.Sprintf("%s (%d)", CodeText(e.Code), e.Code)
	for _, m := range []string{oneLine(e.Message), oneLine(e.ServerMessage)} {
		if m != "" && !strings.Contains(strings.ToLower(s), strings.ToLower(m)) {
			s += ": " + m
		}
	}
	return s
}

// oneLine keeps a gateway's words from looking like lines of cmctl's own.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// ExitCode is the code that the program ends with when this is all there is.
func (e *ItemError) ExitCode() exit.Code { return exitOf(e.Code) }

// GatewayCode is the code of the entry.
func (e *ItemError) GatewayCode() int { return e.Code }

// Hint says what the officer can do.
func (e *ItemError) Hint() string { return codeMeanings[e.Code].hint }

func exitOf(code int) exit.Code {
	if m, ok := codeMeanings[code]; ok {
		return m.exit
	}
	return exit.Failure
}

// Fault is the kind of trouble behind an Error.
type Fault int

// The kinds of trouble.
const (
	FaultGateway     Fault = iota // the gateway answered with a code
	FaultUnreachable              // no connection, or it broke
	FaultTimeout                  // no whole answer in time
	FaultNonsense                 // an answer that is none of the API's
	FaultIdentity                 // the gateway's certificate is not trusted
	FaultRefused                  // the gateway does not accept the officer's TLS certificate
	FaultRedirect                 // a redirect that is not followed
	FaultKey                      // the officer's own key failed
	FaultEnded                    // the caller's context ended
)

// Error is everything that went wrong with one call.
type Error struct {
	Operation  string // operationId
	Request    string // method and URL; the query has no secrets
	Fault      Fault
	HTTP       int    // status, 0 when there was no answer
	Code       int    // `error` of the answer
	Message    string // `msg` of the answer
	Items      []ItemError
	Excerpt    string        // start of an answer that is a page or text for people
	RetryAfter time.Duration // from the answer; 0 when absent
	Err        error         // cause; may be nil
	hint       string
	sent       bool // the request, or part of it, may have left

	// Lost says that a write may or may not have been carried out: it was sent,
	// or part of it, and no answer that says so came back.
	Lost bool
}

// Error says what happened in one line.
func (e *Error) Error() string {
	switch e.Fault {
	case FaultGateway:
		s := fmt.Sprintf("the gateway answered %d, %s", e.Code, CodeText(e.Code))
		if e.Message != "" && !strings.EqualFold(e.Message, CodeText(e.Code)) {
			s += ": " + oneLine(e.Message)
		}
		return s + e.where()
	case FaultTimeout:
		return "no answer from the gateway in time" + e.where()
	case FaultNonsense:
		s := "the gateway's answer is not one of the CM REST API"
		if e.HTTP != 0 {
			s += fmt.Sprintf(" (HTTP %d %s)", e.HTTP, http.StatusText(e.HTTP))
		}
		if e.Err != nil {
			s += ": " + e.Err.Error()
		}
		if e.Excerpt != "" {
			s += fmt.Sprintf(", it starts %q", e.Excerpt)
		}
		return s + e.where()
	case FaultIdentity:
		return "the gateway's identity is not proven: " + e.cause()
	case FaultRefused:
		if e.HTTP != 0 {
			return fmt.Sprintf("the gateway refuses this officer (HTTP %d)%s", e.HTTP, e.where())
		}
		return "the gateway refuses the officer's TLS certificate: " + e.cause()
	case FaultRedirect:
		return "the gateway redirects and the redirect is not followed: " + e.cause() + e.where()
	case FaultKey:
		return "the officer's key failed in the TLS handshake: " + e.cause()
	case FaultEnded:
		return e.cause()
	default:
		return "the gateway cannot be reached: " + e.cause()
	}
}

func (e *Error) cause() string {
	if e.Err == nil {
		return "no details"
	}
	return e.Err.Error()
}

func (e *Error) where() string {
	if e.Operation == "" {
		return ""
	}
	return " (" + e.Operation + ")"
}

// limit is the largest length of importdata that an entry names; 0: none does.
func (e *Error) limit() int {
	for _, it := range e.Items {
		if it.Code == CodeTooMany && it.Limit > 0 {
			return it.Limit
		}
	}
	return 0
}

// GatewayCode is the `error` of the answer; 0 when there was none.
func (e *Error) GatewayCode() int { return e.Code }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is the code the program ends with.
func (e *Error) ExitCode() exit.Code {
	switch e.Fault {
	case FaultIdentity:
		return exit.Identity
	case FaultRefused:
		return exit.Refused
	case FaultKey:
		return exit.Key
	case FaultEnded:
		return exit.Of(e.Err) // the cause of the end knows: a signal, for one
	case FaultGateway:
		if _, absent := absentHints[e.Operation]; absent && e.Code == CodeBadValue {
			return exit.NotFound
		}
		return exitOf(e.Code)
	default:
		return exit.Unavailable
	}
}

// Hint says what the officer can do.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	switch e.Fault {
	case FaultGateway:
		if e.ExitCode() == exit.NotFound {
			return absentHints[e.Operation]
		}
		return codeMeanings[e.Code].hint
	case FaultUnreachable:
		return "is --server right and the gateway running?"
	case FaultTimeout:
		return "try again later, or give --timeout more time"
	case FaultNonsense:
		return "does --server name the API itself, such as https://host:8444/pgwy/api? A proxy in between answers for it otherwise"
	case FaultIdentity:
		return "--ca-file names the CA certificate to trust, --tls-server-name the name to expect; there is no switch to skip this check"
	case FaultRefused:
		return "is --cert an officer certificate, still valid, from a CA in the gateway's trust store?"
	case FaultRedirect:
		return "give --server the address that it redirects to, if you trust it"
	}
	return ""
}
