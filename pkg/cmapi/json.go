package cmapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/pki"
)

// object is a decoded JSON object whose names are compared without case:
// gateways spell certids and certIds, regtype and regType (docs/api-notes.md, 10, 11).
type object struct{ members []member }

// UnmarshalJSON reads the members of an object, in place of those there were;
// null has none.
func (o *object) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	if !bytes.HasPrefix(raw, []byte("{")) {
		o.members = nil
		var m map[string]json.RawMessage
		return json.Unmarshal(raw, &m) // null, or the error for what is no object
	}
	o.members = splitObject(o.members[:0], raw)
	// Of members that differ in case alone, one counts.
	for i := 1; i < len(o.members); i++ {
		m := &o.members[i]
		for j := range i {
			old := &o.members[j]
			if old.value == nil || len(old.name) != len(m.name) || !strings.EqualFold(old.name, m.name) {
				continue
			}
			if old.name == m.name || supersedes(m.name, m.value, old.name, old.value) {
				*old = *m
			}
			m.value = nil
			break
		}
	}
	return nil
}

// supersedes decides between two members that differ in case alone, such as
// certids and certIds: the one that says something, else the one in lower case.
func supersedes(name string, v json.RawMessage, old string, oldV json.RawMessage) bool {
	says := func(v json.RawMessage) bool {
		return !slices.Contains([]string{"null", "[]", `""`}, string(v))
	}
	if says(v) != says(oldV) {
		return says(v)
	}
	return name > old
}

// take removes and returns a member; null counts as absent.
func (o *object) take(name string) (json.RawMessage, bool) {
	for i := range o.members {
		m := &o.members[i]
		if m.value == nil || len(m.name) != len(name) || !strings.EqualFold(m.name, name) {
			continue
		}
		v := m.value
		m.value = nil
		return v, string(v) != "null"
	}
	return nil, false
}

// text takes a member that is a string or, on some gateways, a number.
func (o *object) text(name string) (string, error) {
	raw, ok := o.take(name)
	if !ok {
		return "", nil
	}
	return textOf(name, raw)
}

// textOf is the text of a string, a number, true or false; "" for null.
func textOf(name string, raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case raw[0] == '"':
		return unquote(raw), nil
	case raw[0] == '{':
		return "", fmt.Errorf("member %q: expected a string or a number, got an object", name)
	case raw[0] == '[':
		return "", fmt.Errorf("member %q: expected a string or a number, got a list", name)
	case string(raw) == "null":
		return "", nil
	}
	return string(raw), nil
}

func (o *object) texts(name string) ([]string, error) {
	raw, ok := o.take(name)
	if !ok {
		return nil, nil
	}
	if raw[0] != '[' {
		one, err := textOf(name, raw) // a single value where a list is declared
		if err != nil || one == "" {
			return nil, err
		}
		return []string{one}, nil
	}
	list := splitList(raw)
	out := make([]string, 0, len(list))
	for _, r := range list {
		s, err := textOf(name, r)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (o *object) integer(name string, absent int) (int, error) {
	raw, ok := o.take(name)
	if !ok {
		return absent, nil
	}
	s, err := textOf(name, raw)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("member %q: expected an integer, got %q", name, s)
	}
	return int(n), nil
}

// time takes epoch milliseconds, as a number or as digits in a string, or ISO
// 8601 with or without a zone; without one it is UTC (docs/api-notes.md, 3, 4).
func (o *object) time(name string) (time.Time, error) {
	raw, ok := o.take(name)
	if !ok {
		return time.Time{}, nil
	}
	if ms, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), nil // nearly always
	}
	s, err := textOf(name, raw)
	if err != nil || strings.TrimSpace(s) == "" {
		return time.Time{}, err
	}
	t, err := parseTime(strings.TrimSpace(s))
	if err != nil {
		return time.Time{}, fmt.Errorf("member %q: %w", name, err)
	}
	return t, nil
}

var isoLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02",
}

func parseTime(s string) (time.Time, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > -1e15 && f < 1e15 {
		return time.UnixMilli(int64(f)).UTC(), nil // 1.7e12: a number printed with an exponent
	}
	for _, l := range isoLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("expected epoch milliseconds or an ISO 8601 time, got %q", s)
}

// rest is what no one took: fields of a newer gateway, passed through.
func (o *object) rest() map[string]json.RawMessage {
	var rest map[string]json.RawMessage
	for _, m := range o.members {
		if m.value == nil {
			continue
		}
		if rest == nil {
			rest = map[string]json.RawMessage{}
		}
		rest[m.name] = bytes.Clone(m.value) // the answer it is a part of is long
	}
	return rest
}

// members writes a JSON object with a fixed order of the known members,
// leaving out empty ones, and then the unknown ones sorted by name.
type members struct {
	buf []byte
	err error
}

func (m *members) put(name string, v any) {
	switch x := v.(type) {
	case string:
		m.text(name, x)
		return
	case []string:
		m.texts(name, x)
		return
	case time.Time:
		m.time(name, x)
		return
	}
	m.raw(name, v)
}

func (m *members) name(name string) {
	if len(m.buf) == 0 {
		m.buf = append(m.buf, '{')
	} else if m.buf[len(m.buf)-1] != '{' {
		m.buf = append(m.buf, ',')
	}
	m.string(name)
	m.buf = append(m.buf, ':')
}

func (m *members) string(s string) {
	var err error
	if m.buf, err = appendString(m.buf, s); err != nil && m.err == nil {
		m.err = err
	}
}

func (m *members) text(name, s string) {
	if s != "" {
		m.name(name)
		m.string(s)
	}
}

func (m *members) texts(name string, list []string) {
	if len(list) == 0 {
		return
	}
	m.name(name)
	for i, s := range list {
		m.buf = append(m.buf, "[,"[min(i, 1)])
		m.string(s)
	}
	m.buf = append(m.buf, ']')
}

func (m *members) time(name string, t time.Time) {
	if !t.IsZero() {
		m.name(name)
		m.buf = append(m.buf, '"')
		m.buf = pki.AppendTime(m.buf, t)
		m.buf = append(m.buf, '"')
	}
}

func (m *members) raw(name string, v any) {
	m.name(name)
	var err error
	if raw, ok := v.(json.RawMessage); ok {
		m.buf, err = appendRaw(m.buf, raw)
	} else {
		m.buf, err = appendAny(m.buf, v)
	}
	if err != nil && m.err == nil {
		m.err = err
	}
}

func (m *members) extra(rest map[string]json.RawMessage) {
	for _, name := range sortedKeys(rest) {
		m.raw(name, rest[name])
	}
}

func (m *members) bytes() ([]byte, error) {
	if len(m.buf) == 0 {
		return []byte("{}"), m.err
	}
	return append(m.buf, '}'), m.err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

const excerptLen = 80

func excerpt(raw []byte) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(raw[:min(len(raw), 4*excerptLen)]), "?")), " ")
	if r := []rune(s); len(r) > excerptLen {
		return string(r[:excerptLen]) + "..."
	}
	return s
}
