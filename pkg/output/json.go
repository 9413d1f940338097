package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// arrayForm prints an array, element by element, so that a million of them
// need no more memory than one; or, for the one thing asked for, its object.
type arrayForm[T any] struct {
	noun    Noun[T]
	out     *bufio.Writer
	buf     bytes.Buffer
	enc     *json.Encoder
	single  bool
	started bool
}

func newArray[T any](n Noun[T], out *bufio.Writer, single bool) *arrayForm[T] {
	f := &arrayForm[T]{noun: n, out: out, single: single}
	f.enc = json.NewEncoder(&f.buf)
	f.enc.SetEscapeHTML(false)
	if single {
		f.enc.SetIndent("", "  ")
	} else {
		f.enc.SetIndent("  ", "  ")
	}
	return f
}

func (f *arrayForm[T]) write(v T) error {
	f.buf.Reset()
	if err := f.enc.Encode(f.noun.value(v)); err != nil {
		return f.noun.encodeError(err)
	}
	// The newline that Encode ends with is only wanted after a lone object:
	// in an array the comma comes first.
	data := bytes.TrimSuffix(f.buf.Bytes(), []byte("\n"))
	lead := ""
	switch {
	case f.single && f.started:
		return fmt.Errorf("more than one %s where one was promised", f.noun.Name)
	case f.single:
	case f.started:
		lead = ",\n  "
	default:
		lead = "[\n  "
	}
	f.started = true
	f.out.WriteString(lead) //nolint:errcheck // bufio keeps the error for the next write
	return writeJSON(f.out, data)
}

func (f *arrayForm[T]) close() error {
	end := "\n]\n"
	switch {
	case f.single && f.started:
		end = "\n"
	case f.single:
		end = ""
	case !f.started:
		end = "[]\n"
	}
	_, err := f.out.WriteString(end)
	return err
}

// linesForm prints one object a line.
type linesForm[T any] struct {
	noun Noun[T]
	out  *bufio.Writer
	buf  bytes.Buffer
	enc  *json.Encoder
}

func newLines[T any](n Noun[T], out *bufio.Writer) *linesForm[T] {
	f := &linesForm[T]{noun: n, out: out}
	f.enc = json.NewEncoder(&f.buf)
	f.enc.SetEscapeHTML(false)
	return f
}

// appender is a value that writes its JSON cheaply, as in MarshalJSON.
type appender interface {
	AppendJSON(dst []byte) ([]byte, error)
}

func (f *linesForm[T]) write(v T) error {
	f.buf.Reset()
	if a, ok := f.noun.value(v).(appender); ok {
		line, err := a.AppendJSON(f.buf.AvailableBuffer())
		if err != nil {
			return f.noun.encodeError(err)
		}
		f.buf.Write(append(line, '\n'))
		return writeJSON(f.out, f.buf.Bytes())
	}
	if err := f.enc.Encode(f.noun.value(v)); err != nil {
		return f.noun.encodeError(err)
	}
	return writeJSON(f.out, f.buf.Bytes())
}

func (n Noun[T]) encodeError(err error) error {
	return fmt.Errorf("cannot encode a %s: %w", n.Name, err)
}

func (f *linesForm[T]) close() error { return nil }

// EscapeJSON writes the hidden characters of encoded JSON as \uXXXX: the value
// stays the same, and a terminal cannot be talked to. For what does not go
// through a Writer, such as the error object on stderr.
func EscapeJSON(data []byte) []byte {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	writeJSON(w, data) //nolint:errcheck // a buffer takes everything
	w.Flush()          //nolint:errcheck // as above
	return b.Bytes()
}

// document is a value's JSON as text/template, gojq and YAML want it: decoded,
// with numbers as they were written.
func (n Noun[T]) document(v T) (any, error) {
	data, err := json.Marshal(n.value(v))
	if err != nil {
		return nil, n.encodeError(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var doc any
	return doc, dec.Decode(&doc)
}

// writeJSON copies encoded JSON. Outside of strings it is plain ASCII, so
// every hidden character stands in a string and may be written as an escape;
// the controls of ASCII but DEL are escaped by encoding/json already, and
// newlines are its own. In other text tabs and newlines stay as well.
func writeJSON(out *bufio.Writer, data []byte) error {
	done := 0
	for i := 0; i < len(data); {
		c := data[i]
		if c >= ' ' && c < 0x7f || c == '\n' || c == '\t' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		bad := r == utf8.RuneError && size == 1
		if bad || hidden(r) {
			out.Write(data[done:i]) //nolint:errcheck // bufio keeps the error for the write at the end
			if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
				fmt.Fprintf(out, `\u%04x\u%04x`, hi, lo)
			} else {
				fmt.Fprintf(out, `\u%04x`, r) // a byte that is not UTF-8 becomes \ufffd
			}
			done = i + size
		}
		i += size
	}
	_, err := out.Write(data[done:])
	return err
}
