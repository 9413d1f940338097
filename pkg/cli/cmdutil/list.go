package cmdutil

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Entry is one certificate as the officer named it: by certid, by serial, or
// by the certificate itself. A record may carry more than the certid; what it
// carries must be what the gateway says.
type Entry struct {
	Line        int    // from 1; 0 for an argument
	Input       string // as written, shortened for a certificate
	CertID      string
	Serial      pki.Serial
	Certificate *x509.Certificate
	Issuer      string // to be checked; empty: not given
	Subject     string
}

// ListAs says how bare tokens are to be read.
type ListAs string

// The readings of a bare token. Without one, digits are certids and anything
// that may be either is refused.
const (
	AsUnset  ListAs = ""
	AsID     ListAs = "id"
	AsSerial ListAs = "serial"
)

// maxListed is how many wrong lines an error shows.
const maxListed = 20

// ParseList reads a list of certificates: plain lines, CSV with a header, JSON
// lines or a JSON array as `cert search` prints them, PEM, or DER. name is for
// messages. All wrong lines are told at once; nothing is taken from a list
// with one.
func ParseList(name string, data []byte, as ListAs) ([]Entry, error) {
	entries, err := parseList(name, data, as)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, exit.Usagef("a list has one certid, serial or record a line", "%s: the list is empty", name)
	}
	return entries, nil
}

func parseList(name string, data []byte, as ListAs) ([]Entry, error) {
	if len(data) > 2 && data[0] == 0x30 && data[1] >= 0x80 {
		return certificateList(name, data)
	}
	data, err := plainText(name, data)
	if err != nil {
		return nil, err
	}
	lines := splitLines(data)
	first := slices.IndexFunc(lines, func(l line) bool { return l.text != "" })
	switch {
	case first < 0:
		return nil, nil
	case strings.HasPrefix(lines[first].text, "["):
		return jsonArray(name, data)
	case strings.HasPrefix(lines[first].text, "{"):
		return jsonLines(name, lines)
	case bytes.Contains(data, []byte("-----BEGIN ")): // after JSON, whose records may hold PEM
		return certificateList(name, data)
	case isHeader(lines[first].text):
		return csvList(name, data, lines[first])
	}
	return plainList(name, lines, as)
}

type line struct {
	n    int
	text string // without comment and surrounding blanks
}

func splitLines(data []byte) []line {
	var out []line
	for i, raw := range strings.Split(string(data), "\n") {
		text := strings.TrimSpace(raw)
		if strings.HasPrefix(text, "#") {
			text = ""
		}
		out = append(out, line{i + 1, text})
	}
	return out
}

// problems collects wrong lines so that all are told at once.
type problems struct {
	name  string
	lines []string
	more  int
}

func (p *problems) add(n int, format string, args ...any) {
	if len(p.lines) == maxListed {
		p.more++
		return
	}
	p.lines = append(p.lines, fmt.Sprintf("%s:%d: ", p.name, n)+fmt.Sprintf(format, args...))
}

func (p *problems) err(hint string) error {
	if len(p.lines) == 0 {
		return nil
	}
	if p.more > 0 {
		p.lines = append(p.lines, fmt.Sprintf("and %d more lines", p.more))
	}
	return exit.Usagef(hint, "%s", strings.Join(p.lines, "\n"))
}

var (
	// A number with a leading zero is no certid: serials are cut from hex so.
	digits  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(0|[1-9][0-9]*)$`) })
	bareHex = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Fa-f]+$`) })
)

const listHint = "bare digits are certids; serials are written 0x..., dec:... or with colons, or the whole list with --as serial"

func plainList(name string, lines []line, as ListAs) ([]Entry, error) {
	var entries []Entry
	bad := problems{name: name}
	ids, hexes, serials := []int{}, []int{}, []int{}
	for _, l := range lines {
		token := uncomment(l.text)
		if token == "" {
			continue
		}
		e, err := ParseEntry(token, as)
		e.Line = l.n
		switch {
		case as == AsUnset && digits().MatchString(token):
			ids = append(ids, l.n)
		case as == AsUnset && bareHex().MatchString(token):
			hexes = append(hexes, l.n)
			err = nil // told below, for the list as a whole
		case err == nil && e.Serial != "":
			serials = append(serials, l.n)
		}
		if err != nil {
			bad.add(l.n, "%v", err)
			continue
		}
		entries = append(entries, e)
	}
	if err := bad.err(listHint + "; `cmctl cert search` makes lists with -o jsonl or -o id"); err != nil {
		return nil, err
	}
	const asHint = "say which with --as id or --as serial"
	switch {
	case as != AsUnset:
	case len(hexes) > 0 && len(ids) > 0:
		return nil, exit.Usagef(asHint, "%s: lines of digits only (line %d) and of hexadecimal (line %d) are mixed: certids or serials?", name, ids[0], hexes[0])
	case len(hexes) > 0:
		return nil, exit.Usagef(asHint, "%s:%d: %d lines are bare hexadecimal: certids are digits, serials need 0x, colons or --as serial", name, hexes[0], len(hexes))
	case len(ids) > 0 && len(serials) > 0:
		return nil, exit.Usagef("make two lists of it", "%s: certids (line %d) and serials (line %d) are mixed: a list is of one kind", name, ids[0], serials[0])
	}
	return entries, nil
}

// uncomment cuts a comment off the end of a line: a # behind a blank.
func uncomment(text string) string {
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			return strings.TrimSpace(text[:i])
		}
	}
	return text
}

// ParseEntry reads one bare token: a certid or a serial.
func ParseEntry(token string, as ListAs) (Entry, error) {
	e := Entry{Input: token}
	switch {
	case as == AsSerial:
		s, err := pki.ParseHexSerial(token)
		e.Serial = s
		return e, err
	case digits().MatchString(token):
		e.CertID = token
		return e, nil
	case as == AsID:
		return e, fmt.Errorf("%q is no certid: expected digits", clip(token))
	case bareHex().MatchString(token):
		return e, fmt.Errorf("%q is bare hexadecimal: a serial needs 0x, colons or --as serial", clip(token))
	case strings.ContainsAny(token, " \t"):
		return e, fmt.Errorf("%q is more than one word: a line names one certificate", clip(token))
	}
	s, err := pki.ParseSerial(token)
	if err != nil {
		return e, fmt.Errorf("%q is neither a certid (digits) nor a serial (0x..., dec:..., or with colons)", clip(token))
	}
	e.Serial = s
	return e, nil
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}

// recordEntry reads the part of a `cert search` record that names the certificate.
func recordEntry(n int, c cmapi.Certificate) (Entry, error) {
	e := Entry{Line: n, Input: c.CertID, CertID: c.CertID, Serial: c.Serial, Issuer: c.Issuer, Subject: c.Subject}
	switch {
	case c.CertID == "" && c.Serial == "":
		return e, errors.New("the record has neither certid nor certificateserialnumber")
	case c.CertID == "":
		e.Input = c.Serial.String()
	case !digits().MatchString(c.CertID):
		return e, fmt.Errorf("certid %q: expected digits", clip(c.CertID))
	}
	if c.Serial != "" {
		if _, err := pki.ParseHexSerial(c.Serial.String()); err != nil {
			return e, err
		}
	}
	return e, nil
}

const jsonHint = "each line is one record as `cmctl cert search -o jsonl` prints it"

func jsonLines(name string, lines []line) ([]Entry, error) {
	var entries []Entry
	bad := problems{name: name}
	for _, l := range lines {
		if l.text == "" {
			continue
		}
		var c cmapi.Certificate
		if err := json.Unmarshal([]byte(l.text), &c); err != nil {
			bad.add(l.n, "not a JSON record: %v", err)
			continue
		}
		e, err := recordEntry(l.n, c)
		if err != nil {
			bad.add(l.n, "%v", err)
		}
		entries = append(entries, e)
	}
	return entries, bad.err(jsonHint)
}

func jsonArray(name string, data []byte) ([]Entry, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	counted, lines := 0, 1 // counted once: a list may be long
	lineAt := func() int { // the line on which the next value starts
		at := int(dec.InputOffset())
		for at < len(data) && strings.IndexByte(", \t\r\n", data[at]) >= 0 {
			at++
		}
		lines += bytes.Count(data[counted:at], []byte("\n"))
		counted = at
		return lines
	}
	if _, err := dec.Token(); err != nil {
		return nil, exit.Usagef(jsonHint, "%s: %v", name, err)
	}
	var entries []Entry
	bad := problems{name: name}
	for dec.More() {
		n := lineAt()
		var c cmapi.Certificate
		if err := dec.Decode(&c); err != nil {
			return nil, exit.Usagef("an array holds records as `cmctl cert search -o json` prints them", "%s:%d: %w", name, n, err)
		}
		e, err := recordEntry(n, c)
		if err != nil {
			bad.add(n, "%v", err)
		}
		entries = append(entries, e)
	}
	if _, err := dec.Token(); err != nil {
		return nil, exit.Usagef("the file is cut short", "%s:%d: the array does not end: %v", name, lineAt(), err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, exit.Usagef("", "%s:%d: more data after the array", name, lineAt())
	}
	return entries, bad.err(jsonHint)
}

// The columns that a CSV list may name a certificate by.
const (
	colCertID  = "certid"
	colSerial  = "certificateserialnumber"
	colIssuer  = "issuer"
	colSubject = "subject"
)

var columnNames = map[string]string{
	"certid": colCertID, "certificateserialnumber": colSerial, "serial": colSerial, "serialnumber": colSerial,
	"issuer": colIssuer, "subject": colSubject, "reason": "reason", "status": "status",
}

func delimiter(header string) rune {
	for _, d := range []rune{'\t', ';', ','} {
		if strings.ContainsRune(header, d) {
			return d
		}
	}
	return ','
}

func isHeader(text string) bool {
	for _, f := range strings.Split(text, string(delimiter(text))) {
		switch columnNames[strings.ToLower(strings.Trim(f, `" `))] {
		case colCertID, colSerial:
			return true
		}
	}
	return false
}

func csvList(name string, data []byte, header line) ([]Entry, error) {
	table, err := ReadCSV(name, data)
	if err != nil {
		return nil, err
	}
	cols := map[string]int{}
	for i, f := range table.Columns {
		if c := columnNames[strings.ToLower(f)]; c != "" {
			cols[c] = i
		}
	}
	_, hasReason := cols["reason"]
	if _, hasStatus := cols["status"]; hasReason && !hasStatus {
		return nil, exit.Usagef("give one reason for the list with --reason and leave the column out", "%s:%d: a column of reasons cannot be used", name, header.n)
	}
	var entries []Entry
	table.Each(func(row CSVRow) {
		get := func(col string) string {
			if i, ok := cols[col]; ok {
				return strings.TrimSpace(row.Cells[i])
			}
			return ""
		}
		e := Entry{Line: row.Line, CertID: get(colCertID), Issuer: get(colIssuer), Subject: get(colSubject)}
		e.Input = e.CertID
		var err error
		if s := get(colSerial); s != "" {
			if e.Serial, err = pki.ParseHexSerial(s); err != nil { // the header says that it is one
				table.Wrong(row.Line, "%v", err)
			}
			if e.Input == "" {
				e.Input = s
			}
		}
		switch {
		case e.CertID == "" && e.Serial == "" && err == nil:
			table.Wrong(row.Line, "the row has neither certid nor serial")
		case e.CertID != "" && !digits().MatchString(e.CertID):
			table.Wrong(row.Line, "certid %q: expected digits", clip(e.CertID))
		}
		entries = append(entries, e)
	})
	return entries, table.Err("the header names the columns: certid or serial, and issuer, subject to be checked")
}

func certificateList(name string, data []byte) ([]Entry, error) {
	certs, err := pki.ReadCertificates(name, data)
	if err != nil {
		return nil, exit.Usagef("", "%w", err)
	}
	isCA := func(c *x509.Certificate) bool { return c.IsCA }
	if i := slices.IndexFunc(certs, isCA); i >= 0 && slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return !c.IsCA }) {
		// Most likely a chain: nobody means to revoke the CA along with its certificate.
		return nil, exit.Usagef("leave the CA certificates out, or name one by its certid", "%s: certificate %d is that of a CA, beside those of end entities: %s", name, i+1, pki.DN(certs[i].RawSubject))
	}
	entries := make([]Entry, len(certs))
	for i, c := range certs {
		entries[i] = Entry{Line: i + 1, Input: "certificate " + pki.SerialOf(c.SerialNumber).String(), Certificate: c}
	}
	return entries, nil
}
