package output

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cmctl/cmctl/pkg/exit"
)

func mustTemplate(text string) *RecordTemplate {
	t, err := ParseTemplate(text)
	if err != nil {
		panic(err)
	}
	return t
}

func mustFilter(text string) *Filter {
	f, err := ParseFilter(text)
	if err != nil {
		panic(err)
	}
	return f
}

// formula starts like one in a spreadsheet, in each way.
var formulas = []cert{
	{ID: "1", Subject: "=cmd|'/C calc'!A0"},
	{ID: "2", Subject: "+1"},
	{ID: "3", Subject: "-1"},
	{ID: "4", Subject: "@SUM(A1)"},
	{ID: "5", Subject: "\t=1"},
	{ID: "6", Subject: "\r=1"},
	{ID: "7", Subject: "a=1"},
}

func TestMoreForms(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opt    Options
		values []cert
		want   string
	}{
		{"csv of none", Options{Format: CSV}, nil, "certid,subject,status,serial,uses\r\n"},
		{"csv of none without header", Options{Format: CSV, NoHeader: true}, nil, ""},
		{"csv", Options{Format: CSV}, []cert{anna, bo}, "certid,subject,status,serial,uses\r\n10003,\"CN=Anna <a@b>, O=Demo\",active,0a1b,7\r\n9,CN=Bo,revoked!,,12\r\n"},
		{"csv with quotes and lines", Options{Format: CSV, NoHeader: true, Columns: []string{"subject"}}, []cert{{Subject: `a "b"` + "\n\x1b"}}, `"a ""b""\n\x1b"` + "\r\n"},
		{"csv with formulas", Options{Format: CSV, NoHeader: true, Columns: []string{"subject"}}, formulas[:2], "=cmd|'/C calc'!A0\r\n+1\r\n"},
		{
			"csv safe from formulas", Options{Format: CSV, NoHeader: true, CSVSafe: true, Columns: []string{"subject", "status"}}, formulas,
			"'=cmd|'/C calc'!A0,\r\n'+1,\r\n'-1,\r\n'@SUM(A1),\r\n'\\t=1,\r\n'\\r=1,\r\na=1,\r\n",
		},
		{"yaml of none", Options{Format: YAML}, nil, "[]\n"},
		{"yaml", Options{Format: YAML}, []cert{anna, bo}, `- certid: "10003"
  serial: "0a1b"
  subject: "CN=Anna <a@b>, O=Demo"
  status: active
  uses: 7
- certid: "9"
  subject: "CN=Bo"
  status: "revoked!"
  uses: 12
`},
		{"yaml of the one asked for", Options{Format: YAML, Single: true}, []cert{{Status: "no"}}, "certid: \"\"\nsubject: \"\"\nstatus: \"no\"\nuses: 0\n"},
		{"yaml with hostile text", Options{Format: YAML, Single: true}, []cert{{Subject: hostile}}, "" +
			`certid: ""` + "\n" + `subject: "a\e[2J\tb\nc\r\0\x7F\x9B\u202e\u200b\L` + "\ufffd" + `\U000E0041"` + "\n" + `status: ""` + "\nuses: 0\n"},
		{"template", Options{Format: Template, Record: mustTemplate(`{{.certid}} {{.serial}}{{if eq .status "active"}}!{{end}}`)}, []cert{anna, bo}, "10003 0a1b!\n9 \n"},
		{"template with its own newline", Options{Format: Template, Record: mustTemplate("{{.certid}}\n")}, []cert{anna, bo}, "10003\n9\n"},
		{
			"template with functions", Options{Format: Template, Record: mustTemplate(`{{upper .subject}}{{"\t"}}{{default "none" .serial}} {{json .uses}} {{.nothing}}{{range .nothing}}{{.}}{{end}}{{len .certid}}`)},
			[]cert{anna, bo}, "CN=ANNA <A@B>, O=DEMO\t0a1b 7 5\nCN=BO\tnone 12 1\n",
		},
		{"template with hostile text", Options{Format: Template, Record: mustTemplate(`{{.subject}} {{printf "%s" .subject}}`)}, []cert{{Subject: "a\x1b\nb"}}, `a\x1b\nb a\x1b\nb` + "\n"},
		{"template of none", Options{Format: Template, Record: mustTemplate("x")}, nil, ""},
		{"jq on the array", Options{Format: JSON, Filter: mustFilter("length, .[0].uses, .[].subject, .[1]")}, []cert{anna, bo}, "" +
			"2\n7\nCN=Anna <a@b>, O=Demo\nCN=Bo\n" + `{"certid":"9","status":"revoked!","subject":"CN=Bo","uses":12}` + "\n"},
		{"jq on none", Options{Format: JSON, Filter: mustFilter("length")}, nil, "0\n"},
		{"jq on the one asked for", Options{Format: JSON, Single: true, Filter: mustFilter(".certid")}, []cert{bo}, "9\n"},
		{"jq on each", Options{Format: JSONL, Filter: mustFilter(".certid, .serial")}, []cert{anna, bo}, "10003\n0a1b\n9\nnull\n"},
		{"jq on each of none", Options{Format: JSONL, Filter: mustFilter(".")}, nil, ""},
		{"jq with hostile text", Options{Format: JSONL, Filter: mustFilter(".subject, [.subject]")}, []cert{{Subject: "a\x1b\tb\u202e\x7f\\"}}, "" +
			"a\\u001b\tb\\u202e\\u007f\\\n" + `["a\u001b\tb\u202e\u007f\\"]` + "\n"},
		{"jq that makes columns", Options{Format: JSONL, Filter: mustFilter("[.certid,.status]|@tsv")}, []cert{anna}, "10003\tactive\n"},
		{"jq that stops", Options{Format: JSON, Filter: mustFilter("1, halt, 2")}, nil, "1\n"},
		{"columns of tsv", Options{Format: TSV, Columns: []string{"uses", "certid", "uses"}}, []cert{anna}, "7\t10003\t7\n"},
		{"columns of a table", Options{Format: Table, Columns: []string{"serial", "status"}}, []cert{anna, bo}, "SERIAL NUMBER  STATUS\n0a1b           active\n               revoked\n"},
		{"columns of details", Options{Format: Table, Details: true, Columns: []string{"uses", "certid"}}, []cert{anna}, "uses:        7\nCertificate: 10003\n"},
		{"sorted", Options{Format: ID, Sort: []string{"certid"}}, []cert{anna, {ID: "100"}, bo, {ID: "0009"}}, "9\n0009\n100\n10003\n"},
		{"sorted, falling", Options{Format: ID, Sort: []string{"-uses", "certid"}}, []cert{{ID: "b", Uses: 9}, anna, {ID: "a", Uses: 9}, bo}, "9\na\nb\n10003\n"},
		{"sorted, without a value", Options{Format: ID, Sort: []string{"-serial"}}, []cert{{ID: "x"}, {ID: "a", Serial: "1"}, {ID: "b", Serial: "2"}}, "b\na\nx\n"},
		{"sorted, then limited", Options{Format: JSONL, Sort: []string{"uses"}, Limit: 1, Filter: mustFilter(".certid")}, []cert{bo, anna, evil}, "66\n"},
		{"limited", Options{Format: ID, Limit: 2}, []cert{anna, bo, evil}, "10003\n9\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := render(t, tt.opt, tt.values...); got != tt.want {
				t.Errorf("got:\n%q\nwant:\n%q", got, tt.want)
			}
		})
	}
}

// sameAsJSON reads YAML back and compares it with what JSON has.
func sameAsJSON(t *testing.T, c cert, out string) {
	t.Helper()
	encoded, err := json.Marshal([]cert{c})
	if err != nil {
		t.Fatal(err)
	}
	var want, got []map[string]any
	if err := json.Unmarshal(encoded, &want); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	for _, m := range got {
		if n, ok := m["uses"].(int); ok {
			m["uses"] = float64(n)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("YAML %q says %q, JSON %q", out, got, want)
	}
}

// Text that some version of YAML takes for something else stays text.
func TestYAMLQuotes(t *testing.T) {
	for _, s := range []string{
		"", " ", "0123", "1e5", "1E5", "0x1f", "0o17", "1_000", "12:30:45", "1:20", ".5", ".inf", "-.INF", ".NaN", "+1", "-1", "~", "null", "Null", "NULL",
		"no", "No", "NO", "yes", "on", "off", "y", "N", "true", "False", "2026-03-02", "2026-03-02T15:04:05Z", "=", "<<", "- a", "a: b", "a #b", "#a", "&a", "*a",
		"!a", "|", ">", "'a'", `"a"`, "%a", "@a", "`a`", "[a]", "{a}", "a ", " a", "a\n", "a\nb", "--- a", "...", "? a", ": a", "\\", "日本", "e1", "a/b", "f4432",
	} {
		out := render(t, Options{Format: YAML}, cert{ID: s})
		sameAsJSON(t, cert{ID: s}, out)
		plain := "- certid: " + s + "\n"
		if first := strings.SplitAfter(out, "\n")[0]; first == plain && !slices.Contains([]string{"e1", "a/b", "f4432"}, s) {
			t.Errorf("%q is not quoted", s)
		}
	}
}

func TestYAMLNumbers(t *testing.T) {
	for in, want := range map[string]string{"1": "1", "1.5": "1.5", "1e5": "100000", "1e-7": "0.0000001", "-3": "-3", "12345678901234567890": "12345678901234567890"} {
		if got := yamlNumber(json.Number(in)); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func TestWrongExpressions(t *testing.T) {
	for _, tt := range []struct {
		parse func(string) error
		text  string
		want  string
	}{
		{parseFilterOnly, ".[", "at character 3"},
		{parseFilterOnly, ".a | nosuch", "nosuch"},
		{parseFilterOnly, `.a ]`, `unexpected token "]" at character 4`},
		{parseTemplateOnly, "{{.a", "template:1: "},
		{parseTemplateOnly, "a\n{{nosuch .a}}", "template:2: "},
	} {
		err := tt.parse(tt.text)
		if exit.Of(err) != exit.Usage || !strings.Contains(err.Error(), tt.want) || exit.HintOf(err) == "" {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}

func parseFilterOnly(s string) error   { _, err := ParseFilter(s); return err }
func parseTemplateOnly(s string) error { _, err := ParseTemplate(s); return err }

// What goes wrong with a record is no mistake of the command line: things may
// have been done.
func TestExpressionsThatFail(t *testing.T) {
	for _, o := range []Options{
		{Format: JSONL, Filter: mustFilter(".certid.x")},
		{Format: JSON, Filter: mustFilter(`error("no")`)},
		{Format: Template, Record: mustTemplate("{{.certid.x}}")},
		{Format: Template, Record: mustTemplate(`{{date "2006" .subject}}`)},
	} {
		o.Out = io.Discard
		w := NewWriter(certs, o)
		err := w.Write(anna)
		if err == nil {
			err = w.Close()
		}
		if exit.Of(err) != exit.Failure {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// jq sees neither the environment, where PINs may be, nor files.
func TestFilterIsShutIn(t *testing.T) {
	t.Setenv("CMCTL_PIN", "1234")
	for _, text := range []string{"env|tostring", "$ENV|tostring"} {
		if got := render(t, Options{Format: JSON, Filter: mustFilter(text)}); got != "{}\n" {
			t.Errorf("%s gives %q", text, got)
		}
	}
	for _, text := range []string{`import "a" as a; .`, "input", "inputs"} {
		f, err := ParseFilter(text)
		if err != nil {
			continue
		}
		w := NewWriter(certs, Options{Format: JSON, Filter: f, Out: io.Discard})
		if err := w.Close(); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestUnknownColumns(t *testing.T) {
	if got := certs.Columns().All(); !slices.Equal(got, []string{"certid", "subject", "status", "serial", "uses"}) {
		t.Errorf("columns are %v", got)
	}
	for _, o := range []Options{{Columns: []string{"certid", "nosuch"}}, {Sort: []string{"-nosuch"}}, {Sort: []string{"--certid"}}} {
		o.Out = io.Discard
		w := NewWriter(certs, o)
		err := w.Write(anna)
		if exit.Of(err) != exit.Usage || !strings.Contains(exit.HintOf(err), "certid, subject, status, serial, uses") || w.Close() == nil {
			t.Errorf("%+v: %v, hint %q", o, err, exit.HintOf(err))
		}
	}
}

func TestSortIsAnOrder(t *testing.T) {
	words := []string{"", "0", "00", "1", "01", "1a", "2", "9", "10", "a", "a1", "a01", "a2", "a10", "b", "device-9", "device-10", "é"}
	for i, a := range words {
		for j, b := range words {
			if c, d := compareNatural(a, b), compareNatural(b, a); (c < 0) != (d > 0) || (c == 0) != (i == j) {
				t.Errorf("%q and %q compare as %d and %d", a, b, c, d)
			}
			for _, x := range words {
				if compareNatural(a, b) < 0 && compareNatural(b, x) < 0 && compareNatural(a, x) >= 0 {
					t.Errorf("%q < %q < %q, but not the ends", a, b, x)
				}
			}
		}
	}
}

// A table that cannot fit leaves spare columns out, the last one first, and
// says so; what was asked for by name stays.
func TestTableLeavesOut(t *testing.T) {
	noun := certs
	noun.Fields = slices.Clone(certs.Fields)
	noun.Fields[0].Spare, noun.Fields[2].Spare = true, true
	for _, tt := range []struct {
		width   int
		columns []string
		header  string
		notice  string
	}{
		{60, nil, "CERTID STATUS SUBJECT USES", ""},
		{41, nil, "CERTID SUBJECT USES", "not shown in 41 columns: status; see -o wide"},
		{33, nil, "SUBJECT USES", "not shown in 33 columns: certid, status; see -o wide"},
		{33, []string{"certid", "subject", "status"}, "CERTID STATUS SUBJECT", ""},
		{0, nil, "CERTID STATUS SUBJECT USES", ""},
	} {
		var out strings.Builder
		var said []string
		w := NewWriter(noun, Options{
			Format: Table, Width: tt.width, Columns: tt.columns, Out: &out, Color: true,
			Notice: func(s string) { said = append(said, s) },
		})
		if err := w.Write(cert{"10003", "", strings.Repeat("x", 40), "on hold", 7}, anna); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		header, _, _ := strings.Cut(out.String(), "\n")
		words := strings.Fields(header)
		slices.Sort(words)
		if strings.Join(words, " ") != tt.header || strings.Join(said, "") != tt.notice {
			t.Errorf("width %d: %q, says %q; want %q, %q", tt.width, words, said, tt.header, tt.notice)
		}
	}
}

// A column with a line of its own is one where the table fits with it, and else
// stands under its row, before anything is left out.
func TestUnder(t *testing.T) {
	type key struct{ label, uri, module string }
	noun := Noun[key]{Name: "key", Fields: []Field[key]{
		{Name: "label", Value: func(k key) string { return k.label }},
		{Name: "module", Value: func(k key) string { return k.module }, Spare: true},
		{Name: "uri", Value: func(k key) string { return k.uri }, Under: func(k key) string { return cmp.Or(k.uri, k.module) }},
	}}
	for width, want := range map[int]string{40: "LABEL  MODULE  URI\nx              it is not there\n", 14: "LABEL  MODULE\nx\n  it is not\n  there\n"} {
		var out bytes.Buffer
		if err := Print(noun, Options{Format: Table, Out: &out, Width: width}, key{"x", "it is not there", ""}); err != nil || out.String() != want {
			t.Errorf("in %d columns, %v:\n%swant\n%s", width, err, out.String(), want)
		}
	}
	keys := []key{{"one", "pkcs11:id=%01;token=a", "m1.so"}, {"", "", "m2.so"}, {"evil", "pkcs11:\x1b[2J", "m1.so"}}
	for width, want := range map[int]string{
		40: "LABEL  MODULE  URI\none    m1.so   pkcs11:id=%01;token=a\n       m2.so\nevil   m1.so   pkcs11:\\x1b[2J\n",
		20: "LABEL  MODULE\none    m1.so\n  pkcs11:id=%01;token=a\n       m2.so\n  m2.so\nevil   m1.so\n  pkcs11:\\x1b[2J\n",
		8:  "LABEL\none\n  pkcs11:id=%01;token=a\n\n  m2.so\nevil\n  pkcs11:\\x1b[2J\n",
	} {
		var out bytes.Buffer
		if err := Print(noun, Options{Format: Table, Out: &out, Width: width}, keys...); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("in %d columns:\n%swant\n%s", width, out.String(), want)
		}
	}
}

// What comes after a record that cannot be printed is not printed, whether it
// came together with it or later.
func TestNothingAfterWhatFailed(t *testing.T) {
	var b strings.Builder
	w := NewWriter(certs, Options{Format: JSONL, Out: &b, Filter: mustFilter(`if .certid == "9" then error("no") else .certid end`)})
	if err := w.Write(anna, bo, anna); err == nil {
		t.Error("a filter that fails is no error")
	}
	_ = w.Write(anna)
	if b.String() != "10003\n" {
		t.Errorf("printed %q", b.String())
	}
}
