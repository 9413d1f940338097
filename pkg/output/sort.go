package output

import (
	"slices"
	"strings"
)

// sortForm holds all values back and hands them on in order.
type sortForm[T any] struct {
	keys []sortKey[T]
	next form[T]
	held []T
}

type sortKey[T any] struct {
	value func(T) string
	falls bool
}

func newSorted[T any](n Noun[T], columns []string, next form[T]) *sortForm[T] {
	f := &sortForm[T]{next: next}
	for _, name := range columns {
		name, falls := strings.CutPrefix(name, "-")
		if field := n.column(InTSV, name); field != nil {
			f.keys = append(f.keys, sortKey[T]{field.Value, falls})
		}
	}
	return f
}

func (f *sortForm[T]) write(v T) error {
	f.held = append(f.held, v)
	return nil
}

func (f *sortForm[T]) close() error {
	slices.SortStableFunc(f.held, f.compare)
	for _, v := range f.held {
		if err := f.next.write(v); err != nil {
			return err
		}
	}
	return f.next.close()
}

// compare puts what has no value last, whichever way the others go.
func (f *sortForm[T]) compare(a, b T) int {
	for _, k := range f.keys {
		x, y := k.value(a), k.value(b)
		switch {
		case x == y:
			continue
		case x == "":
			return 1
		case y == "":
			return -1
		}
		c := compareNatural(x, y)
		switch {
		case c == 0:
		case k.falls:
			return -c
		default:
			return c
		}
	}
	return 0
}

// compareNatural compares text, and digits within it by the number they make:
// 9 comes before 10, device-9 before device-10.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x == "" || y == "" {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		m, n := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if len(m) != len(n) {
			return len(m) - len(n)
		}
		if c := strings.Compare(m, n); c != 0 {
			return c
		}
		if len(x) != len(y) { // the same number: fewer zeros first
			return len(x) - len(y)
		}
		a, b = a[len(x):], b[len(y):]
	}
	return len(a) - len(b)
}

// digits are those that text starts with.
func digits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}
