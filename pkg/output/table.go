package output

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

const (
	gap      = "  "
	ellipsis = "…"
	// narrowest is what a shortened column keeps at least.
	narrowest = 10

	red, yellow, reset = "\x1b[31m", "\x1b[33m", "\x1b[0m"
)

// tableForm holds the rows back, because the widths of the columns are only
// known at the end. It is for people; what is long is printed in a form that
// streams, or stops at the row limit.
type tableForm[T any] struct {
	fields   []Field[T]
	out      *bufio.Writer
	color    bool
	noHeader bool
	width    int // 0: nothing is shortened

	rows  [][]string
	tones [][]Tone // nil for a row without any
}

func (f *tableForm[T]) write(v T) error {
	row := make([]string, len(f.fields))
	var tones []Tone
	for i, field := range f.fields {
		show := field.Value
		if field.Cell != nil {
			show = field.Cell
		}
		row[i] = Escape(show(v))
		if field.Tone == nil || !f.color {
			continue
		}
		if t := field.Tone(v); t != Plain {
			if tones == nil {
				tones = make([]Tone, len(f.fields))
			}
			tones[i] = t
		}
	}
	f.rows, f.tones = append(f.rows, row), append(f.tones, tones)
	return nil
}

func (f *tableForm[T]) close() error {
	if len(f.rows) == 0 {
		return nil
	}
	header := f.header()
	f.shorten(header)
	for i, tones := range f.tones {
		for j, t := range tones {
			f.rows[i][j] = paint(f.rows[i][j], t, f.color)
		}
	}
	trim := &trimmer{out: f.out}
	table := tablewriter.NewTable(trim, f.options()...)
	if !f.noHeader {
		table.Header(header)
	}
	if err := table.Bulk(f.rows); err != nil {
		return err
	}
	if err := table.Render(); err != nil {
		return err
	}
	return trim.flush()
}

func (f *tableForm[T]) header() []string {
	header := make([]string, len(f.fields))
	for i, field := range f.fields {
		header[i] = field.Header
		if header[i] == "" {
			header[i] = strings.ToUpper(field.Name)
		}
	}
	return header
}

// options make a table without any line in it: two blanks between columns.
func (f *tableForm[T]) options() []tablewriter.Option {
	align := make([]tw.Align, len(f.fields))
	pads := make([]tw.Padding, len(f.fields))
	for i, field := range f.fields {
		align[i] = tw.AlignLeft
		if field.Right {
			align[i] = tw.AlignRight
		}
		pads[i] = tw.Padding{Right: gap, Overwrite: true}
	}
	cells := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone},
		Alignment:  tw.CellAlignment{Global: tw.AlignLeft, PerColumn: align},
		Padding:    tw.CellPadding{Global: tw.Padding{Right: gap, Overwrite: true}, PerColumn: pads},
	}
	return []tablewriter.Option{
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbols(tw.StyleNone),
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithConfig(tablewriter.Config{
			Header:   cells,
			Row:      cells,
			Behavior: tw.Behavior{TrimSpace: tw.Off},
		}),
	}
}

// shorten makes the rows fit the width. Only free text gives way, the widest
// column first, down to the width of the next, so that as much as possible of
// every column stays. Identifiers, times and words are never cut: when they
// alone are too wide, the terminal wraps the line.
func (f *tableForm[T]) shorten(header []string) {
	if f.width == 0 {
		return
	}
	widths := make([]int, len(f.fields))
	total := len(gap) * (len(widths) - 1)
	for i := range widths {
		if !f.noHeader {
			widths[i] = twwidth.Width(header[i])
		}
		for _, row := range f.rows {
			widths[i] = max(widths[i], twwidth.Width(row[i]))
		}
		total += widths[i]
	}
	for ; total > f.width; total-- {
		widest := -1
		for i, field := range f.fields {
			if field.Flex && widths[i] > max(narrowest, twwidth.Width(header[i])) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	for i, field := range f.fields {
		if !field.Flex {
			continue
		}
		for _, row := range f.rows {
			row[i] = cut(row[i], widths[i])
		}
	}
}

// cut shortens text to a display width, with an ellipsis as the last character.
func cut(s string, width int) string {
	if twwidth.Width(s) <= width {
		return s
	}
	left := width - twwidth.Width(ellipsis)
	for i, r := range s {
		left -= twwidth.Width(string(r))
		if left < 0 {
			return s[:i] + ellipsis
		}
	}
	return s
}

// paint puts a colour around text.
func paint(s string, t Tone, color bool) string {
	switch {
	case !color || s == "" || t == Plain:
		return s
	case t == Bad:
		return red + s + reset
	}
	return yellow + s + reset
}

// trimmer takes the blanks off the ends of lines, and the colour resets that
// the table puts among them.
type trimmer struct {
	out  *bufio.Writer
	line []byte
}

func (t *trimmer) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, found := bytes.Cut(p, []byte("\n"))
		t.line = append(t.line, line...)
		if !found {
			return n, nil
		}
		t.line = append(trimLine(t.line), '\n')
		if _, err := t.out.Write(t.line); err != nil {
			return 0, err
		}
		t.line, p = t.line[:0], rest
	}
}

func (t *trimmer) flush() error {
	_, err := t.out.Write(trimLine(t.line))
	return err
}

func trimLine(line []byte) []byte {
	blank := []byte(" ")
	off := []byte(reset)
	for {
		line = bytes.TrimRight(line, " ")
		before, found := bytes.CutSuffix(line, off)
		if !found || !bytes.HasSuffix(before, blank) && !bytes.HasSuffix(before, off) {
			return line
		}
		line = before
	}
}
