package cmdutil

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

const jsonHint = "each line is one record as `cmctl cert search -o jsonl` prints it"

// record reads what names a certificate in a `cert search` record. A reason
// beside a state is that of the past; without one it is what is wanted.
func (l *List) record(n int, raw []byte) (Entry, error) {
	if !utf8.Valid(raw) {
		return Entry{}, errNotUTF8
	}
	var c cmapi.Certificate
	if err := json.Unmarshal(raw, &c); err != nil {
		return Entry{}, fmt.Errorf("not a JSON record: %w", err)
	}
	if name := cmapi.RepeatedMember(raw); name != "" {
		return Entry{}, fmt.Errorf("there are two of %s", clip(name))
	}
	e := l.entry(n)
	e.Input, e.CertID, e.Serial, e.Issuer, e.Subject = c.CertID, c.CertID, c.Serial, c.Issuer, c.Subject
	e.State, e.Organisation = StateWords(&c), organisationOf(c.Subject)
	if l.whys {
		_ = json.Unmarshal(c.Extra["why"], &e.Why)
	}
	switch {
	case c.CertID == "" && c.Serial == "":
		return e, errors.New("the record has neither certid nor certificateserialnumber")
	case c.CertID == "":
		e.Input = c.Serial.String()
	default:
		if err := checkCertID(c.CertID); err != nil {
			return e, err
		}
	}
	if c.Serial != "" {
		if _, err := pki.ParseHexSerial(c.Serial.String()); err != nil {
			return e, err
		}
	}
	if c.Status == "" && c.RevocationTime.IsZero() {
		return e, e.want(c.Reason)
	}
	l.past = l.past || c.Reason != ""
	return e, nil
}

// errNotUTF8 says that names cannot be compared with what the gateway says.
var errNotUTF8 = errors.New("this is not UTF-8: save the list as UTF-8")

// want reads the reason that is wanted.
func (e *Entry) want(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return nil
	}
	r, err := pki.ParseRevokeReason(reason)
	e.Reason = r.String()
	return err
}

// organisationOf reads the organisation of a subject that is written as a
// name. Gateways that show bare values tell none.
func organisationOf(subject string) string {
	if !strings.Contains(subject, "=") {
		return ""
	}
	name, err := pki.ParseName(subject)
	if err != nil {
		return ""
	}
	for _, rdn := range name {
		for _, a := range rdn {
			if strings.EqualFold(a.Type, "O") {
				return a.Value
			}
		}
	}
	return ""
}

func (l *List) readRecords(text *textReader, r *reading) error {
	return text.lines(func(n int, line []byte) error {
		e, err := l.record(n, line)
		if err != nil {
			r.wrong(l, n, jsonHint, "%v", err)
			return nil
		}
		return r.emit(e)
	})
}

func (l *List) readArray(text *textReader, r *reading) error {
	at := &lineCounter{in: text, line: text.skipped + 1}
	dec := json.NewDecoder(at)
	if _, err := dec.Token(); err != nil {
		return exit.Usagef(jsonHint, "%s: %v", l.name, err)
	}
	for dec.More() {
		n := at.lineOf(dec.InputOffset())
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return exit.Usagef("an array holds records as `cmctl cert search -o json` prints them", "%s%w", place(l.name, n), err)
		}
		e, err := l.record(n, raw)
		if err != nil {
			r.wrong(l, n, jsonHint, "%v", err)
			continue
		}
		if err := r.emit(e); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return exit.Usagef("the file is cut short", "%sthe array does not end: %v", place(l.name, at.lineOf(dec.InputOffset())), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return exit.Usagef("", "%smore data after the array", place(l.name, at.lineOf(dec.InputOffset())))
	}
	return nil
}

// lineCounter tells on which line of what was read an offset lies. It keeps
// what was read behind the last offset asked for.
type lineCounter struct {
	in   io.Reader
	kept []byte
	from int64 // offset of kept
	line int   // of it
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.kept = append(c.kept, p[:n]...)
	return n, err
}

// lineOf is the line on which the next value behind an offset starts.
func (c *lineCounter) lineOf(offset int64) int {
	at := int(offset - c.from)
	for at < len(c.kept) && strings.IndexByte(", \t\r\n", c.kept[at]) >= 0 {
		at++
	}
	c.line += bytes.Count(c.kept[:at], []byte("\n"))
	c.kept, c.from = c.kept[at:], c.from+int64(at)
	return c.line
}
