package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

var noon = time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC) // a Wednesday

func TestWeekOf(t *testing.T) {
	for at, want := range map[string]string{
		"2026-06-01T00:00:00Z": "2026-06-01", "2026-06-07T23:59:59Z": "2026-06-01", "2026-06-08T00:00:00Z": "2026-06-08",
		"2027-01-01T12:00:00Z": "2026-12-28", "2026-06-08T01:00:00+02:00": "2026-06-01",
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := weekOf(when).Format(time.DateOnly); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}

func TestOrganisation(t *testing.T) {
	for subject, want := range map[string]string{
		"Anna Öberg, Anna, Öberg, 19900101-1234, Finance, Demo, SE": "Demo",
		"device.example.com, Demo, SE":                              "Demo",
		"device.example.com, Demo":                                  "Demo",
		"device.example.com, SE":                                    "",
		"device.example.com":                                        "",
		"":                                                          "",
		"CN=device,OU=IT,O=Åkerlund & Söner AB,C=SE":                "Åkerlund & Söner AB",
		"cn=device, c=SE":                                           "",
	} {
		if got := organisation(subject); got != want {
			t.Errorf("%q: %q, want %q", subject, got, want)
		}
	}
}

// TestMemoryEnds: names that no other certificate has are counted together
// past a point.
func TestMemoryEnds(t *testing.T) {
	c := newCounts(noon)
	for n := range maxNames + 500 {
		c.add([]cmapi.Certificate{{Subject: fmt.Sprintf("x, org %d, SE", n), Issuer: "cn=one", ValidTo: noon}})
	}
	if len(c.orgs) != maxNames+1 || c.orgs[others] != 500 || c.issuers["cn=one"] != maxNames+500 {
		t.Errorf("%d names, %d others", len(c.orgs), c.orgs[others])
	}
}

// hostile is a report full of text that wants to be something else.
func hostile() *Report {
	c := newCounts(noon)
	c.until, c.failUntil = noon.AddDate(0, 0, 21), noon.AddDate(0, 0, 7)
	for n, org := range []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "a|b", "[x](http://evil)", "\x1b[31mred\u202e", "{{.}}", "&amp;"} {
		c.add([]cmapi.Certificate{{Subject: "x, " + org + ", SE", Issuer: "cn=<b>", ValidTo: noon.AddDate(0, 0, n)}})
	}
	r := c.report()
	r.Gateway = "https://gw/<i>"
	return r
}

func TestHTMLIsSelfContained(t *testing.T) {
	page, err := hostile().html()
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, bad := range []string{"<script", "<img", "<b>", "<i>", "\x1b", "\u202e", "url(", "@import", "&amp;amp;amp;"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{"&lt;script&gt;alert(1)&lt;/script&gt;", "{{.}}", "&amp;amp;", `class="late"`, "default-src 'none'", "7 certificates expire from 2026-06-03 to 2026-06-24 (21 days)."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if fetched := regexp.MustCompile(`<[^>]*\b(src|href|action|data)=`).FindString(text); fetched != "" {
		t.Errorf("the page has %q", fetched)
	}
	// The charts are well-formed.
	charts := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1)
	if len(charts) < 3 {
		t.Errorf("%d charts", len(charts))
	}
	for _, svg := range charts {
		for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
	}
}

func TestMarkdownKeepsItsTables(t *testing.T) {
	text := string(hostile().markdown())
	for _, want := range []string{`| a\|b | 1 |`, `| \<script\>alert(1)\</script\> | 1 |`, `| \[x\](http://evil) | 1 |`, `| \\x1b\[31mred\\u202e | 1 |`, "| 2026-W23 | 2026-06-01 | 5 (soon) |"} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

// TestManyNames: documents show the first and count the rest; the sums are
// those of all.
func TestManyNames(t *testing.T) {
	var bars []Bar
	for n := range 50 {
		bars = append(bars, Bar{Name: fmt.Sprint(n), Count: 1})
	}
	got := shown(bars)
	if len(got) != mostBars || got[mostBars-1].Count != 31 || got[mostBars-1].Name != "(31 more)" || len(bars) != 50 {
		t.Errorf("%+v", got)
	}
}

// The scale has round numbers, a few of them, from 0 up to the highest bar at
// most, where a bar of that count ends.
func TestScale(t *testing.T) {
	for highest, want := range map[int]string{
		0: "[0 1]", 1: "[0 1]", 5: "[0 1 2 3 4 5]", 6: "[0 2 4 6]", 11: "[0 2 4 6 8 10]", 12: "[0 5 10]", 51: "[0 10 20 30 40 50]",
		99: "[0 20 40 60 80]", 730: "[0 200 400 600]", 123456: "[0 50000 100000]",
	} {
		weeks := []Bar{{Count: highest}, {Count: highest / 2}}
		var counts []int
		for _, m := range scale(weeks) {
			counts = append(counts, m.Count)
			for _, b := range chart([]Bar{{Count: highest}, {Count: m.Count}})[1:] {
				if m.Count > 1 && math.Abs(b.Y-m.Y) > 0.01 {
					t.Errorf("of %d: the mark %d is at %.1f, a bar at %.1f", highest, m.Count, m.Y, b.Y)
				}
			}
		}
		if got := fmt.Sprint(counts); got != want {
			t.Errorf("up to %d: %s, want %s", highest, got, want)
		}
	}
}
