package job

import (
	"strconv"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

// row is a job as it is listed.
type row struct {
	Job      string       `json:"job"`
	State    string       `json:"state"`
	Verb     string       `json:"verb"`
	Describe string       `json:"describe"`
	Context  string       `json:"context,omitempty"`
	Server   string       `json:"server"`
	Officer  string       `json:"officer"`
	Created  time.Time    `json:"created"`
	Items    int          `json:"items"`
	Excluded int          `json:"excluded,omitempty"`
	Outcomes bulk.Counts  `json:"outcomes"`
	SHA256   string       `json:"sha256"`
	Drill    bool         `json:"drill,omitempty"`
	Comment  string       `json:"comment,omitempty"`
	Ticket   string       `json:"ticket,omitempty"`
	Folder   string       `json:"folder"`
	Summary  bulk.Summary `json:"summary,omitzero"`

	made time.Time // when it was created, not cut to seconds

	// How its last run ended; nil: it has not, or was broken off.
	Exit *int   `json:"exit,omitempty"`
	Kind string `json:"kind,omitempty"`
	Why  string `json:"why,omitempty"`
}

func rowOf(j *bulk.Job) row {
	h := &j.Header
	r := row{
		Job: h.Job, State: state(j), Verb: h.Verb, Describe: h.Describe, Context: h.Context, Server: h.Server, Officer: h.Name,
		Created: h.Created.Truncate(time.Second), made: h.Created, Items: h.Items, Excluded: h.Excluded, Outcomes: bulk.Counts{}, SHA256: h.SHA256, Drill: h.Drill,
		Comment: h.Comment, Ticket: h.Ticket, Folder: j.Dir(), Summary: h.Summary,
	}
	for o, n := range j.Counts() {
		r.Outcomes[outcome(r.State, o)] += n
	}
	if end := j.Ended(); end != nil && r.State != running {
		r.Exit, r.Kind, r.Why = &end.Exit, exit.Code(end.Exit).Kind(), end.Why
	}
	return r
}

// jobNoun prints jobs. The tsv columns and their order are contract: append
// only.
var jobNoun = output.Noun[row]{
	Name: "job", Schema: "job",
	ID: func(r row) string { return r.Job },
	Fields: []output.Field[row]{
		{Name: "job", Value: func(r row) string { return r.Job }},
		{Name: "state", Value: func(r row) string { return r.State }, Tone: stateTone},
		{Name: "verb", Value: func(r row) string { return r.Verb }, Spare: true}, // names begin with it unless --job gave another
		{Name: "items", Value: func(r row) string { return strconv.Itoa(r.Items) }},
		{Name: "done", Value: count(bulk.Done)},
		{Name: "already", Value: count(bulk.Already), Spare: true},
		{Name: "failed", Value: count(bulk.Failed)},
		{Name: "unknown", Value: count(bulk.Unknown), Spare: true},
		{Name: "skipped", Value: count(bulk.Skipped), Spare: true},
		{Name: "excluded", Value: func(r row) string { return strconv.Itoa(r.Excluded) }, Where: output.NotInTable},
		{Name: "created", Value: func(r row) string { return timeText(r.Created) }, Spare: true},
		{Name: "context", Value: func(r row) string { return r.Context }, Spare: true},
		{Name: "describe", Value: func(r row) string { return r.Describe }, Flex: true, Where: output.NotInTable},
		{Name: "server", Value: func(r row) string { return r.Server }, Where: output.NotInTable},
		{Name: "officer", Value: func(r row) string { return r.Officer }, Where: output.NotInTable},
		{Name: "sha256", Value: func(r row) string { return r.SHA256 }, Where: output.NotInTable},
		{Name: "comment", Value: func(r row) string { return r.Comment }, Where: output.NotInTable},
		{Name: "ticket", Value: func(r row) string { return r.Ticket }, Where: output.NotInTable},
		{Name: "folder", Value: func(r row) string { return r.Folder }, Where: output.NotInTable},
		{Name: "exit", Value: exitText, Spare: true},
		{Name: "kind", Value: func(r row) string { return r.Kind }, Spare: true},
		{Name: "why", Value: func(r row) string { return r.Why }, Flex: true, Where: output.NotInTable},
		{Name: "waiting", Value: count(waiting), Spare: true},
		{Name: "exclusions", Value: exclusions, Below: func(r row) []string { return cmdutil.ExclusionCounts(r.Summary) }, Flex: true, Where: output.NotInTable},
	},
}

func count(o bulk.Outcome) func(row) string {
	return func(r row) string { return strconv.Itoa(r.Outcomes[o]) }
}

// exitText is the exit code of the last run; "" when it has none.
func exitText(r row) string {
	if r.Exit == nil {
		return ""
	}
	return strconv.Itoa(*r.Exit)
}

// exclusions is "3 payroll, 1 legal hold".
func exclusions(r row) string { return strings.Join(cmdutil.ExclusionCounts(r.Summary), ", ") }

func stateTone(r row) output.Tone {
	switch r.State {
	case broken, stopped, declined:
		return output.Warn
	}
	return output.Plain
}
