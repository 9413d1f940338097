package job

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// The forms of a report.
const (
	markdown = "markdown"
	asJSON   = "json"
	asCSV    = "csv"
)

type reportOptions struct {
	f      *cmdutil.Factory
	job    string
	format string
	out    string
	force  bool
}

func newReportCmd(f *cmdutil.Factory) *cobra.Command {
	o := &reportOptions{f: f, format: markdown}
	cmd := &cobra.Command{
		Use:   "report <job>",
		Short: "Report on a job, item by item",
		Long: `Report on a job from its journal alone: what it was bound to, counts, the times
of what happened (UTC), the rate, what was excluded and why, and what became of
each item. As markdown for people and tickets, as JSON, or as CSV with a row for
each item.`,
		Example: `  cmctl job report cert-revoke-20260131T180000Z-1f2e > report.md
  cmctl job report leaked-keys --format csv --out report.csv`,
		Args:              cmdutil.Exactly("job"),
		ValidArgsFunction: completeNames(f),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, given := f.Flag("output"); given {
				return exit.Usagef("--format json and --format csv are documents for programs", "-o is for rows, and a report is a document: use --format")
			}
			o.job = args[0]
			return runReport(o)
		},
	}
	forms := []string{markdown, asJSON, asCSV}
	cmdutil.EnumFlag(cmd, &o.format, "format", "form of the report; markdown by default", forms, cmdutil.OneOf[string](forms...))
	cmd.Flags().StringVar(&o.out, "out", "", "write it to this `file`, 0600")
	cmd.Flags().BoolVar(&o.force, "force", false, "overwrite a file that is there")
	return cmd
}

func runReport(o *reportOptions) error {
	path, err := pathOf(o.f, o.job)
	if err != nil {
		return err
	}
	j, err := bulk.Read(path)
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	t, err := j.Timeline()
	if err != nil {
		return err
	}
	write := map[string]func(io.Writer, *bulk.Job, *bulk.Timeline) error{markdown: writeMarkdown, asJSON: writeJSON, asCSV: writeCSV}[o.format]
	if o.out == "" {
		w := bufio.NewWriterSize(output.Raw(o.f.Streams.Out), 1<<16)
		if err := write(w, j, t); err != nil {
			return err
		}
		return w.Flush()
	}
	file, err := o.f.Files().Create(o.out, o.force)
	if err != nil {
		return err
	}
	defer file.Discard()
	return file.CommitFrom(func(w io.Writer) error { return write(w, j, t) })
}

// line keeps what came from outside from being more than a line of text.
func line(s string) string { return output.Escape(s) }

// text is text in markdown.
func text(s string) string { return strings.NewReplacer("<", "&lt;", "`", "'").Replace(line(s)) }

// cell is text in a table of markdown.
func cell(s string) string { return strings.ReplaceAll(text(s), "|", `\|`) }

func writeMarkdown(w io.Writer, j *bulk.Job, t *bulk.Timeline) error {
	h := &j.Header
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	title, notSent, pauses := "Job "+h.Job, "", ""
	if j.Runs() > 1 {
		pauses = " with the pauses between the runs"
	}
	if h.Drill {
		notSent = " that were not sent"
		title = "DRILL: " + title + " (nothing signed was sent)"
	}
	p("# %s\n\n", title)
	now := rowOf(j)
	p("| | |\n|---|---|\n")
	for _, r := range [][2]string{
		{"write", h.Describe}, {"state", now.State}, {"last run", endText(now)}, {"gateway", strings.TrimSpace(h.Context + " " + h.Server)}, {"CA of the gateway, SHA-256", h.CA}, {"officer", h.Name}, {"officer, SHA-256", h.Officer},
		{"comment", h.Comment}, {"ticket", h.Ticket}, {"search", h.Search}, {"plan, SHA-256", h.SHA256}, {"read back", h.Verify}, {"pilot", pilotText(j)},
	} {
		if r[1] != "" {
			p("| %s | %s |\n", r[0], cell(r[1]))
		}
	}
	p("\n## Outcomes\n\n| outcome | items |\n|---|---:|\n")
	for _, o := range bulk.Outcomes() {
		o = outcome(now.State, o)
		p("| %s | %d |\n", o, now.Outcomes[o])
	}
	p("| excluded by the officer | %d |\n", h.Excluded)
	if h.LeftOut > 0 {
		p("| wrong lines left out | %d |\n", h.LeftOut)
	}
	p("| **plan** | **%d** |\n", h.Items)
	if len(h.Remarks) > 0 {
		p("\n## Remarks on the input\n\n")
		for _, r := range h.Remarks {
			for l := range strings.SplitSeq(r, "\n") {
				p("- %s\n", text(l))
			}
		}
	}
	p("\n## Times (UTC)\n\n")
	for _, e := range t.Events {
		p("- %s %s\n", pki.FormatTime(e.At), line(e.What))
	}
	p("\n%s%s, %d fetched to sign; from the first request to the last answer %s%s, %.1f items a second.\n", cmdutil.Plural(t.Sent, "signed request"), notSent, t.Asked, max(0, t.Ended.Sub(t.Begun)).Round(time.Millisecond), pauses, t.Rate())
	for _, s := range []struct {
		title  string
		counts map[string]int
	}{{"Reasons", h.Summary.Groups}, {"States before", h.Summary.States}, {"Issuers", h.Summary.Issuers}, {"Organisations", h.Summary.Organisations}} {
		if len(s.counts) == 0 {
			continue
		}
		p("\n## %s\n\n", s.title)
		for _, n := range bulk.Names(s.counts) {
			p("- %s: %d\n", line(n), s.counts[n])
		}
	}
	if h.Excluded > 0 {
		p("\n## Excluded\n\n| item | why |\n|---|---|\n")
		if err := j.Excluded(func(key, why string) error { p("| %s | %s |\n", cell(key), cell(why)); return nil }); err != nil {
			return err
		}
	}
	title = "\n## Newcomers\n\nThey match the search since the plan was made, and nothing was done to them.\n\n| certid | serial | subject |\n|---|---|---|\n"
	if err := j.Newcomers(func(c bulk.Newcomer) error {
		p("%s| %s | %s | %s |\n", title, cell(c.ID), cell(c.Serial), cell(c.Subject))
		title = ""
		return nil
	}); err != nil {
		return err
	}
	p("\n## Items\n\n| item | reason | outcome | code | message | id |\n|---|---|---|---|---|---|\n")
	return j.Each(func(r bulk.Result) error {
		code, message := why(r)
		name := r.Key
		if r.Input != "" {
			name += " (" + r.Input + ")"
		}
		_, err := fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", cell(name), r.Group, outcome(now.State, r.Outcome), code, cell(message), cell(r.ID))
		return err
	})
}

func pilotText(j *bulk.Job) string {
	switch n := j.Header.Pilot; {
	case n == 0:
		return ""
	case j.PilotDue():
		return fmt.Sprintf("the first %d; it has not passed", n)
	default:
		return fmt.Sprintf("the first %d; it has passed", n)
	}
}

// endText is "3, partial": how the last run of a job ended.
func endText(r row) string {
	if r.Exit == nil {
		return ""
	}
	return fmt.Sprintf("%d, %s", *r.Exit, r.Kind)
}

func why(r bulk.Result) (code, message string) {
	if reason := ops.ReasonOf(r.Err); reason != nil {
		if message = reason.Message; reason.Code != 0 {
			code = strconv.Itoa(reason.Code)
		}
	}
	return code, message
}

func writeCSV(w io.Writer, j *bulk.Job, _ *bulk.Timeline) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"item", "reason", "outcome", "code", "message", "id", "line", "input"}); err != nil {
		return err
	}
	now := state(j)
	err := j.Each(func(r bulk.Result) error {
		code, message := why(r)
		return out.Write([]string{line(r.Key), r.Group, string(outcome(now, r.Outcome)), code, line(message), line(r.ID), strconv.Itoa(r.Line), line(r.Input)})
	})
	if err == nil {
		err = j.Excluded(func(key, why string) error {
			return out.Write([]string{line(key), "", "excluded", "", line(why), "", "", ""})
		})
	}
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

func writeJSON(w io.Writer, j *bulk.Job, t *bulk.Timeline) error {
	type event struct {
		At   string `json:"at"`
		What string `json:"what"`
	}
	h := &j.Header
	head := struct {
		row
		CA            string   `json:"ca"`            // SHA-256 of the CAs trusted for the gateway, or "system"
		OfficerSHA256 string   `json:"officerSha256"` // of the signing certificate
		Search        string   `json:"search,omitempty"`
		Verify        string   `json:"verify,omitempty"`
		Pilot         int      `json:"pilot,omitempty"`
		PilotPassed   *bool    `json:"pilotPassed,omitempty"`
		LeftOut       int      `json:"leftOut,omitempty"`
		Remarks       []string `json:"remarks,omitempty"`
		Events        []event  `json:"events"`
		Sent          int      `json:"signedRequests"`
		Rate          float64  `json:"itemsPerSecond"`

		Newcomers []bulk.Newcomer `json:"newcomers,omitempty"`
	}{
		row: rowOf(j), CA: h.CA, OfficerSHA256: h.Officer, Search: h.Search, Verify: h.Verify, Pilot: h.Pilot, LeftOut: h.LeftOut, Remarks: h.Remarks,
		Sent: t.Sent, Rate: t.Rate(),
	}
	if h.Pilot > 0 {
		passed := !j.PilotDue()
		head.PilotPassed = &passed
	}
	for _, e := range t.Events {
		head.Events = append(head.Events, event{pki.FormatTime(e.At), e.What})
	}
	if err := j.Newcomers(func(c bulk.Newcomer) error { head.Newcomers = append(head.Newcomers, c); return nil }); err != nil {
		return err
	}
	raw, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\n\"results\":[", raw[:len(raw)-1]); err != nil {
		return err
	}
	comma := ""
	write := func(v any) error {
		raw, err := json.Marshal(v)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n%s", comma, raw)
		}
		comma = ","
		return err
	}
	type item struct {
		Item    string       `json:"item"`
		Reason  string       `json:"reason,omitempty"`
		Outcome bulk.Outcome `json:"outcome"`
		ID      string       `json:"id,omitempty"`
		Line    int          `json:"line,omitempty"`
		Input   string       `json:"input,omitempty"` // as it was named, where that is not the item
		Error   *ops.Reason  `json:"error,omitempty"`
		Why     string       `json:"why,omitempty"` // of an exclusion
	}
	if err := j.Each(func(r bulk.Result) error {
		return write(item{Item: r.Key, Reason: r.Group, Outcome: outcome(head.State, r.Outcome), ID: r.ID, Line: r.Line, Input: r.Input, Error: ops.ReasonOf(r.Err)})
	}); err != nil {
		return err
	}
	if err := j.Excluded(func(key, why string) error { return write(item{Item: key, Outcome: "excluded", Why: why}) }); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}
