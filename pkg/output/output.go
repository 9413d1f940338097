// Package output prints what commands found or did. A noun (certificate,
// procedure, context, outcome) is described once, by its fields; the Writer
// turns its values into any form that -o knows: table, tsv, wide, id, json,
// jsonl. Forms are listed in one place, from which help, completion and the
// error for an unknown one are made.
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
	Table Format = "table"
	TSV   Format = "tsv"
	Wide  Format = "wide"
	ID    Format = "id"
	JSON  Format = "json"
	JSONL Format = "jsonl"
)

// FormatInfo is a form and one line about it, for help and completion.
type FormatInfo struct {
	Format  Format
	Meaning string
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
	}
}

// FormatNames lists the names of the forms in the order of Formats.
func FormatNames() []string {
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f.Format))
	}
	return names
}

// ParseFormat reads the value of -o; the error lists the forms.
func ParseFormat(s string) (Format, error) {
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
	Right  bool             // a count: right-aligned
}

// Noun describes how values of T are printed.
type Noun[T any] struct {
	Name   string         // "certificate", for messages
	Fields []Field[T]     // in the order of the tsv columns: only ever appended
	ID     func(T) string // identifier for -o id; a value whose ID is "" is left out there
	JSON   func(T) any    // what is encoded for json and jsonl; nil: the value itself
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
	Single   bool // json prints the one value instead of an array
	Details  bool // table prints label and value lines instead of columns
}

// DefaultRowLimit is where a table on a terminal stops. Pipes and files are never cut.
const DefaultRowLimit = 500
