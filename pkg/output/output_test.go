package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
)

type cert struct {
	ID      string `json:"certid"`
	Serial  string `json:"serial,omitempty"`
	Subject string `json:"subject"`
	Status  string `json:"status"`
	Uses    int    `json:"uses"`
}

var certs = Noun[cert]{
	Name: "certificate",
	ID:   func(c cert) string { return c.ID },
	Fields: []Field[cert]{
		{Name: "certid", Label: "Certificate", Value: func(c cert) string { return c.ID }},
		{Name: "subject", Label: "Subject", Flex: true, Value: func(c cert) string { return c.Subject }},
		{
			Name: "status", Label: "Status", Value: func(c cert) string { return c.Status },
			Cell: func(c cert) string { return strings.TrimSuffix(c.Status, "!") },
			Tone: func(c cert) Tone {
				switch {
				case strings.HasPrefix(c.Status, "revoked"):
					return Bad
				case c.Status == "on hold":
					return Warn
				}
				return Plain
			},
		},
		{Name: "serial", Header: "SERIAL NUMBER", Where: NotInTable, Value: func(c cert) string { return c.Serial }},
		{Name: "uses", Right: true, Where: InTable | InWide | InTSV, Value: func(c cert) string { return fmt.Sprint(c.Uses) }},
	},
}

var (
	anna = cert{"10003", "0a1b", "CN=Anna <a@b>, O=Demo", "active", 7}
	bo   = cert{"9", "", "CN=Bo", "revoked!", 12}
	evil = cert{"66", "ff", hostile, "on hold", 0}
)

func render(t *testing.T, o Options, values ...cert) string {
	t.Helper()
	var b bytes.Buffer
	o.Out = &b
	w := NewWriter(certs, o)
	if err := w.Write(values...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestForms(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opt    Options
		values []cert
		want   string
	}{
		{"table of none", Options{Format: Table}, nil, ""},
		{"table", Options{Format: Table}, []cert{anna, bo}, "" +
			"CERTID  SUBJECT                STATUS   USES\n" +
			"10003   CN=Anna <a@b>, O=Demo  active      7\n" +
			"9       CN=Bo                  revoked    12\n"},
		{"table without header", Options{Format: Table, NoHeader: true}, []cert{bo}, "9  CN=Bo  revoked  12\n"},
		{"table with hostile text", Options{Format: Table, NoHeader: true}, []cert{evil},
			`66  a\x1b[2J\tb\nc\r\x00\x7f\u009b\u202e\u200b\u2028\xff\U000e0041  on hold  0` + "\n"},
		{"table with colour", Options{Format: Table, Color: true, NoHeader: true}, []cert{bo, evil, anna}, "" +
			"9      CN=Bo" + strings.Repeat(" ", 59) + "\x1b[31mrevoked\x1b[0m  12\n" +
			`66     a\x1b[2J\tb\nc\r\x00\x7f\u009b\u202e\u200b\u2028\xff\U000e0041  ` + "\x1b[33mon hold\x1b[0m   0\n" +
			"10003  CN=Anna <a@b>, O=Demo" + strings.Repeat(" ", 43) + "active    7\n"},
		{"wide", Options{Format: Wide, Width: 20}, []cert{anna}, "" +
			"CERTID  SUBJECT                STATUS  SERIAL NUMBER  USES\n" +
			"10003   CN=Anna <a@b>, O=Demo  active  0a1b              7\n"},
		{"trailing blanks go", Options{Format: Wide, NoHeader: true}, []cert{{ID: "1"}, {ID: "2", Subject: "x", Uses: 3}}, "" +
			"1         0\n" +
			"2  x      3\n"},
		{"tsv", Options{Format: TSV, TTY: true, Color: true, Width: 10}, []cert{anna, bo, evil}, "" +
			"10003\tCN=Anna <a@b>, O=Demo\tactive\t0a1b\t7\n" +
			"9\tCN=Bo\trevoked!\t\t12\n" +
			"66\t" + `a\x1b[2J\tb\nc\r\x00\x7f\u009b\u202e\u200b\u2028\xff\U000e0041` + "\ton hold\tff\t0\n"},
		{"tsv of none", Options{Format: TSV}, nil, ""},
		{"id", Options{Format: ID}, []cert{anna, {}, {ID: "a\nb"}}, "10003\na\\nb\n"},
		{"json of none", Options{Format: JSON}, nil, "[]\n"},
		{"json", Options{Format: JSON}, []cert{anna, bo}, `[
  {
    "certid": "10003",
    "serial": "0a1b",
    "subject": "CN=Anna <a@b>, O=Demo",
    "status": "active",
    "uses": 7
  },
  {
    "certid": "9",
    "subject": "CN=Bo",
    "status": "revoked!",
    "uses": 12
  }
]
`},
		{"json of the one asked for", Options{Format: JSON, Single: true}, []cert{bo}, `{
  "certid": "9",
  "subject": "CN=Bo",
  "status": "revoked!",
  "uses": 12
}
`},
		{"jsonl of none", Options{Format: JSONL}, nil, ""},
		{"jsonl with hostile text", Options{Format: JSONL}, []cert{bo, evil}, "" +
			`{"certid":"9","subject":"CN=Bo","status":"revoked!","uses":12}` + "\n" +
			`{"certid":"66","serial":"ff","subject":"a\u001b[2J\tb\nc\r\u0000\u007f\u009b\u202e\u200b\u2028\ufffd\udb40\udc41","status":"on hold","uses":0}` + "\n"},
		{"details", Options{Format: Table, Details: true, Color: true}, []cert{anna, bo}, "" +
			"Certificate: 10003\n" +
			"Subject:     CN=Anna <a@b>, O=Demo\n" +
			"Status:      active\n" +
			"serial:      0a1b\n" +
			"\n" +
			"Certificate: 9\n" +
			"Subject:     CN=Bo\n" +
			"Status:      \x1b[31mrevoked!\x1b[0m\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := render(t, tt.opt, tt.values...); got != tt.want {
				t.Errorf("got:\n%q\nwant:\n%q", got, tt.want)
			}
		})
	}
}

func TestTableFitsTheWidth(t *testing.T) {
	long := strings.Repeat("日本語 ", 30)
	accents := strings.Repeat("e\u0301", 100)
	rows := []cert{
		{"123456789012", "", "CN=" + strings.Repeat("x", 150), "active", 1},
		{"1", "", long, "active", 2},
		{"2", "", accents, "on hold", 3},
		{"3", "", "short", "active", 4},
	}
	for _, width := range []int{50, 79, 80, 200} {
		out := render(t, Options{Format: Table, Width: width}, rows...)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		widest := 0
		for _, l := range lines {
			widest = max(widest, textWidth(l))
		}
		if widest > width || widest < width-1 { // a wide character may not fit into the last cell
			t.Errorf("width %d: widest line is %d:\n%s", width, widest, out)
		}
		if !strings.Contains(lines[1], "123456789012") {
			t.Errorf("width %d: the identifier was cut:\n%s", width, out)
		}
		if width < 150 && !strings.Contains(lines[1], "x"+ellipsis+" ") {
			t.Errorf("width %d: nothing says that text is missing:\n%s", width, out)
		}
		if !strings.Contains(lines[4], " short ") {
			t.Errorf("width %d: what fits was cut:\n%s", width, out)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		in    string
		width int
		want  string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdef", 5, "abcd…"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"abc", 1, "…"},
	} {
		if got := cut(tt.in, tt.width); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.want)
		}
	}
}

func TestTextWidth(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "abc": 3, "Åsa": 3, "e\u0301": 1, "日本語": 6, "ﾊﾝ": 2, "Ａ": 2, "한글": 4, "\u1112\u1161\u11ab": 2, "हिन्दी": 5, "🔑": 2, "…": 1,
	} {
		if got := textWidth(s); got != want {
			t.Errorf("textWidth(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestShortenTakesFromTheWidest(t *testing.T) {
	type pair struct{ a, b string }
	noun := Noun[pair]{Name: "pair", Fields: []Field[pair]{
		{Name: "a", Flex: true, Value: func(p pair) string { return p.a }},
		{Name: "b", Flex: true, Value: func(p pair) string { return p.b }},
	}}
	var out bytes.Buffer
	w := NewWriter(noun, Options{Format: Table, Out: &out, Width: 40, NoHeader: true})
	if err := w.Write(pair{strings.Repeat("a", 15), strings.Repeat("b", 60)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("a", 15) + "  " + strings.Repeat("b", 22) + "…\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestRowLimit(t *testing.T) {
	many := slices.Repeat([]cert{bo}, 7)
	for _, tt := range []struct {
		name  string
		opt   Options
		lines int
		cut   bool
	}{
		{"table on a terminal", Options{Format: Table, TTY: true, RowLimit: 5}, 6, true},
		{"fewer wanted than the limit", Options{Format: Table, TTY: true, RowLimit: 5, Limit: 3}, 4, false},
		{"more wanted than the limit", Options{Format: Table, TTY: true, RowLimit: 5, Limit: 6}, 6, true},
		{"exactly at the limit", Options{Format: Table, TTY: true, RowLimit: 7}, 8, false},
		{"table in a pipe", Options{Format: Table, RowLimit: 5}, 8, false},
		{"wide on a terminal", Options{Format: Wide, TTY: true, RowLimit: 5}, 8, false},
		{"tsv on a terminal", Options{Format: TSV, TTY: true, RowLimit: 5}, 7, false},
		{"jsonl on a terminal", Options{Format: JSONL, TTY: true, RowLimit: 5}, 7, false},
		{"no limit", Options{Format: Table, TTY: true}, 8, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			cut := false
			tt.opt.Out, tt.opt.Cut = &b, func(rows, all int) { cut = rows == 5 && all == 7 }
			if err := Print(certs, tt.opt, many...); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(b.String(), "\n"); n != tt.lines || cut != tt.cut {
				t.Errorf("%d lines, cut %v; want %d, %v", n, cut, tt.lines, tt.cut)
			}
		})
	}
}

func TestStreamingFormsAreOutAfterEachWrite(t *testing.T) {
	for _, f := range []Format{TSV, ID, JSON, JSONL} {
		var b bytes.Buffer
		w := NewWriter(certs, Options{Format: f, Out: &b})
		if err := w.Write(anna, bo); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "9") {
			t.Errorf("%s: held back: %q", f, b.String())
		}
	}
}

func TestNounThatEncodesAnotherValue(t *testing.T) {
	n := certs
	n.JSON = func(c cert) any { return map[string]string{"only": c.ID} }
	var b bytes.Buffer
	w := NewWriter(n, Options{Format: JSONL, Out: &b})
	if err := w.Write(anna); err != nil {
		t.Fatal(err)
	}
	if want := `{"only":"10003"}` + "\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestReaderGone(t *testing.T) {
	for _, f := range Formats() {
		r, pw, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		w := NewWriter(certs, Options{Format: f.Format, Out: pw, Record: mustTemplate("{{.certid}}")})
		err = w.Write(anna)
		closing := w.Close()
		if !errors.Is(closing, ErrClosed) || err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("%s: Write says %v, Close says %v; want ErrClosed", f.Format, err, closing)
		}
		if err := pw.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOtherWriteErrors(t *testing.T) {
	w := NewWriter(certs, Options{Format: TSV, Out: full{}})
	err := w.Write(anna)
	if err == nil || err.Error() != "cannot write the output: no space left on device" || exit.Of(err) != exit.Failure {
		t.Errorf("got %v, code %d", err, exit.Of(err))
	}
	if again := w.Write(bo); !reflect.DeepEqual(again, err) {
		t.Errorf("the next write says %v", again)
	}
	if err := NewWriter(certs, Options{Format: Table, Details: true, Out: full{}}).Write(anna); err == nil {
		t.Error("the details form swallowed the error")
	}
}

func TestSingleIsOne(t *testing.T) {
	w := NewWriter(certs, Options{Format: JSON, Single: true, Out: io.Discard})
	if err := w.Write(anna, bo); err == nil {
		t.Error("two values were taken where one was promised")
	}
}

func TestUnencodableValue(t *testing.T) {
	n := certs
	n.JSON = func(cert) any { return func() {} }
	for _, f := range []Format{JSON, JSONL} {
		if err := NewWriter(n, Options{Format: f, Out: io.Discard}).Write(anna); err == nil {
			t.Errorf("%s: no error", f)
		}
	}
}

func TestParseFormat(t *testing.T) {
	want := []string{"table", "tsv", "wide", "id", "json", "jsonl", "yaml", "csv", "template=..."}
	if got := FormatNames(); !slices.Equal(got, want) {
		t.Errorf("forms are %v, want %v", got, want)
	}
	for _, name := range want {
		f, err := ParseFormat(name)
		if err != nil || string(f) != strings.TrimSuffix(name, "=...") || f.IsJSON() != strings.HasPrefix(name, "json") {
			t.Errorf("ParseFormat(%q) = %q, %v", name, f, err)
		}
	}
	_, err := ParseFormat("xml")
	if exit.Of(err) != exit.Usage || exit.HintOf(err) != "use one of "+strings.Join(want, ", ") {
		t.Errorf("got %v, hint %q", err, exit.HintOf(err))
	}
	for _, empty := range []string{"template", "template="} {
		if _, err := ParseFormat(empty); exit.Of(err) != exit.Usage {
			t.Errorf("%s: %v", empty, err)
		}
	}
}

func FuzzForms(f *testing.F) {
	f.Add(hostile, 40)
	f.Add("日本語 e\u0301\u202e", 25)
	f.Fuzz(func(t *testing.T, text string, width int) {
		c := cert{ID: text, Serial: text, Subject: text, Status: text}
		for _, info := range Formats() {
			name := string(info.Format)
			for _, details := range []bool{false, true} {
				out := render(t, Options{Format: info.Format, Width: width & 0xff, Details: details, Record: mustTemplate("{{.subject}} {{json .}}")}, c)
				if name == "csv" {
					out = strings.ReplaceAll(out, "\r\n", "\n") // its line ends
				}
				if r, bad := rawIn(out); bad {
					t.Fatalf("%s lets %U out: %q", name, r, out)
				}
				if name == "tsv" && (strings.Count(out, "\t") != 4 || strings.Count(out, "\n") != 1) {
					t.Fatalf("tsv is not one line of five columns: %q", out)
				}
				if rows, err := csv.NewReader(strings.NewReader(out)).ReadAll(); name == "csv" && (err != nil || len(rows) != 2 || rows[1][1] != Escape(text)) {
					t.Fatalf("csv comes back as %q, %v", rows, err)
				}
				if name == "yaml" {
					sameAsJSON(t, c, out)
				}
				if name == "json" && !json.Valid([]byte(out)) {
					t.Fatalf("not JSON: %q", out)
				}
			}
		}
	})
}
