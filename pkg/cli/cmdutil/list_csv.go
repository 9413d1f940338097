package cmdutil

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/spelling"
)

// The columns that a CSV list has a meaning for.
const (
	colCertID       = "certid"
	colSerial       = "certificateserialnumber"
	colIssuer       = "issuer"
	colSubject      = "subject"
	colOrganisation = "organisation"
	colStatus       = "status"
	colReason       = "reason"
	colRevoked      = "revocationtime"
	colWhy          = "why"
)

var columnNames = map[string]string{
	"certid": colCertID, "certificateserialnumber": colSerial, "serial": colSerial, "serialnumber": colSerial,
	"issuer": colIssuer, "subject": colSubject, "organisation": colOrganisation, "organization": colOrganisation, "org": colOrganisation,
	"status": colStatus, "reason": colReason, "revocationtime": colRevoked, "why": colWhy,
}

func columnName(cell string) string { return columnNames[strings.ToLower(strings.Trim(cell, `" `))] }

// isHeader tells a line that names a column to know certificates by.
func isHeader(text string) bool {
	for f := range strings.SplitSeq(text, string(delimiter(text))) {
		switch columnName(f) {
		case colCertID, colSerial:
			return true
		}
	}
	return false
}

// csvColumns finds cells by the names that their columns may have.
type csvColumns map[string]int

// csvColumnsOf refuses a header that has two columns of a meaning: they may
// differ, and which one counts is not to be guessed.
func csvColumnsOf(header []string) (csvColumns, error) {
	cols := csvColumns{}
	for i, f := range header {
		c := columnName(f)
		if c == "" {
			continue
		}
		if _, twice := cols[c]; twice {
			return nil, fmt.Errorf("column %d: there are two of %s", i+1, c)
		}
		cols[c] = i
	}
	return cols, nil
}

// odd tells columns that have no meaning and look like one that has, and that
// the header does not have: most likely a slip of the pen. A reason that is
// overlooked cannot be taken back.
func (c csvColumns) odd(header []string) (notes []string) {
	for _, h := range header {
		name := strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "", `"`, "").Replace(h))
		if columnName(h) != "" || len(name) > clipWord {
			continue
		}
		for _, known := range slices.Sorted(maps.Keys(columnNames)) {
			if !c.has(columnNames[known]) && (spelling.Distance(name, known) <= min(2, len(known)/3) || known == colReason && strings.Contains(name, known)) {
				notes = append(notes, fmt.Sprintf("column %q is not known and left alone: is it %s?", h, known))
				break
			}
		}
	}
	return notes
}

// likeHeader tells a line that names columns, and none to know certificates by.
func likeHeader(text string) bool {
	cells := strings.Split(text, string(delimiter(text)))
	for _, cell := range cells {
		cell = strings.ToLower(strings.Trim(cell, `" `))
		if cell == "" || strings.Trim(cell, "abcdefghijklmnopqrstuvwxyz _-") != "" {
			return false
		}
	}
	if len(cells) > 1 {
		return true
	}
	one := strings.ToLower(text)
	return !bareHex(text) && (strings.Contains(one, "id") || strings.Contains(one, "serial") || strings.Contains(one, "cert"))
}

func (c csvColumns) has(col string) bool { _, ok := c[col]; return ok }

// cell is a copy: it outlives the row.
func (c csvColumns) cell(row CSVRow, col string) string {
	if i, ok := c[col]; ok {
		return strings.Clone(strings.TrimSpace(row.Cells[i]))
	}
	return ""
}

func (l *List) readCSV(text *textReader, r *reading) error {
	table, err := readCSV(text)
	if err != nil {
		return err
	}
	table.wrong = func(line int, format string, args ...any) {
		r.wrong(l, line, "the header names the columns: certid or serial, and issuer, subject to be checked", format, args...)
	}
	cols, err := csvColumnsOf(table.Columns)
	if err != nil {
		return exit.Usagef("take one of them away", "%s%w", place(l.name, text.skipped+1), err)
	}
	l.ends = slices.Contains(table.Columns, bulk.OutcomeColumn)
	l.odd = cols.odd(table.Columns)
	return table.Each(func(row CSVRow) error {
		e, err := l.row(cols, row)
		if err != nil {
			table.Wrong(row.Line, "%v", err)
			return nil
		}
		return r.emit(e)
	})
}

// row reads a row. In the export of a search the reason is that of the past;
// beside neither a state nor a time of revocation it is what is wanted.
func (l *List) row(cols csvColumns, row CSVRow) (Entry, error) {
	get := func(col string) string { return cols.cell(row, col) }
	e := l.entry(row.Line)
	e.CertID, e.Issuer, e.Subject, e.Organisation = get(colCertID), get(colIssuer), get(colSubject), get(colOrganisation)
	e.State, e.Why = strings.ToLower(get(colStatus)), get(colWhy)
	e.Input = e.CertID
	if !utf8.ValidString(e.Issuer + e.Subject) {
		return e, errNotUTF8
	}
	if e.State == "revoked" && isHold(get(colReason)) {
		e.State = OnHold
	}
	if e.Organisation == "" {
		e.Organisation = organisationOf(e.Subject)
	}
	if s := get(colSerial); s != "" {
		var err error
		if e.Serial, err = pki.ParseHexSerial(s); err != nil { // the header says that it is one
			return e, err
		}
		if e.Input == "" {
			e.Input = s
		}
	}
	if e.CertID != "" {
		if err := checkCertID(e.CertID); err != nil {
			return e, err
		}
	}
	switch {
	case e.CertID == "" && e.Serial == "":
		return e, errors.New("the row has neither certid nor serial")
	case cols.has(colStatus) || cols.has(colRevoked):
		l.past = l.past || get(colReason) != ""
		return e, nil
	}
	return e, e.want(get(colReason))
}

func isHold(reason string) bool {
	r, err := pki.ParseReason(reason)
	return err == nil && r == pki.CertificateHold
}
