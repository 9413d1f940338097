package output

import (
	"bytes"
	"fmt"
	"strings"
)

// Bar is one line of a histogram.
type Bar struct {
	Label string
	Count int
	Tone  Tone
	Mark  string // in words what the tone says; it stands behind the bar
}

// Widths of a histogram.
const (
	plainWidth = 80 // where the output is no terminal
	leastBar   = 10
	mostLabel  = 45
)

// Histogram draws bars that fit the width, a line each; 0 is the width of a
// file. Labels are escaped, and shortened when they leave no room.
func Histogram(width int, color bool, bars []Bar) []byte {
	if width == 0 {
		width = plainWidth
	}
	most, labels, marks := 1, 0, 0
	for _, bar := range bars {
		most = max(most, bar.Count)
		labels = max(labels, textWidth(Escape(bar.Label)))
		marks = max(marks, textWidth(bar.Mark)+1)
	}
	digits := len(fmt.Sprint(most))
	rest := width - digits - 2*len(gap) - marks
	labels = max(narrowest, min(labels, mostLabel, rest-leastBar))
	room := max(1, rest-labels)
	var b bytes.Buffer
	for _, bar := range bars {
		label := cut(Escape(bar.Label), labels)
		fmt.Fprintf(&b, "%s%s%s%*d", label, strings.Repeat(" ", labels-textWidth(label)), gap, digits, bar.Count)
		if bar.Count > 0 {
			b.WriteString(gap + paint(strings.Repeat("█", max(1, bar.Count*room/most)), bar.Tone, color))
			if bar.Mark != "" {
				b.WriteString(" " + bar.Mark)
			}
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}
