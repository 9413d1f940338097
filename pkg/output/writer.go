package output

import (
	"bufio"
	"errors"
	"io"

	"github.com/cmctl/cmctl/pkg/exit"
)

// ErrClosed says that the reader of the output is gone, as after `| head`: a
// normal end. It can only be seen where SIGPIPE is ignored.
var ErrClosed = errors.New("the reader of the output is gone")

// bufferSize is what forms that stream collect before they write in the middle
// of a batch.
const bufferSize = 32 << 10

// Writer prints values of one noun. It is not safe for concurrent use.
type Writer[T any] struct {
	form  form[T]
	out   *bufio.Writer
	limit int // rows of a table; 0: none
	cut   func(rows, all int)
	count int
	err   error
}

// Print prints values that came whole.
func Print[T any](n Noun[T], o Options, values ...T) error {
	w := NewWriter(n, o)
	_ = w.Write(values...) // Close says so
	return w.Close()
}

// form is one way to print; each is in a file of its own.
type form[T any] interface {
	write(v T) error
	close() error
}

// NewWriter makes a Writer. Nothing is printed before the first Write or Close.
func NewWriter[T any](n Noun[T], o Options) *Writer[T] {
	w := &Writer[T]{out: bufio.NewWriterSize(sink{o.Out}, bufferSize), cut: o.Cut}
	w.err = n.Columns().Check(o.Columns, o.Sort)
	w.form = newForm(n, o, w.out)
	first := o.Limit
	if o.Format == Table && !o.Details && o.TTY && o.RowLimit > 0 && (first == 0 || first > o.RowLimit) {
		w.limit, first = o.RowLimit, o.RowLimit
	}
	if first > 0 {
		w.form = &firstForm[T]{left: first, next: w.form}
	}
	if len(o.Sort) > 0 {
		w.form = newSorted(n, o.Sort, w.form)
	}
	return w
}

func newForm[T any](n Noun[T], o Options, out *bufio.Writer) form[T] {
	switch o.Format {
	case JSON, JSONL:
		switch {
		case o.Filter != nil:
			return &filterForm[T]{noun: n, out: out, filter: o.Filter, each: o.Format == JSONL, single: o.Single}
		case o.Format == JSON:
			return newArray(n, out, o.Single)
		}
		return newLines(n, out)
	case YAML:
		return &yamlForm[T]{noun: n, out: out, single: o.Single}
	case CSV:
		return newCSV(n.columns(InTSV, o.Columns), out, o.NoHeader, o.CSVSafe)
	case Template:
		return &templateForm[T]{noun: n, out: out, template: o.Record}
	case ID:
		return idForm[T]{n, out}
	case TSV:
		return tsvForm[T]{n.columns(InTSV, o.Columns), out}
	case Wide:
		return &tableForm[T]{fields: n.columns(InWide, o.Columns), out: out, color: o.Color, noHeader: o.NoHeader}
	}
	if o.Details {
		return &detailsForm[T]{fields: n.columns(InDetails, o.Columns), out: out, color: o.Color}
	}
	return &tableForm[T]{
		fields: n.columns(InTable, o.Columns), out: out, color: o.Color, noHeader: o.NoHeader,
		width: o.Width, chosen: o.Columns != nil, notice: o.Notice,
	}
}

// firstForm lets so many values through.
type firstForm[T any] struct {
	left int
	next form[T]
}

func (f *firstForm[T]) write(v T) error {
	if f.left == 0 {
		return nil
	}
	f.left--
	return f.next.write(v)
}

func (f *firstForm[T]) close() error { return f.next.close() }

// Write prints values, a page at a time: forms that stream have them out when
// it returns. A reader that is gone is ErrClosed.
func (w *Writer[T]) Write(values ...T) error {
	if w.err != nil {
		return w.err
	}
	for _, v := range values {
		w.count++
		if w.keep(w.form.write(v)); w.err != nil {
			break
		}
	}
	w.keep(w.out.Flush())
	return w.err
}

// Close prints what is still held back: a table, the end of an array. It does
// not close Out.
func (w *Writer[T]) Close() error {
	if w.err == nil {
		w.keep(w.form.close())
		w.keep(w.out.Flush())
		if w.err == nil && w.cut != nil && w.limit > 0 && w.count > w.limit {
			w.cut(w.limit, w.count)
		}
	}
	return w.err
}

// End closes at the end of a run that may have failed: what was printed before
// stays well-formed, and nothing is printed when nothing was. It returns err,
// else what Close met.
func (w *Writer[T]) End(err error) error {
	if err != nil && w.count == 0 {
		return err
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

// Count is the number of values written, those past the row limit included.
func (w *Writer[T]) Count() int { return w.count }

// keep remembers the first error: what comes after it would be out of place.
func (w *Writer[T]) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// value is what is encoded for v.
func (n Noun[T]) value(v T) any {
	if n.JSON != nil {
		return n.JSON(v)
	}
	return v
}

// Raw is out for bytes that are printed as they are, such as a certificate; a
// reader that is gone is ErrClosed there as well.
func Raw(out io.Writer) io.Writer { return sink{out} }

// sink turns the system's word for a closed pipe into ErrClosed.
type sink struct{ out io.Writer }

func (s sink) Write(p []byte) (int, error) {
	n, err := s.out.Write(p)
	switch {
	case err == nil:
		return n, nil
	case isClosed(err):
		return n, ErrClosed
	}
	return n, exit.New(exit.Failure, "", "cannot write the output: %w", err)
}

func isClosed(err error) bool {
	for _, gone := range closedErrors {
		if errors.Is(err, gone) {
			return true
		}
	}
	return errors.Is(err, io.ErrClosedPipe)
}
