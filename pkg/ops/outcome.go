package ops

import (
	"encoding/json"
	"errors"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// Outcome is how one item ended.
type Outcome string

// The outcomes. Already is success: what was asked for was true before.
const (
	Done    Outcome = "done"
	Already Outcome = "already"
	Failed  Outcome = "failed"
	Unknown Outcome = "unknown" // sent, the answer lost, and the state cannot be told
	Skipped Outcome = "skipped" // never sent
)

// Item is one certificate to change, and where the officer named it.
type Item struct {
	CertID string
	Line   int    // in the list it came from, from 1; 0 when it was an argument
	Input  string // as written there
}

// Result is the outcome of one item.
type Result struct {
	Item
	Outcome Outcome
	Err     error // why it failed, is unknown or was skipped
}

// MarshalJSON writes the record of a write:
// {"certid":"10003","outcome":"failed","line":4,"input":"10003","error":{"code":907,"message":"..."}}.
func (r Result) MarshalJSON() ([]byte, error) {
	out := struct {
		CertID  string  `json:"certid"`
		Outcome Outcome `json:"outcome"`
		Line    int     `json:"line,omitempty"`
		Input   string  `json:"input,omitempty"`
		Error   *Reason `json:"error,omitempty"`
	}{r.CertID, r.Outcome, r.Line, r.Input, ReasonOf(r.Err)}
	return json.Marshal(out)
}

// Reason is an error in a record: the gateway's code, 0 when it has none, and
// words.
type Reason struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// ReasonOf turns an error into a record's reason; nil for nil.
func ReasonOf(err error) *Reason {
	if err == nil {
		return nil
	}
	r := &Reason{Message: err.Error()}
	var item *cmapi.ItemError
	var call *cmapi.Error
	switch {
	case errors.As(err, &item):
		r.Code = item.Code
	case errors.As(err, &call):
		r.Code = call.Code
	}
	return r
}

// Counts is how many items ended in each way.
type Counts map[Outcome]int

// Count counts results.
func Count(results []Result) Counts {
	c := Counts{}
	for _, r := range results {
		c[r.Outcome]++
	}
	return c
}

// ExitCode is how a write on several items ends: what stopped it wins; else 0
// when everything is done or already so; else Partial when something is; else
// the code that all failures share, or Failure.
func ExitCode(results []Result, stop error) exit.Code {
	if stop != nil {
		return exit.Of(stop)
	}
	good, shared := 0, exit.OK
	for _, r := range results {
		if r.Outcome == Done || r.Outcome == Already {
			good++
			continue
		}
		code := exit.Of(r.Err)
		if r.Outcome == Unknown {
			code = exit.Unavailable
		}
		switch shared {
		case exit.OK:
			shared = code
		case code:
		default:
			shared = exit.Failure
		}
	}
	switch {
	case good == len(results):
		return exit.OK
	case good > 0:
		return exit.Partial
	}
	return shared
}
