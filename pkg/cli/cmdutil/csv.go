package cmdutil

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// CSV is a list with a header: columns parted by commas, semicolons or tabs,
// lines that start with # left out. What is wrong with its rows is collected,
// so that all of it can be told at once.
type CSV struct {
	Columns []string // of the header, as written
	rows    []CSVRow
	bad     problems
}

// CSVRow is one row.
type CSVRow struct {
	Line  int
	Cells []string
}

// ReadCSV reads a list. name is for messages. Nothing that stands in a cell is
// ever put into an error: it may be a secret.
func ReadCSV(name string, data []byte) (*CSV, error) {
	data, err := plainText(name, data)
	if err != nil {
		return nil, err
	}
	t := &CSV{bad: problems{name: name}}
	rd := csv.NewReader(bytes.NewReader(data))
	rd.Comma, rd.Comment = delimiter(firstText(data)), '#'
	rd.TrimLeadingSpace = rd.Comma != '\t' // it would swallow an empty column
	for {
		rec, err := rd.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil && !errors.Is(err, csv.ErrFieldCount) { // told by Each
			return nil, exit.Usagef("a CSV list has a header and the same number of columns in each row", "%s: %w", name, err)
		}
		if t.Columns == nil {
			for i := range rec {
				rec[i] = strings.TrimSpace(rec[i])
			}
			t.Columns = rec
			continue
		}
		n, _ := rd.FieldPos(0)
		t.rows = append(t.rows, CSVRow{n, rec})
	}
}

// Each calls fn for every row, with as many cells as there are columns. A row
// with another number is noted as wrong.
func (t *CSV) Each(fn func(CSVRow)) {
	for _, row := range t.rows {
		if len(row.Cells) != len(t.Columns) {
			t.Wrong(row.Line, "%d columns, the header has %d", len(row.Cells), len(t.Columns))
			continue
		}
		fn(row)
	}
}

// Wrong notes what is wrong with a line.
func (t *CSV) Wrong(line int, format string, args ...any) { t.bad.add(line, format, args...) }

// Err tells every line that is wrong, in their order; nil when none is.
func (t *CSV) Err(hint string) error { return t.bad.err(hint) }

// plainText refuses what is no text and takes a byte order mark off.
func plainText(name string, data []byte) ([]byte, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if at := bytes.IndexByte(data, 0); at >= 0 {
		return nil, exit.Usagef("save it as UTF-8 text", "%s: this is no text: byte 0 at offset %d (UTF-16?)", name, at)
	}
	return data, nil
}

// firstText is the first line that is neither blank nor a comment.
func firstText(data []byte) string {
	for _, l := range splitLines(data) {
		if l.text != "" {
			return l.text
		}
	}
	return ""
}
