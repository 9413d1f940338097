package output

import (
	"bufio"
	"io"
	"strings"
)

// Line is one line of the details form.
type Line struct {
	Label, Value string
	Below        []string // further lines, indented; then there may be no Value
	Tone         Tone
}

// Details prints aligned "label: value" lines in the order given; lines
// without a value are left out.
func Details(out io.Writer, color bool, lines []Line) error {
	w := bufio.NewWriterSize(sink{out}, bufferSize)
	if err := writeDetails(w, color, lines); err != nil {
		return err
	}
	return w.Flush()
}

func writeDetails(out *bufio.Writer, color bool, lines []Line) error {
	width := 0
	for _, l := range lines {
		if l.Value != "" {
			width = max(width, textWidth(l.Label))
		}
	}
	for _, l := range lines {
		if l.Value == "" && len(l.Below) == 0 {
			continue
		}
		text := l.Label + ":"
		if l.Value != "" {
			text += strings.Repeat(" ", max(0, width-textWidth(l.Label))) + " " + paint(Escape(l.Value), l.Tone, color)
		}
		if _, err := out.WriteString(text + "\n"); err != nil {
			return err
		}
		for _, more := range l.Below {
			if _, err := out.WriteString("  " + Escape(more) + "\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// detailsForm prints each value as a block of lines, with a blank line between.
type detailsForm[T any] struct {
	fields  []Field[T]
	out     *bufio.Writer
	color   bool
	started bool
}

func (f *detailsForm[T]) write(v T) error {
	if f.started {
		f.out.WriteByte('\n') //nolint:errcheck // bufio keeps the error for the next write
	}
	f.started = true
	lines := make([]Line, 0, len(f.fields))
	for _, field := range f.fields {
		l := Line{Label: field.Label}
		if l.Label == "" {
			l.Label = field.Name
		}
		show := field.Value
		if field.Detail != nil {
			show = field.Detail
		}
		if field.Below != nil {
			l.Below = field.Below(v)
		} else {
			l.Value = show(v)
		}
		if field.Tone != nil {
			l.Tone = field.Tone(v)
		}
		lines = append(lines, l)
	}
	return writeDetails(f.out, f.color, lines)
}

func (f *detailsForm[T]) close() error { return nil }
