// Package output prints what commands found or did. A noun (certificate,
// procedure, context, outcome) is described once, by its fields; the Writer
// turns its values into any form that -o knows, from a table to a template.
// Forms are listed in one place, from which help, completion and the error for
// an unknown one are made.
//
// Text comes from outside and may be hostile. Every form for people and lines
// passes through Escape, JSON writes such characters as \uXXXX: no control
// character, direction mark or invisible character ever leaves this package
// raw.
package output

import (
	"io"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Format is a form of output, the value of -o.
type Format string

// The forms. Their names are contract.
const (
	Table    Format = "table"
	TSV      Format = "tsv"
	Wide     Format = "wide"
	ID       Format = "id"
	JSON     Format = "json"
	JSONL    Format = "jsonl"
	YAML     Format = "yaml"
	CSV      Format = "csv"
	Template Format = "template"
)

// FormatInfo is a form and one line about it, for help and completion.
type FormatInfo struct {
	Format  Format
	Meaning string
}

// templatePrefix is what stands before the text of a template.
const templatePrefix = string(Template) + "="

// Name is the form as help shows it.
func (f FormatInfo) Name() string {
	if f.Format == Template {
		return templatePrefix + "..."
	}
	return string(f.Format)
}

// Formats lists the forms in the order in which help shows them.
func Formats() []FormatInfo {
	return []FormatInfo{
		{Table, "fitted columns for people (default on a terminal)"},
		{TSV, "tab-separated full values without header (default in a pipe)"},
		{Wide, "the table with nothing shortened"},
		{ID, "one identifier a line"},
		{JSON, "JSON, the API's field names"},
		{JSONL, "one JSON object a line, as they arrive"},
		{YAML, "the same data as YAML"},
		{CSV, "comma-separated full values with header (RFC 4180)"},
		{Template, "a Go template for each record, on its JSON"},
	}
}

// FormatNames lists the names of the forms in the order of Formats.
func FormatNames() []string {
	var names []string
	for _, f := range Formats() {
		names = append(names, f.Name())
	}
	return names
}

// ParseFormat reads the value of -o; the error lists the forms. The text of a
// template is for ParseTemplate.
func ParseFormat(s string) (Format, error) {
	if s == string(Template) || s == templatePrefix {
		return "", exit.Usagef("for example -o template='{{.certid}} {{.subject}}', or template=@FILE", "the output form template has no text")
	}
	if strings.HasPrefix(s, templatePrefix) {
		return Template, nil
	}
	for _, f := range Formats() {
		if string(f.Format) == s {
			return f.Format, nil
		}
	}
	return "", exit.Usagef("use one of "+strings.Join(FormatNames(), ", "), "unknown output form %q", s)
}

// IsJSON says whether a form is data for programs: then stderr carries nothing
// but the error object.
func (f Format) IsJSON() bool { return f == JSON || f == JSONL }

// HasColumns says whether a form prints the columns of a noun.
func (f Format) HasColumns() bool { return f == Table || f == Wide || f == TSV || f == CSV }

// Tone is what a colour says. It is never the only sign: the word stands there too.
type Tone int

// The tones.
const (
	Plain Tone = iota
	Warn       // on hold, expiring
	Bad        // revoked, failed
)

// Where says in which forms a field has a column; combine with |.
type Where int

// The places. Details is the label and value form for few items.
const (
	InTable Where = 1 << iota
	InWide
	InTSV
	InDetails

	Everywhere = InTable | InWide | InTSV | InDetails
	NotInTable = InWide | InTSV | InDetails
)

// Field is one property of a noun.
type Field[T any] struct {
	Name   string           // name of the tsv column: contract
	Header string           // column header; empty: Name in upper case
	Label  string           // label in the details form; empty: Name
	Value  func(T) string   // the full value
	Cell   func(T) string   // what table and wide show instead of Value; nil: Value
	Detail func(T) string   // what the details form shows instead of Value; nil: Value
	Below  func(T) []string // lines that the details form shows below the label instead of Value; nil: Value
	Tone   func(T) Tone     // nil: Plain
	Where  Where            // forms that have it; zero: Everywhere
	Flex   bool             // free text: may be shortened in the table
	Under  func(T) string   // what stands under the row, wrapped, in a table that does not fit with the column; nil: nothing does
	Spare  bool             // left out of a table that does not fit otherwise; the last one first
	Right  bool             // a count: right-aligned
}

// Noun describes how values of T are printed.
type Noun[T any] struct {
	Name   string         // "certificate", for messages
	Fields []Field[T]     // in the order of the tsv columns: only ever appended
	ID     func(T) string // identifier for -o id; a value whose ID is "" is left out there
	JSON   func(T) any    // what is encoded for json, jsonl, yaml and templates; nil: the value itself
	Schema string         // its file in docs/schema, without .json
}

// Options say how a Writer prints.
type Options struct {
	Format   Format
	Out      io.Writer
	TTY      bool // Out is a terminal
	Width    int  // columns the table has to fit; 0: as wide as it gets
	Color    bool
	NoHeader bool
	RowLimit int  // rows of a table on a terminal; 0: no limit
	Single   bool // json and yaml print the one value instead of an array
	Details  bool // table prints label and value lines instead of columns

	Columns []string        // those to print, in this order; nil: those of the form
	Sort    []string        // columns to sort by, - before one that falls; holds all values back
	Limit   int             // values printed, after sorting; 0: all
	CSVSafe bool            // csv keeps a spreadsheet from reading cells as formulas
	Record  *RecordTemplate // what -o template prints
	Filter  *Filter         // what json and jsonl are put through; nil: nothing
	Notice  func(string)    // told which columns a table leaves out; nil: no one

	Cut func(rows, all int) // told that a table has stopped at RowLimit; nil: no one
}

// DefaultRowLimit is where a table on a terminal stops. Pipes and files are never cut.
const DefaultRowLimit = 500
