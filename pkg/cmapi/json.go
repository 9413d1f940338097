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
type object struct {
	fields map[string]json.RawMessage // by lower-case name
	names  map[string]string          // lower-case name to the name as sent
}

func (o *object) UnmarshalJSON(raw []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	o.fields = make(map[string]json.RawMessage, len(m))
	o.names = make(map[string]string, len(m))
	for k, v := range m {
		l := strings.ToLower(k)
		if old, twice := o.names[l]; twice && !supersedes(k, v, old, o.fields[l]) {
			continue
		}
		o.fields[l], o.names[l] = v, k
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
	l := strings.ToLower(name)
	v, ok := o.fields[l]
	delete(o.fields, l)
	if bytes.Equal(bytes.TrimSpace(v), []byte("null")) {
		return nil, false
	}
	return v, ok
}

// text takes a member that is a string or, on some gateways, a number.
func (o *object) text(name string) (string, error) {
	raw, ok := o.take(name)
	if !ok {
		return "", nil
	}
	return textOf(name, raw)
}

func textOf(name string, raw json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String(), nil
	}
	var b bool
	if json.Unmarshal(raw, &b) == nil {
		return strconv.FormatBool(b), nil
	}
	kind := "a list"
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		kind = "an object"
	}
	return "", fmt.Errorf("member %q: expected a string or a number, got %s", name, kind)
}

func (o *object) texts(name string) ([]string, error) {
	raw, ok := o.take(name)
	if !ok {
		return nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		one, err := textOf(name, raw) // a single value where a list is declared
		if err != nil || one == "" {
			return nil, err
		}
		return []string{one}, nil
	}
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
	s, err := o.text(name)
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
	if len(o.fields) == 0 {
		return nil
	}
	m := make(map[string]json.RawMessage, len(o.fields))
	for l, v := range o.fields {
		m[o.names[l]] = v
	}
	return m
}

// members writes a JSON object with a fixed order of the known members,
// leaving out empty ones, and then the unknown ones sorted by name.
type members struct {
	buf bytes.Buffer
	err error
}

func (m *members) put(name string, v any) {
	switch x := v.(type) {
	case string:
		if x == "" {
			return
		}
	case []string:
		if len(x) == 0 {
			return
		}
	case time.Time:
		if x.IsZero() {
			return
		}
		v = pki.FormatTime(x)
	}
	m.raw(name, v)
}

func (m *members) raw(name string, v any) {
	k, _ := json.Marshal(name)
	var value bytes.Buffer
	enc := json.NewEncoder(&value)
	enc.SetEscapeHTML(false) // "Åkerlund & Söner" stays to be found with grep
	if err := enc.Encode(v); err != nil && m.err == nil {
		m.err = err
	}
	if m.buf.Len() == 0 {
		m.buf.WriteByte('{')
	} else {
		m.buf.WriteByte(',')
	}
	m.buf.Write(k)
	m.buf.WriteByte(':')
	m.buf.Write(bytes.TrimSuffix(value.Bytes(), []byte("\n")))
}

func (m *members) extra(rest map[string]json.RawMessage) {
	for _, name := range sortedKeys(rest) {
		m.raw(name, rest[name])
	}
}

func (m *members) bytes() ([]byte, error) {
	if m.buf.Len() == 0 {
		return []byte("{}"), m.err
	}
	m.buf.WriteByte('}')
	return m.buf.Bytes(), m.err
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
