package clitest

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/width"
)

// cmdForms is `forms N SCHEMA cmctl args...`: in every form, the command prints
// N records, all forms say the same, the JSON fits its schema, and nothing
// hidden gets out. `! forms` is for a command that changes things and says
// something else each time.
func cmdForms(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: forms N SCHEMA cmctl args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	f := forms{ts: ts, args: args[2:]}
	if err := f.check(want, args[1], !neg); err != nil {
		ts.Fatalf("%s: %v", strings.Join(f.args, " "), err)
	}
}

type forms struct {
	ts   *testscript.TestScript
	args []string
}

// print runs the command in a form. How it ends is for others to judge.
func (f forms) print(form string, more ...string) (string, error) {
	_ = f.ts.Exec(f.args[0], slices.Concat(f.args[1:], []string{"-o", form}, more)...)
	for _, stream := range []string{"stdout", "stderr"} {
		text := f.ts.ReadFile(stream)
		if stream == "stdout" && form == "csv" {
			text = strings.ReplaceAll(text, "\r\n", "\n") // its line ends
		}
		if stream == "stdout" && form == "tsv" {
			text = strings.ReplaceAll(text, "\t", " ")
		}
		for i, r := range text {
			if r != '\n' && !unicode.IsGraphic(r) || r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
				return "", fmt.Errorf("-o %s lets %U out on %s: %q", form, r, stream, text)
			}
		}
	}
	return f.ts.ReadFile("stdout"), nil
}

func (f forms) check(want int, schema string, same bool) error {
	printed := map[string]string{}
	for _, form := range []string{"json", "jsonl", "yaml", "tsv", "csv", "table", "wide", "id", "template={{json .}}"} {
		text, err := f.print(form)
		if err != nil {
			return err
		}
		printed[form] = text
	}
	var records, fromYAML []any
	if err := json.Unmarshal([]byte(printed["json"]), &records); err != nil {
		return fmt.Errorf("-o json: %w: %s", err, printed["json"])
	}
	if len(records) != want {
		return fmt.Errorf("-o json has %d records, want %d", len(records), want)
	}
	for _, r := range records {
		if err := CheckRecord(schema, r); err != nil {
			return err
		}
	}
	if err := yaml.Unmarshal([]byte(printed["yaml"]), &fromYAML); err != nil {
		return fmt.Errorf("-o yaml: %w: %s", err, printed["yaml"])
	}
	if same && !reflect.DeepEqual(plain(fromYAML), plain(records)) {
		return fmt.Errorf("YAML says %v, JSON %v", fromYAML, records)
	}
	for _, form := range []string{"jsonl", "template={{json .}}"} {
		lines := []any{}
		for dec := json.NewDecoder(strings.NewReader(printed[form])); dec.More(); {
			var v any
			if err := dec.Decode(&v); err != nil {
				return fmt.Errorf("-o %s: %w", form, err)
			}
			lines = append(lines, v)
		}
		if len(lines) != want || strings.Count(printed[form], "\n") != want || same && !reflect.DeepEqual(plain(lines), plain(records)) {
			return fmt.Errorf("-o %s says %v, JSON %v", form, lines, records)
		}
	}
	if err := checkColumns(printed["tsv"], printed["csv"], want, same); err != nil {
		return err
	}
	safe, err := f.print("csv", "--csv-safe")
	if err != nil {
		return err
	}
	return checkTables(printed, safe, want)
}

// checkColumns holds tsv against csv, cell by cell.
func checkColumns(tsv, table string, want int, same bool) error {
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil {
		return fmt.Errorf("-o csv: %w: %q", err, table)
	}
	if len(rows) != want+1 || strings.Count(table, "\r\n") != want+1 {
		return fmt.Errorf("-o csv is not a header and %d rows: %q", want, table)
	}
	lines := strings.SplitAfter(tsv, "\n")
	if lines = lines[:len(lines)-1]; len(lines) != want {
		return fmt.Errorf("-o tsv has %d lines, want %d: %q", len(lines), want, tsv)
	}
	for i, line := range lines {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != len(rows[0]) || same && !slices.Equal(cells, rows[i+1]) {
			return fmt.Errorf("line %d: tsv has %q, csv %q", i+1, cells, rows[i+1])
		}
	}
	return nil
}

func checkTables(printed map[string]string, safe string, want int) error {
	rows, err := csv.NewReader(strings.NewReader(safe)).ReadAll()
	if err != nil {
		return err
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				return fmt.Errorf("--csv-safe lets a formula out: %q", cell)
			}
		}
	}
	lines := want + 1
	if want == 0 {
		lines = 0
	}
	if n := strings.Count(printed["wide"], "\n"); n != lines {
		return fmt.Errorf("-o wide has %d lines, want %d: %s", n, lines, printed["wide"])
	}
	if n := strings.Count(printed["table"], "\n"); n < lines || want == 0 && n > 0 {
		return fmt.Errorf("-o table has %d lines, want at least %d: %s", n, lines, printed["table"])
	}
	if n := strings.Count(printed["id"], "\n"); n > want {
		return fmt.Errorf("-o id has %d lines for %d records: %s", n, want, printed["id"])
	}
	return nil
}

// plain brings numbers to one type.
func plain(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[k] = plain(v[k])
		}
		return out
	}
	return v
}

// cmdFits is `fits WIDTH cmctl args...`: on a terminal of that width the
// command prints a table of more than a header, and no line of it wraps.
func cmdFits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fits WIDTH cmctl args...")
	}
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	for name, value := range map[string]string{"CMCTL_FORCE_TTY": args[0], "NO_COLOR": "1"} {
		defer ts.Setenv(name, ts.Getenv(name))
		ts.Setenv(name, value)
	}
	_ = ts.Exec(args[1], args[2:]...) // how it ends is for others to judge
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n")
	if len(lines) < 2 {
		ts.Fatalf("%s: no table", strings.Join(args[1:], " "))
	}
	for _, line := range lines {
		cells := 0
		for _, r := range line {
			switch width.LookupRune(r).Kind() {
			case width.EastAsianWide, width.EastAsianFullwidth:
				cells++
			}
			if !unicode.In(r, unicode.Mn, unicode.Me) {
				cells++
			}
		}
		if cells > most {
			ts.Fatalf("%s: a line of %d in %d columns: %s", strings.Join(args[1:], " "), cells, most, line)
		}
	}
}
