package output

import (
	"slices"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Columns are what a noun has columns of.
type Columns struct {
	TSV    []string // those of tsv in their order: contract
	More   []string // those that are printed when they are named only
	Schema string   // the noun's file in docs/schema
}

// Columns lists the noun's columns.
func (n Noun[T]) Columns() Columns {
	c := Columns{Schema: n.Schema}
	for _, f := range n.columns(InTSV, nil) {
		c.TSV = append(c.TSV, f.Name)
	}
	for _, f := range n.Fields {
		if !slices.Contains(c.All(), f.Name) {
			c.More = append(c.More, f.Name)
		}
	}
	return c
}

// All are the columns that can be named.
func (c Columns) All() []string { return slices.Concat(c.TSV, c.More) }

// Check refuses columns to print or to sort by that are none; the error lists
// those there are.
func (c Columns) Check(columns, sort []string) error {
	for _, list := range []struct {
		flag  string
		names []string
	}{{"columns", columns}, {"sort", sort}} {
		for _, name := range list.names {
			if list.flag == "sort" {
				name = strings.TrimPrefix(name, "-")
			}
			if !slices.Contains(c.All(), name) {
				return exit.Usagef("the columns are "+strings.Join(c.All(), ", "), "--%s: there is no column %q", list.flag, name)
			}
		}
	}
	return nil
}

// columns are the fields that a form prints: its own, or those named.
func (n Noun[T]) columns(where Where, named []string) []Field[T] {
	var fs []Field[T]
	for _, f := range n.Fields {
		if named == nil && f.in(where) {
			fs = append(fs, f)
		}
	}
	for _, name := range named {
		if f := n.column(where, name); f != nil {
			fs = append(fs, *f)
		}
	}
	return fs
}

// column is the field of a name, where a form has one of its own that one.
func (n Noun[T]) column(where Where, name string) (found *Field[T]) {
	for i := range n.Fields {
		f := &n.Fields[i]
		if f.Name == name && (found == nil || f.in(where) && !found.in(where)) {
			found = f
		}
	}
	return found
}

func (f *Field[T]) in(where Where) bool { return f.Where == 0 || f.Where&where != 0 }
