package output

import (
	"bufio"
	"slices"
	"strconv"
	"strings"
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
	width    int  // 0: nothing is shortened
	chosen   bool // the columns were: none is left out
	notice   func(string)

	rows  [][]string
	tones [][]Tone // nil for a row without any
	under []string // the line under each row, where a field has one
	lines bool     // they are printed
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
	if i := f.underField(); i >= 0 {
		f.under = append(f.under, Escape(f.fields[i].Under(v)))
	}
	return nil
}

func (f *tableForm[T]) close() error {
	if len(f.rows) == 0 {
		return nil
	}
	var gone []string
	if f.width > 0 && !f.chosen {
		gone = f.leaveOut()
	}
	header := f.header()
	widths := f.widths(header)
	if f.width > 0 {
		f.shorten(header, widths)
	}
	if !f.noHeader {
		f.line(header, nil, widths)
	}
	for i, row := range f.rows {
		f.line(row, f.tones[i], widths)
		if f.lines {
			for _, line := range wrap(f.under[i], f.width-len(gap)) {
				f.out.WriteString(gap + line + "\n") //nolint:errcheck // bufio keeps the error for the Flush at the end
			}
		}
	}
	if err := f.out.Flush(); err != nil {
		return err
	}
	if len(gone) > 0 && f.notice != nil {
		f.notice("not shown in " + strconv.Itoa(f.width) + " columns: " + strings.Join(gone, ", ") + "; see -o wide")
	}
	return nil
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

// widths are those of the widest cells.
func (f *tableForm[T]) widths(header []string) []int {
	widths := make([]int, len(f.fields))
	for i := range widths {
		if !f.noHeader {
			widths[i] = textWidth(header[i])
		}
		for _, row := range f.rows {
			widths[i] = max(widths[i], textWidth(row[i]))
		}
	}
	return widths
}

// readable is the width down to which free text is rather shortened than a
// column left out.
const readable = 24

// underField is the field that has a line of its own, -1 for none.
func (f *tableForm[T]) underField() int {
	return slices.IndexFunc(f.fields, func(field Field[T]) bool { return field.Under != nil })
}

// leaveOut gives a field that has it a line of its own, then takes out spare
// columns, the last one first, until the others fit with their free text still
// readable, and tells which.
func (f *tableForm[T]) leaveOut() (gone []string) {
	for {
		widths := f.widths(f.header())
		total, spare := len(gap)*(len(widths)-1), -1
		for i, field := range f.fields {
			if field.Flex {
				widths[i] = min(widths[i], readable)
			}
			total += widths[i]
			if field.Spare {
				spare = i
			}
		}
		own := f.underField()
		switch {
		case total <= f.width || own < 0 && spare < 0:
			slices.Reverse(gone)
			return gone
		case own >= 0:
			f.lines = true
			f.drop(own)
		default:
			gone = append(gone, f.fields[spare].Name)
			f.drop(spare)
		}
	}
}

// drop takes a column out.
func (f *tableForm[T]) drop(column int) {
	f.fields = slices.Delete(f.fields, column, column+1)
	for i := range f.rows {
		f.rows[i] = slices.Delete(f.rows[i], column, column+1)
		if f.tones[i] != nil {
			f.tones[i] = slices.Delete(f.tones[i], column, column+1)
		}
	}
}

// shorten makes the rows fit the width. Only free text gives way, the widest
// column first, down to the width of the next, so that as much as possible of
// every column stays. Identifiers, times and words are never cut: when they
// alone are too wide, the terminal wraps the line.
func (f *tableForm[T]) shorten(header []string, widths []int) {
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > f.width; total-- {
		widest := -1
		for i, field := range f.fields {
			if field.Flex && widths[i] > max(narrowest, textWidth(header[i])) && (widest < 0 || widths[i] > widths[widest]) {
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

// line prints cells in their columns. Blanks wait until something follows
// them, so that no line ends with any.
func (f *tableForm[T]) line(cells []string, tones []Tone, widths []int) {
	blanks := 0
	for i, cell := range cells {
		free := widths[i] - textWidth(cell)
		if f.fields[i].Right {
			blanks, free = blanks+free, 0
		}
		if cell != "" {
			f.out.WriteString(strings.Repeat(" ", blanks)) //nolint:errcheck // bufio keeps the error for the Flush at the end
			if tones != nil {
				cell = paint(cell, tones[i], f.color)
			}
			f.out.WriteString(cell) //nolint:errcheck // as above
			blanks = 0
		} else {
			free = widths[i]
		}
		blanks += free + len(gap)
	}
	f.out.WriteByte('\n') //nolint:errcheck // as above
}

// wrap breaks text at blanks into lines of a display width. A word that is
// wider, such as a URI, stays whole.
func wrap(s string, width int) (lines []string) {
	for word := range strings.FieldsSeq(s) {
		last := len(lines) - 1
		if last >= 0 && textWidth(lines[last])+1+textWidth(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// cut shortens text to a display width, with an ellipsis as the last character.
func cut(s string, width int) string {
	if textWidth(s) <= width {
		return s
	}
	left := width - textWidth(ellipsis)
	for i, r := range s {
		left -= runeWidth(r)
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
