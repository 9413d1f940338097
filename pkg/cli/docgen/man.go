package docgen

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
)

// roff writes a page in the language of man(7).
type roff struct{ bytes.Buffer }

// manPage is the page of a command, section 1. It has no date: the page would
// change without its text.
func manPage(cmd *cobra.Command) []byte {
	var r roff
	r.line(".TH %s 1 \"\" cmctl \"cmctl manual\"", escapeRoff(strings.ToUpper(fileName(cmd))))
	r.section("Name")
	r.line("%s \\- %s", escapeRoff(fileName(cmd)), escapeRoff(lowerFirst(cmd.Short)))
	r.section("Synopsis")
	r.line("\\fB%s\\fR%s", escapeRoff(cmd.CommandPath()), escapeRoff(strings.TrimPrefix(synopsis(cmd), cmd.CommandPath())))
	r.section("Description")
	r.paragraphs(description(cmd))
	r.verbs(cmd)
	if fs := flagsOf(cmd.LocalNonPersistentFlags()); len(fs) > 0 {
		r.section("Options")
		r.flags(fs)
	}
	if fs := flagsOf(cmd.PersistentFlags()); len(fs) > 0 {
		r.section("Options of every command")
		r.flags(fs)
	} else {
		r.line(".PP\nThe options of every command, such as \\fB\\-\\-context\\fR and \\fB\\-\\-output\\fR, are in %s.", reference(cmd.Root()))
	}
	if cols := cmdutil.ColumnsOf(cmd); len(cols.TSV) > 0 {
		r.section("Output")
		r.line("The columns of \\fB\\-o tsv\\fR and \\fB\\-o csv\\fR, in this order, to which later versions only append:\n.PP\n%s", escapeRoff(strings.Join(cols.TSV, ", ")))
		if len(cols.More) > 0 {
			r.line(".PP\nWith \\fB\\-\\-columns\\fR, and for \\fB\\-\\-sort\\fR, there are also %s.", escapeRoff(strings.Join(cols.More, ", ")))
		}
	}
	if cmd.HasExample() {
		r.section("Examples")
		r.literal(examples(cmd))
	}
	if !cmd.HasParent() {
		r.tables()
	}
	r.section("See also")
	r.line("%s", strings.Join(related(cmd), ", "))
	return r.Bytes()
}

func (r *roff) line(format string, args ...any) { fmt.Fprintf(r, format+"\n", args...) }

func (r *roff) section(title string) { r.line(".SH %s", strings.ToUpper(title)) }

// item is a term and what it means.
func (r *roff) item(term, text string) { r.line(".TP\n%s\n%s", term, escapeRoff(text)) }

// paragraphs prints text that is wrapped already: filled anew, but for lines
// that start with a blank.
func (r *roff) paragraphs(text string) {
	for i, p := range strings.Split(text, "\n\n") {
		if i > 0 {
			r.line(".PP")
		}
		if strings.HasPrefix(p, " ") {
			r.literal(strings.Split(p, "\n"))
			continue
		}
		r.line("%s", escapeRoff(strings.TrimSpace(p)))
	}
}

func (r *roff) literal(lines []string) {
	r.line(".RS 4\n.nf\n%s\n.fi\n.RE", escapeRoff(strings.Join(lines, "\n")))
}

func (r *roff) verbs(cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	r.section("Commands")
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			r.item(reference(c), c.Short)
		}
	}
}

func (r *roff) flags(fs []flag) {
	for _, f := range fs {
		term := "\\fB\\-\\-" + escapeRoff(f.long) + "\\fR"
		if f.short != "" {
			term = "\\fB\\-" + f.short + "\\fR, " + term
		}
		if f.arg != "" {
			term += " \\fI" + escapeRoff(f.arg) + "\\fR"
		}
		text := f.text()
		if f.api != "" {
			text += " (API: " + f.api + ")"
		}
		r.item(term, text)
	}
}

func (r *roff) tables() {
	r.section("Environment")
	for _, v := range config.Variables() {
		r.item("\\fB"+escapeRoff(v.Name)+"\\fR", v.Meaning)
	}
	r.section("Files")
	r.item("\\fI~/.config/cmctl/config.yaml\\fR", "the contexts; $XDG_CONFIG_HOME is used when it is set")
	r.section("Exit status")
	for _, row := range exit.Table() {
		r.item(fmt.Sprintf("\\fB%d\\fR", row.Code), row.Meaning)
	}
	r.line(".PP")
	r.paragraphs(exit.Rules)
}

// related are the pages to go on with: the noun above and the verbs beside or
// below.
func related(cmd *cobra.Command) []string {
	var out []string
	for p := cmd.Parent(); p != nil; p = p.Parent() {
		out = append([]string{reference(p)}, out...)
	}
	around := cmd
	if !cmd.HasAvailableSubCommands() {
		around = cmd.Parent()
	}
	for _, c := range around.Commands() {
		if c != cmd && c.IsAvailableCommand() && c.Name() != "help" && around.HasParent() == cmd.HasParent() {
			out = append(out, reference(c))
		}
	}
	return out
}

func reference(cmd *cobra.Command) string { return "\\fB" + escapeRoff(fileName(cmd)) + "\\fR(1)" }

// escapeRoff makes text literal: hyphens that can be pasted, backslashes, and
// no line that looks like a request.
func escapeRoff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// lowerFirst writes a description as the NAME section has it, unless it starts
// with an abbreviation.
func lowerFirst(s string) string {
	if len(s) < 2 || s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
