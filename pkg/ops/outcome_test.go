package ops

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

func TestExitCode(t *testing.T) {
	done, already := Result{Outcome: Done}, Result{Outcome: Already}
	failed := func(code int) Result { return Result{Outcome: Failed, Err: &cmapi.ItemError{Code: code}} }
	unknown := Result{Outcome: Unknown, Err: errors.New("who knows")}
	skipped := Result{Outcome: Skipped, Err: errors.New("not sent")}
	for _, c := range []struct {
		name    string
		results []Result
		stop    error
		want    exit.Code
	}{
		{"nothing to do", nil, nil, exit.OK},
		{"all done or already", []Result{done, already}, nil, exit.OK},
		{"some failed", []Result{done, failed(907)}, nil, exit.Partial},
		{"already counts as done", []Result{already, failed(901)}, nil, exit.Partial},
		{"all not found", []Result{failed(907), failed(907)}, nil, exit.NotFound},
		{"all in the wrong state", []Result{failed(901), failed(910), failed(906)}, nil, exit.WrongState},
		{"all refused", []Result{failed(902), failed(909), failed(908)}, nil, exit.Refused},
		{"of two kinds", []Result{failed(901), failed(907)}, nil, exit.Failure},
		{"of two kinds, then of the first again", []Result{failed(901), failed(907), failed(901)}, nil, exit.Failure},
		{"no code", []Result{{Outcome: Failed, Err: errors.New("x")}}, nil, exit.Failure},
		{"no code, then one", []Result{{Outcome: Failed, Err: errors.New("x")}, failed(907)}, nil, exit.Failure},
		{"unknown", []Result{unknown}, nil, exit.Unavailable},
		{"unknown and done", []Result{unknown, done}, nil, exit.Partial},
		{"stopped wins over done", []Result{done, skipped}, exit.New(exit.Key, "", "x"), exit.Key},
		{"stopped by a signal", []Result{done, skipped}, fmt.Errorf("not sent: %w", exit.New(exit.Terminated, "", "x")), exit.Terminated},
		{"stopped wins over all done", []Result{done}, exit.New(exit.Refused, "", "x"), exit.Refused},
	} {
		if got := exitCode(c.results, c.stop); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestRecord: the record of a write, as the contract has it.
func TestRecord(t *testing.T) {
	call := &cmapi.Error{Operation: "revokeCertificate", Code: -17, Message: "no"}
	for _, c := range []struct {
		name string
		res  Result
		want string
	}{
		{"done", Result{Item: Item{Key: "10003"}, Outcome: Done}, `{"certid":"10003","outcome":"done"}`},
		{"from a list", Result{Item: Item{Key: "10003", Line: 4, Input: "0x12"}, Outcome: Already}, `{"certid":"10003","outcome":"already","line":4,"input":"0x12"}`},
		{
			"an item's code", Result{Item: Item{Key: "1", Line: 1}, Outcome: Failed, Err: &cmapi.ItemError{CertID: "1", Code: 907, Message: "gone"}},
			`{"certid":"1","outcome":"failed","line":1,"input":"1","error":{"code":907,"message":"certificate missing (907): gone"}}`,
		},
		{
			"a call's code", Result{Item: Item{Key: "1"}, Outcome: Skipped, Err: fmt.Errorf("not sent: %w", call)},
			`{"certid":"1","outcome":"skipped","error":{"code":-17,"message":"not sent: the gateway answered -17, bad signature: no (revokeCertificate)"}}`,
		},
		{"no code", Result{Item: Item{Key: "1"}, Outcome: Unknown, Err: errors.New("lost")}, `{"certid":"1","outcome":"unknown","error":{"code":0,"message":"lost"}}`},
	} {
		got, err := json.Marshal(RecordOf(c.res))
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

// TestWords: what questions and messages say of each change.
func TestWords(t *testing.T) {
	for _, c := range []struct {
		change               *StateChange
		verb, describe, undo string
	}{
		{Revoke(pki.KeyCompromise), "revoke", "revoke with reason keyCompromise", ""},
		{Revoke(pki.CertificateHold), "hold", "put on hold", "cmctl cert reinstate"},
		{Hold(), "hold", "put on hold", "cmctl cert reinstate"},
		{Reinstate(), "reinstate", "reinstate", "cmctl cert hold"},
	} {
		if c.change.Verb != c.verb || c.change.Describe != c.describe || c.change.Undo != c.undo {
			t.Errorf("%+v", c.change)
		}
	}
}
