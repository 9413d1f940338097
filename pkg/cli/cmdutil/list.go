package cmdutil

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Entry is one certificate as the officer named it: by certid, by serial, or
// by the certificate itself. A record may carry more than the certid; what it
// carries must be what the gateway says.
type Entry struct {
	List        string // the name of the list; empty for an argument
	Line        int    // from 1; of PEM and PKCS#7, which certificate
	Input       string // as written, shortened for a certificate
	CertID      string
	Serial      pki.Serial
	Certificate *x509.Certificate
	Issuer      string // to be checked; empty: not given
	Subject     string

	State        string // as the list says: "active", "on hold", "revoked"
	Organisation string
	Reason       string // the word of the reason that is wanted; empty: not given
	Why          string // why it is left out, in a list of exclusions
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

const (
	maxListed = 20        // wrong lines that an error shows
	maxLine   = 16 << 20  // bytes; a record may have a certificate in it
	maxBinary = 256 << 20 // bytes of a file that is no text

	listHint = "bare digits are certids; serials are written 0x..., dec:... or with colons, or the whole list with --as serial"
	whyHint  = "a line of exclusions is a certid or a serial, and behind it, in words, why; a why that begins with a number goes into a CSV column why"
	makeHint = "; `cmctl cert search` makes lists with -o jsonl or -o id"
)

// List is a list of certificates: plain lines, CSV with a header, JSON lines
// or a JSON array as `cert search` prints them, PEM, DER or PKCS#7. It is read
// from start to end as often as needed and never held in memory.
type List struct {
	name  string // for messages
	as    ListAs
	whys  bool // behind the first word of a plain line stands why it is left out
	kind  listKind
	ends  bool     // it is of what became of items: it may be without any
	among bool     // others of a folder: that there is nothing in it to read is told with all else
	past  bool     // it has reasons that are those of the past
	odd   []string // what is to be said of its columns
	open  func() (io.ReadSeekCloser, error)
}

type listKind int

const (
	unknownList listKind = iota
	emptyList
	plainList
	csvList
	jsonLines
	jsonArray
	pemList
	derList
)

// reading is one pass over lists: what is wrong with them, and where what is
// right goes.
type reading struct {
	emit func(Entry) error
	bad  problems
	ca   error // a CA's certificate was read
	ee   bool  // another one was
}

// read hands out the entries of a list in their order. Wrong lines are noted;
// the error is what is wrong with the list as a whole, or that of emit.
func (l *List) read(r *reading) error {
	in, err := l.open()
	switch {
	case err != nil && l.among:
		r.bad.add("", "%v", err)
		return nil
	case err != nil:
		return err
	}
	defer func() { _ = in.Close() }()
	if l.kind == unknownList {
		if l.kind, err = l.detect(in); err != nil {
			return err
		}
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return exit.Usagef("", "%s: %w", l.name, err)
		}
	}
	switch {
	case l.kind == emptyList && l.among:
		r.bad.add("", "%s: the file is empty", l.name)
		return nil
	case l.kind == derList:
		return l.readDER(in, r)
	}
	text, err := openText(l.name, in)
	if err != nil {
		return err
	}
	switch l.kind {
	case jsonArray:
		return l.readArray(text, r)
	case jsonLines:
		return l.readRecords(text, r)
	case csvList:
		return l.readCSV(text, r)
	case pemList:
		return l.readPEM(text, r)
	case plainList:
		return l.readPlain(text, r)
	}
	return nil
}

// detect tells the kind of a list by its first line; only PEM may have text
// before it, so that all of another list is looked through.
func (l *List) detect(in io.ReadSeeker) (listKind, error) {
	head := make([]byte, 2)
	if n, err := io.ReadFull(in, head); n == 2 && head[0] == 0x30 && head[1] >= 0x80 {
		return derList, nil
	} else if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, exit.Usagef("", "%s: %w", l.name, err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return 0, exit.Usagef("", "%s: %w", l.name, err)
	}
	text, err := openText(l.name, in)
	if err != nil {
		return 0, err
	}
	first := text.firstLine()
	switch {
	case first == "":
		return emptyList, nil
	case strings.HasPrefix(first, "["):
		return jsonArray, nil
	case strings.HasPrefix(first, "{"):
		return jsonLines, nil
	}
	switch found, err := text.contains("-----BEGIN "); { // after JSON, whose records may hold PEM
	case err != nil:
		return 0, err
	case found:
		return pemList, nil
	case isHeader(first):
		return csvList, nil
	case likeHeader(first):
		return 0, exit.Usagef("the header of a CSV list names its columns: certid or serial, and issuer, subject to be checked", "%s: no column certid or serial", l.name)
	}
	return plainList, nil
}

func (l *List) entry(line int) Entry { return Entry{List: l.name, Line: line} }

// problems collects wrong lines so that all are told at once.
type problems struct {
	lines []string
	n     int
	hint  string
	what  string // is counted; empty: "line"
}

func (p *problems) add(place, format string, args ...any) {
	if p.n++; p.n > maxListed {
		return
	}
	p.lines = append(p.lines, place+fmt.Sprintf(format, args...))
}

// wrong notes a line of a list, and what helps against its like.
func (r *reading) wrong(l *List, line int, hint, format string, args ...any) {
	r.bad.hint = hint
	r.bad.add(place(l.name, line), format, args...)
}

// place is what stands in front of what is wrong with a line.
func place(list string, line int) string {
	switch {
	case list == "":
		return ""
	case line == 0:
		return list + ": "
	}
	return fmt.Sprintf("%s:%d: ", list, line)
}

func (p *problems) all() []string {
	if more := p.n - len(p.lines); more > 0 {
		return append(slices.Clip(p.lines), "and "+Plural(more, "more "+cmp.Or(p.what, "line")))
	}
	return p.lines
}

func (p *problems) text() string { return strings.Join(p.all(), "\n") }

// with is an error that ends the reading, behind what was wrong before it.
func (p *problems) with(err error) error {
	if p.n == 0 || exit.Of(err) != exit.Usage {
		return err
	}
	return exit.Usagef(exit.HintOf(err), "%s\n%w", p.text(), err)
}

func (p *problems) err() error {
	if p.n == 0 {
		return nil
	}
	return exit.Usagef(p.hint, "%s", p.text())
}

// digits tells what may be a certid. A number with a leading zero is none:
// serials are cut from hex so.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == "" && (s[0] != '0' || s == "0")
}

func bareHex(s string) bool { return s != "" && strings.Trim(s, "0123456789ABCDEFabcdef") == "" }

// readPlain reads a list of one certid or serial a line. Bare hexadecimal may
// be either, so that it is refused for the list as a whole.
func (l *List) readPlain(text *textReader, r *reading) error {
	var ids, hexes, serials struct{ first, n int }
	count := func(c *struct{ first, n int }, line int) {
		if c.n++; c.n == 1 {
			c.first = line
		}
	}
	err := text.lines(func(n int, line []byte) error {
		token := string(uncomment(line))
		e := l.entry(n)
		if l.whys {
			token, e.Why = cutWhy(token, l.as)
			if named(e.Why, l.as) {
				r.wrong(l, n, whyHint, "%q begins with two names: a line names one certificate", clip(string(line)))
				return nil
			}
		}
		if token == "" {
			return nil
		}
		err := e.parse(token, l.as)
		switch {
		case l.as == AsUnset && err == nil && e.CertID != "":
			count(&ids, n)
		case l.as == AsUnset && bareHex(token) && !digits(token):
			count(&hexes, n) // told below
			return nil
		case err == nil && e.Serial != "":
			count(&serials, n)
		}
		if err != nil {
			r.wrong(l, n, listHint+makeHint, "%v", err)
			return nil
		}
		return r.emit(e)
	})
	const asHint = "say which with --as id or --as serial"
	switch {
	case err != nil:
		return err
	case l.as != AsUnset:
	case hexes.n > 0 && ids.n > 0:
		return exit.Usagef(asHint, "%s: lines of digits only (line %d) and of hexadecimal (line %d) are mixed: certids or serials?", l.name, ids.first, hexes.first)
	case hexes.n > 0:
		return exit.Usagef(asHint, "%s:%d: %d lines are bare hexadecimal: certids are digits and do not begin with 0, serials need 0x, colons or --as serial", l.name, hexes.first, hexes.n)
	case ids.n > 0 && serials.n > 0:
		return exit.Usagef("make two lists of it", "%s: certids (line %d) and serials (line %d) are mixed: a list is of one kind", l.name, ids.first, serials.first)
	}
	return nil
}

// uncomment cuts a comment off the end of a line: a # behind a blank.
func uncomment(line []byte) []byte {
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			return bytes.TrimSpace(line[:i])
		}
	}
	return line
}

// cutWhy parts the name of a certificate from why it is left out. Serials may
// be written in groups where the list is of serials.
func cutWhy(text string, as ListAs) (token, why string) {
	if as == AsSerial {
		token, why, _ = strings.Cut(text, "\t")
	} else if i := strings.IndexAny(text, " \t,;"); i >= 0 {
		token, why = text[:i], strings.TrimLeft(text[i:], " \t,;")
	} else {
		token = text
	}
	return strings.TrimSpace(token), strings.TrimSpace(why)
}

// named tells whether words of why begin with what names a certificate: most
// likely they were to be names as well.
func named(why string, as ListAs) bool {
	words := strings.FieldsFunc(why, func(r rune) bool { return r != ':' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) > 1 && strings.EqualFold(words[0], "and") {
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	if bareHex(words[0]) {
		return digits(words[0]) && !isDate(why) || as == AsSerial && strings.ContainsAny(words[0], "0123456789") // "added" is a word
	}
	_, err := pki.ParseSerial(words[0])
	return err == nil
}

// isDate tells what begins with a day, such as 2026-11-26.
func isDate(text string) bool {
	if len(text) < len(time.DateOnly) {
		return false
	}
	_, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	return err == nil
}

// ParseEntry reads one bare token: a certid or a serial.
func ParseEntry(token string, as ListAs) (Entry, error) {
	var e Entry
	err := e.parse(token, as)
	return e, err
}

func (e *Entry) parse(token string, as ListAs) (err error) {
	e.Input = token
	switch {
	case as == AsSerial:
		e.Serial, err = pki.ParseHexSerial(token)
		return err
	case digits(token):
		e.CertID = token
		return checkCertID(token)
	case token != "" && strings.Trim(token, "0123456789") == "":
		return fmt.Errorf("%q is no certid, since they do not begin with 0: a serial needs 0x, colons or --as serial", clip(token))
	case as == AsID:
		return fmt.Errorf("%q is no certid: expected digits", clip(token))
	case bareHex(token):
		return fmt.Errorf("%q is bare hexadecimal: a serial needs 0x, colons or --as serial", clip(token))
	case strings.ContainsAny(token, " \t"):
		return fmt.Errorf("%q is more than one word: a line names one certificate", clip(token))
	}
	if e.Serial, err = pki.ParseSerial(token); err != nil {
		return fmt.Errorf("%q is neither a certid (digits) nor a serial (0x..., dec:..., or with colons)", clip(token))
	}
	return nil
}

// maxCertID is how many digits a certid may have: far more than any has, and no
// more than goes into the path of a request.
const maxCertID = 100

func checkCertID(s string) error {
	switch {
	case !digits(s):
		return fmt.Errorf("certid %q: expected digits", clip(s))
	case len(s) > maxCertID:
		return fmt.Errorf("%q is no certid: it has %d digits, and a certid at most %d; a serial needs 0x, colons or --as serial", clip(s), len(s), maxCertID)
	}
	return nil
}

const (
	clipWord = 60  // characters that are shown of what is no longer than that when it is right
	clipName = 300 // of names
)

func clip(s string) string { return clipAt(s, clipWord) }

func clipAt(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return s
}
