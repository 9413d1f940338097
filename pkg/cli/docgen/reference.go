package docgen

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/output"
)

// page is a page of the reference, in Markdown.
type page struct{ bytes.Buffer }

const generated = "<!-- Made by `make gen` from the command tree: change the text there. -->\n\n"

func newPage(title string) *page {
	p := &page{}
	p.line(generated+"# %s\n", title)
	return p
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *page) table(head []string, rows [][]string) {
	p.row(head)
	p.line("|%s", strings.Repeat("---|", len(head)))
	for _, r := range rows {
		p.row(r)
	}
	p.line("")
}

// row prints cells; a bar would end one even within code.
func (p *page) row(cells []string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	p.line("| %s |", strings.Join(cells, " | "))
}

// commandPage is the page of a command.
func commandPage(cmd *cobra.Command) []byte {
	p := newPage(cmd.CommandPath())
	p.line("%s.\n\n```\n%s\n```\n", plain(cmd.Short), synopsis(cmd))
	if cmd.Long != "" {
		p.line("%s\n", plain(description(cmd)))
	}
	if cmd.HasAvailableSubCommands() {
		p.line("## Commands\n")
		var rows [][]string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() && c.Name() != "help" {
				rows = append(rows, []string{link(c), plain(c.Short)})
			}
		}
		p.table([]string{"command", "what it does"}, rows)
	}
	p.flags("Flags", flagsOf(cmd.LocalNonPersistentFlags()))
	p.flags("Flags of every command", flagsOf(cmd.PersistentFlags()))
	if cmd.HasParent() && !cmd.HasAvailableSubCommands() {
		p.line("[Flags of every command](cmctl.md#flags-of-every-command) · [exit codes](exit-codes.md)\n")
	}
	if cmd.HasExample() {
		p.line("## Examples\n\n```sh\n%s\n```\n", strings.Join(examples(cmd), "\n"))
	}
	p.columns("", cmdutil.ColumnsOf(cmd))
	if flag, c := cmdutil.AlternativeOf(cmd); flag != "" {
		p.columns(" with `--"+flag+"`", c)
	}
	if ids := cmdutil.OperationsOf(cmd); len(ids) > 0 {
		p.line("## Operations of the API\n")
		var rows [][]string
		for _, op := range cmapi.Operations() {
			for _, id := range ids {
				if id == op.ID {
					rows = append(rows, []string{code(op.ID), code(op.Method + " " + op.Path), signed(op)})
				}
			}
		}
		p.table([]string{"operationId", "method and path", ""}, rows)
	}
	return p.end()
}

func (p *page) columns(when string, c output.Columns) {
	if len(c.TSV) == 0 {
		return
	}
	p.line("## Columns" + when + "\n\nThe columns of `-o tsv` and `-o csv`, in this order. Later versions only append.\n")
	var rows [][]string
	for i, name := range c.TSV {
		rows = append(rows, []string{fmt.Sprint(i + 1), code(name)})
	}
	p.table([]string{"", "column"}, rows)
	if len(c.More) > 0 {
		p.line("With `--columns`, and for `--sort`, there are also `%s`.\n", strings.Join(c.More, "`, `"))
	}
	if c.Schema != "" {
		p.line("A record of `-o json` is described by [%s.json](../schema/%s.json).\n", c.Schema, c.Schema)
	}
}

func (p *page) flags(title string, fs []flag) {
	if len(fs) == 0 {
		return
	}
	api := false
	for _, f := range fs {
		api = api || f.api != ""
	}
	head := []string{"flag", "meaning"}
	if api {
		head = append(head, "in the API")
	}
	var rows [][]string
	for _, f := range fs {
		name := "--" + f.long
		if f.short != "" {
			name = "-" + f.short + ", " + name
		}
		if f.arg != "" {
			name += " " + f.arg
		}
		row := []string{code(name), plain(f.text())}
		switch {
		case f.api != "":
			row = append(row, code(f.api))
		case api:
			row = append(row, "")
		}
		rows = append(rows, row)
	}
	p.line("## %s\n", title)
	p.table(head, rows)
}

// end is the page with one newline at its end.
func (p *page) end() []byte { return append(bytes.TrimRight(p.Bytes(), "\n"), '\n') }

func link(cmd *cobra.Command) string {
	return fmt.Sprintf("[`%s`](%s.md)", cmd.CommandPath(), fileName(cmd))
}

func signed(op cmapi.Operation) string {
	if op.Write {
		return "signed by the officer"
	}
	return "read"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// plain keeps text from being read as markup.
func plain(s string) string {
	return strings.NewReplacer("<", `\<`, "*", `\*`, "_", `\_`, "`", "\\`").Replace(s)
}
