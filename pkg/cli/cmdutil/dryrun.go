package cmdutil

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// AddDryRunFlag adds --dry-run and --check, which are the same; c are the
// columns of what is printed then.
func AddDryRunFlag(cmd *cobra.Command, target *bool, usage string, c output.Columns) {
	cmd.Flags().BoolVar(target, "dry-run", false, usage)
	cmd.Flags().BoolVar(target, "check", false, "the same as --dry-run")
	ColumnsWith(cmd, "dry-run", c)
}

// Finding is what a dry run says of an item.
type Finding string

// The findings. Those of the first rows would be done, already is success too.
const (
	FindDue      Finding = "due"
	FindOnHold   Finding = "on-hold" // and the hold would become final
	FindExpired  Finding = "expired"
	FindSameName Finding = "same-name" // and another of the name is there

	FindAlready    Finding = "already"
	FindMissing    Finding = "not-found"
	FindWrongState Finding = "wrong-state"
	FindUnknown    Finding = "unknown" // it cannot be read
)

func findings() []Finding {
	return []Finding{FindDue, FindOnHold, FindExpired, FindSameName, FindAlready, FindMissing, FindWrongState, FindUnknown}
}

// Prospect is what a record of a dry run has of every item.
type Prospect struct {
	bulk.Item
	Finding Finding
	Outcome bulk.Outcome // that a real run would come to
	Err     error        // that it would report
}

// Due is the prospect of an item that nothing stands in the way of.
func Due(it bulk.Item) Prospect {
	return Prospect{Item: it, Finding: FindDue, Outcome: bulk.Done}
}

// Foreseen is the prospect of an item that a look has told the result of. failed
// is what it is called that stands in its way.
func Foreseen(res bulk.Result, failed Finding) Prospect {
	p := Prospect{Item: res.Item, Finding: failed, Outcome: res.Outcome, Err: res.Err}
	switch res.Outcome {
	case bulk.Done:
		p.Finding = FindDue
	case bulk.Already:
		p.Finding = FindAlready
	case bulk.Unknown:
		p.Finding = FindUnknown
	}
	return p
}

// FindingFields are the columns that every record of a dry run has behind its
// identifier. of takes the prospect out of a record.
func FindingFields[T any](of func(T) Prospect) []output.Field[T] {
	return []output.Field[T]{
		{Name: "finding", Value: func(v T) string { return string(of(v).Finding) }, Tone: func(v T) output.Tone { return of(v).tone() }},
		{Name: "code", Value: func(v T) string { return CodeText(of(v).Err) }},
		{Name: "message", Value: func(v T) string { return MessageText(of(v).Err) }, Flex: true},
		{Name: "line", Value: func(v T) string { return LineText(of(v).Line) }, Where: output.NotInTable},
		{Name: "input", Value: func(v T) string { return ops.InputOf(of(v).Item) }, Where: output.NotInTable},
	}
}

func (p Prospect) tone() output.Tone {
	switch {
	case p.Err != nil:
		return output.Bad
	case p.Finding == FindOnHold || p.Finding == FindExpired || p.Finding == FindSameName:
		return output.Warn
	}
	return output.Plain
}

// NewDryJob makes the plan of a dry run, as NewJob does that of a real one: in
// memory, to be thrown away, and without a look at the key that signs.
func (f *Factory) NewDryJob(verb string, flags JobFlags, fill func(*bulk.Job) error) (*bulk.Job, error) {
	if flags.Job != "" {
		dir, err := f.JobsDir()
		if err == nil {
			err = bulk.CheckFree(dir, flags.Job)
		}
		if err != nil {
			return nil, err
		}
	}
	job, err := bulk.Draft("", "", verb, f.Now())
	if err != nil {
		return nil, err
	}
	if err = fill(job); err == nil {
		err = flags.CheckDigest(job.Plan())
	}
	if err != nil {
		job.Discard()
		return nil, err
	}
	return job, nil
}

// DryRun looks every item of a plan up and says what a write would come to.
type DryRun[T any] struct {
	Noun     output.Noun[T]
	Look     func(context.Context, bulk.Item) T
	Prospect func(T) Prospect
	Name     func(T) string // how messages call an item: "certificate 10003"
}

const lookers = 16 // look-ups at a time

// hopeless are errors that the next look-up would meet as well.
var hopeless = []exit.Code{exit.Unavailable, exit.Refused, exit.Key, exit.Identity, exit.Interrupted, exit.Terminated, exit.Hangup}

// Run prints a record of each item, and ends as a real run would.
func (d *DryRun[T]) Run(ctx context.Context, f *Factory, opt output.Options, job *bulk.Job) error {
	if err := job.Freeze(); err != nil {
		return err
	}
	n := job.Header.Items
	each := func(emit func(bulk.Item) error) error {
		return job.Each(func(r bulk.Result) error { return emit(r.Item) })
	}
	counts := map[Finding]int{}
	tally := bulk.NewTally()
	first := "" // the name of the one that the tally has as its first
	w := output.NewWriter(d.Noun, opt)
	progress := f.Progress(opt)
	start := time.Now()
	looked := 0
	err := Ordered(ctx, lookers, each, d.Look, func(rec T) error {
		p := d.Prospect(rec)
		counts[p.Finding]++
		tally.Add(bulk.Result{Item: p.Item, Outcome: p.Outcome, Err: p.Err})
		if first == "" && p.Err != nil {
			first = d.Name(rec)
		}
		if looked++; time.Since(start) > time.Second {
			progress.Set("%d of %d looked up", looked, n)
		}
		if p.Finding == FindUnknown && slices.Contains(hopeless, exit.Of(p.Err)) {
			return p.Err
		}
		return w.Write(rec)
	})
	progress.Clear()
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	words := ""
	for _, found := range findings() {
		if counts[found] > 0 {
			words += ", " + strconv.Itoa(counts[found]) + " " + string(found)
		}
	}
	f.Notice("dry run, nothing was sent: %s%s", Plural(looked, "item"), words)
	for _, l := range Exclusions(job.Header.Summary) {
		f.Notice("%s", l)
	}
	f.Notice("the plan's --expect-sha256 is %s", job.Header.SHA256)
	code := tally.ExitCode(nil)
	switch {
	case code == exit.OK && job.Header.LeftOut > 0:
		return LeftOutError(job.Header.LeftOut)
	case code == exit.OK:
		return nil
	}
	bad := looked - tally.Counts[bulk.Done] - tally.Counts[bulk.Already]
	return exit.New(code, exit.HintOf(tally.First.Err), "%d of %d would not be done, the first: %s: %w", bad, looked, first, tally.First.Err)
}
