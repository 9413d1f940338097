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
	limit int // 0: none
	count int
	err   error
}

// form is one way to print; each is in a file of its own.
type form[T any] interface {
	write(v T) error
	close() error
}

// NewWriter makes a Writer. Nothing is printed before the first Write or Close.
func NewWriter[T any](n Noun[T], o Options) *Writer[T] {
	w := &Writer[T]{out: bufio.NewWriterSize(sink{o.Out}, bufferSize)}
	switch o.Format {
	case JSON:
		w.form = newArray(n, w.out, o.Single)
	case JSONL:
		w.form = newLines(n, w.out)
	case ID:
		w.form = idForm[T]{n, w.out}
	case TSV:
		w.form = tsvForm[T]{n.fields(InTSV), w.out}
	case Wide:
		w.form = &tableForm[T]{fields: n.fields(InWide), out: w.out, color: o.Color, noHeader: o.NoHeader}
	default:
		if o.Details {
			w.form = &detailsForm[T]{fields: n.fields(InDetails), out: w.out, color: o.Color}
			break
		}
		w.form = &tableForm[T]{fields: n.fields(InTable), out: w.out, color: o.Color, noHeader: o.NoHeader, width: o.Width}
		if o.TTY {
			w.limit = o.RowLimit
		}
	}
	return w
}

// Write prints values, a page at a time: forms that stream have them out when
// it returns. A reader that is gone is ErrClosed.
func (w *Writer[T]) Write(values ...T) error {
	for _, v := range values {
		w.count++
		if w.Truncated() {
			continue
		}
		w.keep(w.form.write(v))
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

// Truncated says whether the table has stopped at RowLimit; the caller says so
// on stderr.
func (w *Writer[T]) Truncated() bool { return w.limit > 0 && w.count > w.limit }

// keep remembers the first error: what comes after it would be out of place.
func (w *Writer[T]) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// fields are those that a form has.
func (n Noun[T]) fields(where Where) []Field[T] {
	var fs []Field[T]
	for _, f := range n.Fields {
		if f.Where == 0 || f.Where&where != 0 {
			fs = append(fs, f)
		}
	}
	return fs
}

// Columns are the names of the tsv columns in their order: contract, so the
// reference pages print them.
func (n Noun[T]) Columns() []string {
	var names []string
	for _, f := range n.fields(InTSV) {
		names = append(names, f.Name)
	}
	return names
}

// value is what json and jsonl encode for v.
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
