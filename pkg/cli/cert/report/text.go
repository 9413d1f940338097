package report

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// mostBars is how many names a histogram or a document shows; -o lists all.
const mostBars = 20

// shown cuts a list of bars, and counts what is cut off.
func shown(bars []Bar) []Bar {
	if len(bars) <= mostBars {
		return bars
	}
	rest := Bar{Name: fmt.Sprintf("(%d more)", len(bars)-mostBars+1)}
	for _, b := range bars[mostBars-1:] {
		rest.Count += b.Count
	}
	return append(append([]Bar{}, bars[:mostBars-1]...), rest)
}

// headline says what is counted, a sentence a line.
func (r *Report) headline() []string {
	days := int(r.Until.Sub(r.From).Hours()/24 + 0.5)
	lines := []string{fmt.Sprintf("%s from %s to %s (%s).", expire(r.Total), cmdutil.DateText(r.From), cmdutil.DateText(r.Until), cmdutil.Plural(days, "day"))}
	if r.Total > 0 {
		lines = append(lines, fmt.Sprintf("The first: %s.", pki.FormatTime(r.First)))
	}
	if !r.FailUntil.IsZero() {
		lines = append(lines, fmt.Sprintf("%s before %s.", expire(r.Soon), pki.FormatTime(r.FailUntil)))
	}
	if r.Incomplete {
		lines = append(lines, "The listing behind it is not proven complete: there may be more.")
	}
	return lines
}

// group is a part of the report with its heading.
type group struct {
	Title string
	Bars  []Bar
}

func (r *Report) groups() []group {
	var groups []group
	for _, g := range []group{{"By week", r.Weeks}, {"By issuer", shown(r.Issuers)}, {"By organisation", shown(r.Organisations)}} {
		if len(g.Bars) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// soon marks, in words and colour, what lies within --fail-within.
const soon = "soon"

// histogram draws the report for a terminal.
func (r *Report) histogram(width int, color bool) []byte {
	var b bytes.Buffer
	for _, line := range r.headline() {
		b.WriteString(line + "\n")
	}
	for _, g := range r.groups() {
		fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(g.Title))
		bars := make([]output.Bar, len(g.Bars))
		for i, bar := range g.Bars {
			bars[i] = output.Bar{Label: bar.Name, Count: bar.Count}
			if !bar.Day.IsZero() {
				bars[i].Label += "  " + bar.Day.Format("02 Jan")
			}
			if bar.Soon {
				bars[i].Tone, bars[i].Mark = output.Bad, soon
			}
		}
		b.Write(output.Histogram(width, color, bars))
	}
	return b.Bytes()
}

// markdown is the report as a document, with a table for each group.
func (r *Report) markdown() []byte {
	var b bytes.Buffer
	b.WriteString("# Certificates that expire\n\n")
	fmt.Fprintf(&b, "%s, as of %s.\n\n", markdownText(r.Gateway), pki.FormatTime(r.From))
	for _, line := range r.headline() {
		b.WriteString(markdownText(line) + "\n")
	}
	for _, g := range r.groups() {
		fmt.Fprintf(&b, "\n## %s\n\n", g.Title)
		if !g.Bars[0].Day.IsZero() {
			b.WriteString("| week | from | certificates |\n|---|---|---:|\n")
		} else {
			b.WriteString("| name | certificates |\n|---|---:|\n")
		}
		for _, bar := range g.Bars {
			cells := []string{markdownText(output.Escape(bar.Name))}
			if !bar.Day.IsZero() {
				cells = append(cells, bar.Day.Format(time.DateOnly))
			}
			mark := ""
			if bar.Soon && bar.Count > 0 {
				mark = " (" + soon + ")"
			}
			fmt.Fprintf(&b, "| %s | %d%s |\n", strings.Join(cells, " | "), bar.Count, mark)
		}
	}
	return b.Bytes()
}

// markdownText takes the meaning from what markdown would read as its own.
func markdownText(s string) string {
	var b strings.Builder
	for _, c := range s {
		if strings.ContainsRune("\\`*_{}[]<>#|!~&$", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}
