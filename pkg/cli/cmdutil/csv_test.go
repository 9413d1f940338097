package cmdutil

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestReadCSV(t *testing.T) {
	for _, c := range []struct {
		name, in string
		columns  []string
		rows     []CSVRow
		err      string
		wrong    string
	}{
		{name: "commas", in: "a,b\n1,2\n", columns: []string{"a", "b"}, rows: []CSVRow{{2, []string{"1", "2"}}}},
		{name: "semicolons, with commas in a cell", in: "a;b\n1,5;2\n", columns: []string{"a", "b"}, rows: []CSVRow{{2, []string{"1,5", "2"}}}},
		{name: "tabs, an empty cell, CRLF, a byte order mark", in: "\xef\xbb\xbfa\tb\r\n\t2\r\n", columns: []string{"a", "b"}, rows: []CSVRow{{2, []string{"", "2"}}}},
		{name: "comments and blank lines", in: "# who; and, how\n\n a , b\n\n#1,2\n3,4", columns: []string{"a", "b"}, rows: []CSVRow{{6, []string{"3", "4"}}}},
		{name: "quotes and a line break in a cell", in: "a,b\n\"x, \"\"y\"\"\n\",2\n3,4\n", columns: []string{"a", "b"}, rows: []CSVRow{{2, []string{"x, \"y\"\n", "2"}}, {4, []string{"3", "4"}}}},
		{name: "one column", in: "a\n1\n", columns: []string{"a"}, rows: []CSVRow{{2, []string{"1"}}}},
		{name: "nothing"},
		{name: "rows too short and too long", in: "a,b\ncanary\n1,2\n1,2,canary\n", columns: []string{"a", "b"}, rows: []CSVRow{{3, []string{"1", "2"}}},
			wrong: "list:2: 1 columns, the header has 2\nlist:4: 3 columns, the header has 2"},
		{name: "a quote out of place", in: "a,b\ncan\"ary,1\n", err: `list: parse error on line 2, column 4: bare " in non-quoted-field`},
		{name: "UTF-16", in: "a\x00,\x00", err: "list: this is no text: byte 0 at offset 1 (UTF-16?)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := ReadCSV("list", strings.NewReader(c.in))
			var rows []CSVRow
			if err == nil {
				err = table.Each(func(r CSVRow) error {
					rows = append(rows, CSVRow{r.Line, slices.Clone(r.Cells)})
					return nil
				})
			}
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("%v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(table.Columns, c.columns) || !reflect.DeepEqual(rows, c.rows) {
				t.Errorf("%q %+v, want %q %+v", table.Columns, rows, c.columns, c.rows)
			}
			wrong := ""
			if err := table.Err(""); err != nil {
				wrong = err.Error()
			}
			if wrong != c.wrong {
				t.Errorf("wrong: %s, want %s", wrong, c.wrong)
			}
		})
	}
}

// FuzzReadCSV: every row that is given has the header's number of cells, and
// no error shows what is in one.
func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("a;b\n1;\"2\n3\"\n# x\n4\n"))
	f.Add([]byte("\xef\xbb\xbf\ta\r\n\t"))
	f.Add([]byte("canary,\"canary\ncanary\"canary"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := ReadCSV("list", bytes.NewReader(data))
		if err == nil {
			err = table.Each(func(r CSVRow) error {
				if len(r.Cells) != len(table.Columns) || r.Line < 1 {
					t.Errorf("%+v for %q", r, table.Columns)
				}
				return nil
			})
			err = errors.Join(err, table.Err(""))
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Error(err)
		}
	})
}
