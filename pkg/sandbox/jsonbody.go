package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"unicode/utf8"
)

// jsonBody is a JSON object: its members by name, each as it was sent.
type jsonBody map[string]json.RawMessage

// readJSON reads the body of a write whose fields come as JSON, and takes the
// signature out of it.
func readJSON(contentType string, body []byte) (jsonBody, [][]byte, error) {
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != jsonType {
		return nil, nil, refuse(codeEncoding, "the body is %q: send application/json", contentType)
	}
	if !utf8.Valid(body) {
		return nil, nil, refuse(codeEncoding, "the body is not UTF-8")
	}
	out, err := readObject(body)
	if err != nil {
		return nil, nil, err
	}
	raw, ok := out["signature"]
	if !ok {
		return out, nil, nil
	}
	delete(out, "signature")
	var text string
	if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, &text) != nil {
		return nil, nil, refuse(codeEncoding, "signature is not a string")
	}
	return out, [][]byte{[]byte(text)}, nil
}

// readObject reads one JSON object and nothing after it. Of two members with
// one name the second would count silently: that is refused, as it is in a
// form.
func readObject(text []byte) (jsonBody, error) {
	bad := refuse(codeEncoding, "the body is not a JSON object")
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, bad
	}
	out := jsonBody{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, bad
		}
		name := t.(string) // where a name stands there is nothing else
		if _, twice := out[name]; twice {
			return nil, refuse(codeBadValue, "%s is given twice", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, bad
		}
		out[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bad
	}
	return out, nil
}
