package cmdutil

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// CSV is a list with a header: columns parted by commas, semicolons or tabs,
// lines that start with # left out. Rows are read as they are wanted. What is
// wrong with them is collected, so that all of it can be told at once.
type CSV struct {
	Columns []string // of the header, as written
	text    *textReader
	rows    *csv.Reader
	bad     problems
	wrong   func(line int, format string, args ...any)
}

// CSVRow is one row.
type CSVRow struct {
	Line  int
	Cells []string // good until the next row is read
}

const csvHint = "a CSV list has a header and the same number of columns in each row"

// ReadCSV reads the header of a list. name is for messages. Nothing that stands
// in a cell is ever put into an error: it may be a secret.
func ReadCSV(name string, in io.Reader) (*CSV, error) {
	text, err := openText(name, in)
	if err != nil {
		return nil, err
	}
	return readCSV(text)
}

func readCSV(text *textReader) (*CSV, error) {
	t := &CSV{text: text, rows: csv.NewReader(text)}
	t.wrong = func(line int, format string, args ...any) { t.bad.add(place(text.name, line), format, args...) }
	t.rows.Comma, t.rows.Comment = delimiter(text.firstLine()), '#'
	t.rows.TrimLeadingSpace = t.rows.Comma != '\t' // it would swallow an empty column
	t.rows.ReuseRecord = true
	header, err := t.rows.Read()
	switch {
	case errors.Is(err, io.EOF):
		return t, nil
	case err != nil:
		return nil, t.broken(err)
	}
	for _, c := range header {
		t.Columns = append(t.Columns, strings.TrimSpace(c))
	}
	t.rows.FieldsPerRecord = -1 // told by Each
	return t, nil
}

// Each calls fn for every row, with as many cells as there are columns. A row
// with another number is noted as wrong. It stops at an error of fn.
func (t *CSV) Each(fn func(CSVRow) error) error {
	for {
		cells, err := t.rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return t.bad.with(t.broken(err))
		}
		n, _ := t.rows.FieldPos(0)
		row := CSVRow{n + t.text.skipped, cells}
		if len(cells) != len(t.Columns) {
			t.Wrong(row.Line, "%d columns, the header has %d", len(cells), len(t.Columns))
			continue
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}

// broken words what the rows cannot be told apart for.
func (t *CSV) broken(err error) error {
	var at *csv.ParseError
	if !errors.As(err, &at) {
		return t.text.wrap(err)
	}
	at.StartLine += t.text.skipped
	at.Line += t.text.skipped
	return exit.Usagef(csvHint+"; what stands below cannot be read", "%s: %w", t.text.name, at)
}

// Wrong notes what is wrong with a line.
func (t *CSV) Wrong(line int, format string, args ...any) {
	t.wrong(line, format, args...)
}

// Err tells every line that is wrong, in their order; nil when none is.
func (t *CSV) Err(hint string) error {
	t.bad.hint = hint
	return t.bad.err()
}

// delimiter is what parts the columns of a header.
func delimiter(header string) rune {
	for _, d := range []rune{'\t', ';', ','} {
		if strings.ContainsRune(header, d) {
			return d
		}
	}
	return ','
}
