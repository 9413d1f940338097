package cmdutil

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// OutcomeFields are the columns that the record of every write has behind its
// identifier. of takes the outcome out of a record.
func OutcomeFields[T any](of func(T) ops.Result) []output.Field[T] {
	return []output.Field[T]{
		{Name: "outcome", Value: func(v T) string { return string(of(v).Outcome) }, Tone: func(v T) output.Tone { return outcomeTone(of(v).Outcome) }},
		{Name: "code", Value: func(v T) string { return CodeText(of(v).Err) }},
		{Name: "message", Value: func(v T) string { return MessageText(of(v).Err) }, Flex: true},
		{Name: "line", Value: func(v T) string { return LineText(of(v).Line) }, Where: output.NotInTable},
		{Name: "input", Value: func(v T) string { return ops.InputOf(of(v).Item) }, Where: output.NotInTable},
	}
}

func outcomeTone(o ops.Outcome) output.Tone {
	switch o {
	case ops.Failed:
		return output.Bad
	case ops.Unknown, ops.Skipped:
		return output.Warn
	}
	return output.Plain
}

// CodeText is the gateway's code of an error; "" when it has none.
func CodeText(err error) string {
	if reason := ops.ReasonOf(err); reason != nil && reason.Code != 0 {
		return strconv.Itoa(reason.Code)
	}
	return ""
}

// MessageText is an error in words; "" for none.
func MessageText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// LineText is a line of a list; "" for none.
func LineText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Ending is what the error of a write is made of.
type Ending struct {
	Verb     string
	Name     func(bulk.Result) string // how messages call an item
	Again    string                   // what to do after a run that was stopped and has no journal
	Job      string                   // its name; empty: no journal
	Ref      string                   // how commands name it
	Excluded int
	Summary  bulk.Summary
	Drill    bool

	Closed bool // nothing is left to go on with

	Before bool        // earlier runs worked on the job too
	Whole  *bulk.Tally // then, how all of its items stand
}

// Err is how a write ends: nothing for success, else an error that names the
// one item, or counts. The tally is of what this run settled.
func (e Ending) Err(f *Factory, t *bulk.Tally, stop error) error {
	total := t.Counts.Total()
	text, all := CountsText(t.Counts), CountsText(t.Counts)
	if e.Before && !maps.Equal(e.Whole.Counts, t.Counts) {
		all = CountsText(e.Whole.Counts)
		text = fmt.Sprintf("this run: %s; all of the job: %s", text, all)
	}
	if e.Drill {
		text = drillText(t)
	}
	if e.Excluded > 0 {
		text += fmt.Sprintf(", %d excluded", e.Excluded)
	}
	if t.LeftOut > 0 {
		text += ", " + Plural(t.LeftOut, "wrong line") + " left out"
	}
	if e.Job != "" {
		text += "; job " + e.Job
	}
	if total != 1 || e.Job != "" {
		for _, l := range Exclusions(e.Summary) {
			f.Notice("%s", l)
		}
		f.Notice("%s", text)
	}
	whole := t
	if e.Before {
		whole = e.Whole
	}
	code := whole.ExitCode(stop)
	switch {
	case code == exit.OK:
		return nil
	case stop == nil && whole.Bad() == 0:
		return LeftOutError(t.LeftOut)
	case stop != nil && t.First == nil && total == 1 && !e.Before: // it is done, and something else is wrong
		return exit.New(code, e.hint(code, stop), "%w", stop)
	case stop != nil && total == 1 && t.First != nil && e.Again == "":
		return exit.New(code, e.hint(code, stop), "%s: %w", e.Name(*t.First), stop)
	case stop != nil:
		return exit.New(code, e.hint(code, stop), "%s: %s; %w", e.Verb, all, stop)
	case total == 1 && t.First != nil:
		return exit.New(code, "", "%s: %w", e.Name(*t.First), t.First.Err)
	case t.First == nil: // of an earlier run
		return exit.New(code, reportHint(e.Ref), "%s: %s", e.Verb, all)
	}
	return exit.New(code, exit.HintOf(t.First.Err), "%d of %d not done, the first: %s: %v", t.Bad(), total, e.Name(*t.First), t.First.Err)
}

// reportHint is where to read what became of each item of a job.
func reportHint(ref string) string {
	if ref == "" {
		return ""
	}
	return "`cmctl job report " + ref + "` tells what became of each item"
}

// LeftOutError is how a write ends that --skip-invalid left lines out of, with
// all others as they should be.
func LeftOutError(n int) error {
	return exit.New(exit.Partial, "correct them and run them alone", "%s of the list left out by --skip-invalid", Plural(n, "line"))
}

// hint says how to go on where that may help. What refuses the officer, the
// key or the gateway has its own advice and comes back the same.
func (e Ending) hint(code exit.Code, stop error) string {
	again := e.Again
	switch {
	case e.Job == "":
	case e.Closed:
		again = "" // the same command would make another plan
	default:
		again = "`cmctl job resume " + e.Ref + "` goes on where it stopped"
	}
	switch hint := exit.HintOf(stop); {
	case hint == "", again != "" && (code == exit.Unavailable || code >= exit.Hangup):
		return again
	case e.Job != "" && !e.Closed:
		return hint + "; then " + again
	default:
		return hint
	}
}

// drillText is "drill: 60 signed, nothing sent".
func drillText(t *bulk.Tally) string {
	text := fmt.Sprintf("drill: %d signed", t.Signed)
	if rest := t.Counts.Total() - t.Signed; rest > 0 {
		text += fmt.Sprintf(", %d not", rest)
	}
	return text + ", nothing sent"
}

// CountsText is "3 done, 1 failed": all that is not none.
func CountsText(c bulk.Counts) string {
	text := ""
	for _, o := range bulk.Outcomes() {
		if c[o] > 0 || o == ops.Done {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", c[o], o)
		}
	}
	return text
}

// ProgressText is "1200 of 10000: 1180 done, 20 failed; 512 a second, 17s left".
func ProgressText(p bulk.Progress) string {
	text := fmt.Sprintf("%d of %d: %s", p.Counts.Total(), p.Total, CountsText(p.Counts))
	if p.Rate > 0 {
		text += fmt.Sprintf("; %.0f a second, %s left", p.Rate, p.Left.Round(time.Second))
	}
	return text
}
