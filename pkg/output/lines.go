package output

import (
	"bufio"
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
