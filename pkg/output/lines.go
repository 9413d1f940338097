package output

import (
	"bufio"
	"encoding/csv"
	"strings"
)

// tsvForm prints full values between tabs. There is never a header: the
// columns are contract, and scripts cut them by number.
type tsvForm[T any] struct {
	fields []Field[T]
	out    *bufio.Writer
}

func (f tsvForm[T]) write(v T) error {
	for i, field := range f.fields {
		if i > 0 {
			f.out.WriteByte('\t') //nolint:errcheck // bufio keeps the error for the newline below
		}
		f.out.WriteString(Escape(field.Value(v))) //nolint:errcheck // as above
	}
	return f.out.WriteByte('\n')
}

func (f tsvForm[T]) close() error { return nil }

// csvForm prints RFC 4180: a header, full values, lines that end with CR LF.
// Cells are escaped as in every form for lines, so a record never spans two.
type csvForm[T any] struct {
	fields []Field[T]
	out    *csv.Writer
	header bool // still to be printed
	safe   bool
	row    []string
}

func newCSV[T any](fields []Field[T], out *bufio.Writer, noHeader, safe bool) *csvForm[T] {
	f := &csvForm[T]{fields: fields, out: csv.NewWriter(out), header: !noHeader, safe: safe, row: make([]string, len(fields))}
	f.out.UseCRLF = true
	return f
}

func (f *csvForm[T]) write(v T) error {
	f.start()
	for i, field := range f.fields {
		text := field.Value(v)
		f.row[i] = Escape(text)
		if f.safe && text != "" && strings.IndexByte("=+-@\t\r", text[0]) >= 0 {
			f.row[i] = "'" + f.row[i]
		}
	}
	f.out.Write(f.row) //nolint:errcheck // kept for Error below
	f.out.Flush()
	return f.out.Error()
}

func (f *csvForm[T]) start() {
	if !f.header {
		return
	}
	f.header = false
	for i, field := range f.fields {
		f.row[i] = field.Name
	}
	f.out.Write(f.row) //nolint:errcheck // kept for Error
}

func (f *csvForm[T]) close() error {
	f.start()
	f.out.Flush()
	return f.out.Error()
}

// idForm prints one identifier a line, to be read by the next command.
type idForm[T any] struct {
	noun Noun[T]
	out  *bufio.Writer
}

func (f idForm[T]) write(v T) error {
	id := f.noun.ID(v)
	if id == "" {
		return nil
	}
	_, err := f.out.WriteString(Escape(id) + "\n")
	return err
}

func (f idForm[T]) close() error { return nil }
