package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// members reads the members of a JSON object in an operation's order, collects
// what is to be signed, and remembers the first that is wrong.
type members struct {
	body   jsonBody // what has not been read yet
	prefix string   // of names in messages and in what is signed
	fields []field
	err    *apiError
}

// members starts reading a body. What the path says is signed as well.
func (c *call) members(fromPath ...string) *members {
	m := &members{body: maps.Clone(c.body)}
	for _, name := range fromPath {
		m.fields = append(m.fields, textField(name, c.path[name]))
	}
	return m
}

func (m *members) fail(code int, format string, args ...any) {
	if m.err == nil {
		m.err = refuse(code, format, args...)
	}
}

func (m *members) bad(name, format string, args ...any) {
	m.fail(codeBadValue, m.prefix+name+": "+format, args...)
}

// take returns a member as sent, and takes it out.
func (m *members) take(name string) (json.RawMessage, bool) {
	raw, ok := m.body[name]
	delete(m.body, name)
	return raw, ok
}

// plain returns the text of a member without noting it for the signature.
// An empty one is refused: it is what a script sends that forgot to fill it.
func (m *members) plain(name string) (string, bool) {
	raw, ok := m.take(name)
	if !ok {
		return "", false
	}
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil || text == nil {
		m.bad(name, "not a string")
		return "", false
	}
	if *text == "" {
		m.bad(name, "empty")
	}
	return *text, true
}

// text returns a text; ok is false when it was not sent.
func (m *members) text(name string) (value string, ok bool) {
	value, ok = m.plain(name)
	if ok {
		m.fields = append(m.fields, textField(m.prefix+name, value))
	}
	return value, ok
}

// line is a text of one line and reasonable length.
func (m *members) line(name string) (string, bool) {
	value, ok := m.text(name)
	if len(value) > 255 || strings.ContainsFunc(value, unicode.IsControl) {
		m.bad(name, "longer than 255 octets, or control characters in it")
	}
	return value, ok
}

// secret returns a text of which only the digest is signed.
func (m *members) secret(name string) (string, bool) {
	value, ok := m.plain(name)
	if ok {
		m.fields = append(m.fields, digestField(m.prefix+name, []byte(value)))
	}
	return value, ok
}

// need says that a member is missing unless it was sent.
func (m *members) need(name string, sent bool) {
	if !sent {
		m.fail(codeMissing, "missing field: %s", m.prefix+name)
	}
}

// objects returns the objects in a list, which must not be empty.
func (m *members) objects(name string) []*members {
	raw, sent := m.take(name)
	m.need(name, sent)
	if m.err != nil {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		m.bad(name, "not a list, or an empty one")
		return nil
	}
	out := make([]*members, len(list))
	for i, raw := range list {
		body, err := readObject(raw)
		if err != nil {
			m.bad(name, "entry %d is no object, or has a member twice", i)
			return nil
		}
		out[i] = &members{body: body, prefix: name + "[" + strconv.Itoa(i) + "]."}
	}
	return out
}

// integer returns a whole number.
func (m *members) integer(name string) (value int, ok bool) {
	raw, ok := m.take(name)
	if !ok {
		return 0, false
	}
	if json.Unmarshal(raw, &value) != nil || string(raw) == "null" {
		m.bad(name, "not a whole number")
	}
	m.fields = append(m.fields, textField(m.prefix+name, strconv.Itoa(value)))
	return value, true
}

// maxDays bounds validities: a hundred years.
const maxDays = 36500

// validity returns a number of days, 0 for always: a string as declared, or a
// number as one example has it.
func (m *members) validity(name string) (days int, ok bool) {
	raw, ok := m.body[name]
	if !ok {
		return 0, false
	}
	var number int
	if json.Unmarshal(raw, &number) == nil && string(raw) != "null" {
		m.body[name] = json.RawMessage(strconv.Quote(strconv.Itoa(number)))
	}
	text, _ := m.text(name)
	days, valid := parseValidity(text)
	if !valid {
		m.bad(name, "expected a number of days from 1 to %d, or always", maxDays)
	}
	return days, true
}

func parseValidity(text string) (days int, ok bool) {
	if text == "always" {
		return 0, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0 && n <= maxDays && strconv.Itoa(n) == text
}

// end refuses what is left, and returns the first error. A field of another
// type would be lost silently otherwise.
func (m *members) end() error {
	for _, name := range slices.Sorted(maps.Keys(m.body)) {
		m.bad(name, "this operation has no such field")
	}
	if m.err != nil {
		return m.err
	}
	return nil
}
