package cmdutil

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// OutcomeFields are the columns that the record of every write has behind its
// identifier. of takes the outcome out of a record.
func OutcomeFields[T any](of func(T) ops.Result) []output.Field[T] {
	return []output.Field[T]{
		{Name: "outcome", Value: func(v T) string { return string(of(v).Outcome) }, Tone: func(v T) output.Tone { return outcomeTone(of(v).Outcome) }},
		{Name: "code", Value: func(v T) string { return codeText(of(v).Err) }},
		{Name: "message", Value: func(v T) string { return messageText(of(v).Err) }, Flex: true},
		{Name: "line", Value: func(v T) string { return lineText(of(v).Line) }, Where: output.NotInTable},
		{Name: "input", Value: func(v T) string { return of(v).Input }, Where: output.NotInTable},
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

func codeText(err error) string {
	if reason := ops.ReasonOf(err); reason != nil && reason.Code != 0 {
		return strconv.Itoa(reason.Code)
	}
	return ""
}

func messageText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func lineText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Report prints the record of each of n items of a write: jsonl as they come,
// other forms in the order of the input. run tells the record of item i. An
// output that is gone does not stop a write; one that cannot be written is told
// behind it, with the command by which to look at what was done.
func Report[T any](opt output.Options, noun output.Noun[T], n int, look string, run func(done func(i int, record T)) error) ([]T, error) {
	w := output.NewWriter(noun, opt)
	records := make([]T, n)
	var printErr error
	keep := func(err error) {
		if printErr == nil && !errors.Is(err, output.ErrClosed) {
			printErr = err
		}
	}
	stop := run(func(i int, record T) {
		records[i] = record
		if opt.Format == output.JSONL {
			keep(w.Write(record))
		}
	})
	if opt.Format != output.JSONL {
		keep(w.Write(records...))
	}
	keep(w.Close())
	if stop == nil && printErr != nil {
		stop = exit.New(exit.Failure, "everything was carried out; look at it with `"+look+"`", "the results cannot be printed: %w", printErr)
	}
	return records, stop
}

// Ending is what the error of a write is made of.
type Ending struct {
	Verb  string
	Name  func(i int) string // which item results[i] is of
	Again string             // what to do after a run that was stopped
}

// Err is how a write ends: nothing for success, else an error that names the
// one item, or counts.
func (e Ending) Err(f *Factory, results []ops.Result, stop error) error {
	counts := ops.Count(results)
	if len(results) > 1 {
		f.Notice("%s", countsText(counts))
	}
	code := ops.ExitCode(results, stop)
	switch {
	case code == exit.OK:
		return nil
	case stop != nil:
		return exit.New(code, e.hint(code, stop), "%s: %s; %w", e.Verb, countsText(counts), stop)
	case len(results) == 1:
		return exit.New(code, "", "%s: %w", e.Name(0), results[0].Err)
	}
	first := 0
	for i, r := range results {
		if r.Err != nil {
			first = i
			break
		}
	}
	bad := len(results) - counts[ops.Done] - counts[ops.Already]
	return exit.New(code, exit.HintOf(results[first].Err), "%d of %d not done, the first: %s: %v", bad, len(results), e.Name(first), results[first].Err)
}

// hint says how to go on where that may help. What refuses the officer, the
// key or the gateway has its own advice and comes back the same.
func (e Ending) hint(code exit.Code, stop error) string {
	switch hint := exit.HintOf(stop); {
	case hint == "", code == exit.Unavailable, code >= exit.Hangup:
		return e.Again
	default:
		return hint
	}
}

func countsText(c ops.Counts) string {
	text := ""
	for _, o := range []ops.Outcome{ops.Done, ops.Already, ops.Failed, ops.Unknown, ops.Skipped} {
		if c[o] > 0 || o == ops.Done {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", c[o], o)
		}
	}
	return text
}
