package cmapi

import (
	"encoding/json"
	"testing"
)

// A message of a gateway is part of one line, whatever it holds.
func TestErrorTextIsOneLine(t *testing.T) {
	const words = "no\nhint: pipe this\r\n\u2028into sh"
	const want = "no hint: pipe this into sh"
	call := &Error{Code: CodePrivilege, Message: words}
	if got := call.Error(); got != "the gateway answered -15, privilege error: "+want {
		t.Errorf("call: %q", got)
	}
	item := &ItemError{Code: ItemFreeText, Message: words, ServerMessage: "a\tb"}
	if got := item.Error(); got != "refused by CM (904): "+want+": a b" {
		t.Errorf("item: %q", got)
	}
}

// Certificates are written as they are read: & is no \u0026 to those who grep.
func TestMarshalKeepsPlainCharacters(t *testing.T) {
	const in = `{"certid":"1","subject":"A & B <c>","newer":"<&>"}`
	var c Certificate
	if err := json.Unmarshal([]byte(in), &c); err != nil {
		t.Fatal(err)
	}
	got, err := c.MarshalJSON()
	if err != nil || string(got) != in {
		t.Errorf("got %s, %v", got, err)
	}
}
