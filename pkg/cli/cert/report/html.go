package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"time"

	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

//go:embed page.html
var page string

// Measures of the chart, in its own units.
const (
	chartWidth  = 960
	chartHeight = 240
	chartTop    = 20 // room for the counts above the bars
	chartLeft   = 56 // the scale, and half a label
	chartBottom = 46 // for the weeks below
)

// chartBar is a bar with its place in the chart.
type chartBar struct {
	Bar
	X, Y, W, H, Mid float64
	Base, Text      float64 // where the weeks are written, and the count
	Label           string  // "" where there is no room
}

// mark is a line across the chart, and the count that it stands for.
type mark struct {
	Count   int
	Y, Text float64
}

// room is the height of the highest bar.
const room = float64(chartHeight - chartTop - chartBottom)

// scale is the marks of the axis: round numbers from 0, four or so of them,
// none above the highest bar.
func scale(weeks []Bar) (marks []mark) {
	highest := max(1, most(weeks))
	step := 1
	for ten := 1; highest/step > 5; ten *= 10 {
		for _, step = range []int{2 * ten, 5 * ten, 10 * ten} {
			if highest/step <= 5 {
				break
			}
		}
	}
	for n := 0; n <= highest; n += step {
		y := chartTop + room - room*float64(n)/float64(highest)
		marks = append(marks, mark{n, y, y + 4})
	}
	return marks
}

// html is the report as one page: the chart is inline SVG, there is no script
// and nothing is fetched. Names are hostile text: the template escapes them.
func (r *Report) html() ([]byte, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"plain": output.Escape,
		"date":  func(t time.Time) string { return t.Format(time.DateOnly) },
		"time":  pki.FormatTime,
		"share": share,
	}).Parse(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Report": r, "Headline": r.headline(), "Groups": r.groups(), "Chart": chart(r.Weeks), "Scale": scale(r.Weeks), "Left": chartLeft, "Width": chartWidth, "Height": chartHeight,
	})
	return b.Bytes(), err
}

// chart places the weeks. Labels stand as often as they have room.
func chart(weeks []Bar) []chartBar {
	if len(weeks) == 0 {
		return nil
	}
	step := float64(chartWidth-2*chartLeft) / float64(len(weeks))
	every := int(70/step) + 1
	highest := float64(max(1, most(weeks)))
	bars := make([]chartBar, len(weeks))
	for i, w := range weeks {
		h := room * float64(w.Count) / highest
		if w.Count > 0 {
			h = max(h, 1)
		}
		x := chartLeft + float64(i)*step
		bars[i] = chartBar{Bar: w, X: x + step*0.1, W: step * 0.8, H: h, Y: chartTop + room - h, Mid: x + step/2,
			Base: chartHeight - chartBottom + 18, Text: chartTop + room - h - 5}
		if i%every == 0 {
			bars[i].Label = w.Day.Format(time.DateOnly)
		}
	}
	return bars
}

// share is the length of a bar in per cent of the longest; what is there is
// seen.
func share(b Bar, of []Bar) float64 {
	if b.Count == 0 {
		return 0
	}
	return max(0.6, 100*float64(b.Count)/float64(most(of)))
}

func most(bars []Bar) int {
	most := 0
	for _, b := range bars {
		most = max(most, b.Count)
	}
	return most
}
