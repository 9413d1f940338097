package output

import (
	"bufio"
	"strings"
)

// labelled is one line of the details form.
type labelled struct {
	label, value string
	below        []string // further lines, indented; then there may be no value
	tone         Tone
}

// writeDetails prints aligned "label: value" lines in the order given; lines
// without a value are left out.
func writeDetails(out *bufio.Writer, color bool, lines []labelled) error {
	width := 0
	for _, l := range lines {
		if l.value != "" {
			width = max(width, textWidth(l.label))
		}
	}
	for _, l := range lines {
		if l.value == "" && len(l.below) == 0 {
			continue
		}
		text := l.label + ":"
		if l.value != "" {
			text += strings.Repeat(" ", max(0, width-textWidth(l.label))) + " " + paint(Escape(l.value), l.tone, color)
		}
		if _, err := out.WriteString(text + "\n"); err != nil {
			return err
		}
		for _, more := range l.below {
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
	lines := make([]labelled, 0, len(f.fields))
	for _, field := range f.fields {
		l := labelled{label: field.Label}
		if l.label == "" {
			l.label = field.Name
		}
		show := field.Value
		if field.Detail != nil {
			show = field.Detail
		}
		if field.Below != nil {
			l.below = field.Below(v)
		} else {
			l.value = show(v)
		}
		if field.Tone != nil {
			l.tone = field.Tone(v)
		}
		lines = append(lines, l)
	}
	return writeDetails(f.out, f.color, lines)
}

func (f *detailsForm[T]) close() error { return nil }
