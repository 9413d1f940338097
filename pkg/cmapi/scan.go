package cmapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Reading of JSON that is known to be valid, in one pass over its bytes: a
// listing of a million certificates spends most of its time here.

// member is one member of a JSON object.
type member struct {
	name  string
	value json.RawMessage // part of the answer, not a copy; nil once taken
}

// splitObject appends the members of a valid JSON object.
func splitObject(list []member, raw []byte) []member {
	if list == nil {
		list = make([]member, 0, 20)
	}
	for i := skipSpace(raw, 1); i < len(raw) && raw[i] != '}'; {
		end := skipValue(raw, i)
		name := memberName(raw[i:end])
		i = skipSpace(raw, skipSpace(raw, end)+1) // past the colon
		end = skipValue(raw, i)
		list = append(list, member{name, raw[i:end:end]})
		if i = skipSpace(raw, end); i < len(raw) && raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return list
}

// RepeatedMember is the name of a member that a valid JSON object has twice, if
// in other capitals; "" when it has none.
func RepeatedMember(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if !bytes.HasPrefix(raw, []byte("{")) {
		return ""
	}
	list := splitObject(nil, raw)
	for i := range list {
		for _, m := range list[:i] {
			if len(m.name) == len(list[i].name) && strings.EqualFold(m.name, list[i].name) {
				return m.name
			}
		}
	}
	return ""
}

// usualNames are the names that listings repeat for every certificate: one
// copy of each is enough.
var usualNames = func() map[string]string {
	names := map[string]string{}
	for _, n := range []string{
		"certid", "subject", "issuer", "certificateserialnumber", "subjectType", "validfrom", "validto", "status", "reason",
		"revocationtime", "keyusage", "authorityKeyIdentifier", "subjectKeyIdentifier", "extendedcertsearch",
	} {
		names[n] = n
	}
	return names
}()

func memberName(raw []byte) string {
	if name, ok := usualNames[string(raw[1:len(raw)-1])]; ok {
		return name
	}
	return unquote(raw)
}

// splitList reads the elements of a valid JSON array.
func splitList(raw []byte) []json.RawMessage {
	list := []json.RawMessage{}
	for i := skipSpace(raw, 1); i < len(raw) && raw[i] != ']'; {
		end := skipValue(raw, i)
		list = append(list, raw[i:end:end])
		if i = skipSpace(raw, end); i < len(raw) && raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return list
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\r' || raw[i] == '\t') {
		i++
	}
	return i
}

// skipValue is where the value that begins at i ends.
func skipValue(raw []byte, i int) int {
	switch raw[i] {
	case '"':
		return skipString(raw, i)
	case '{', '[':
		for depth := 0; i < len(raw); i++ {
			switch raw[i] {
			case '"':
				i = skipString(raw, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return i
	}
	for i < len(raw) {
		switch raw[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return i
		}
		i++
	}
	return i
}

// skipString goes from quote to quote: one counts that has no backslash before
// it, or a pair of them.
func skipString(raw []byte, i int) int {
	for i++; ; {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			return len(raw)
		}
		end, escapes := i+n, 0
		for k := end - 1; k >= i && raw[k] == '\\'; k-- {
			escapes++
		}
		if i = end + 1; escapes%2 == 0 {
			return i
		}
	}
}

// unquote is the text of a valid JSON string.
func unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // valid, as the whole is
	return s
}

// appendAny writes a value as encoding/json does, & < and > as they are: names
// such as "Åkerlund & Söner" stay to be found with grep.
func appendAny(dst []byte, v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return append(dst, "null"...), err
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...), nil
}

// appendString writes a string as appendAny does.
func appendString(dst []byte, s string) ([]byte, error) {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' {
			return appendAny(dst, s)
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	// encoding/json replaces what is no UTF-8, and escapes two line ends.
	if !ascii && (!utf8.ValidString(s) || strings.Contains(s, "\u2028") || strings.Contains(s, "\u2029")) {
		return appendAny(dst, s)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"'), nil
}

// appendRaw writes JSON without white space, as appendAny does.
func appendRaw(dst []byte, raw json.RawMessage) ([]byte, error) {
	if !valid(raw) {
		return appendAny(dst, raw)
	}
	for i := 0; i < len(raw); {
		switch raw[i] {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end := skipString(raw, i)
			dst = append(dst, raw[i:end]...)
			i = end
		default:
			dst = append(dst, raw[i])
			i++
		}
	}
	return dst, nil
}
