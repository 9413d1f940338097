package exit

import (
	"errors"
	"fmt"
	"testing"
)

func TestTableIsSoundAndSorted(t *testing.T) {
	seen := map[string]bool{}
	last := Code(-1)
	for _, r := range Table() {
		if r.Code <= last {
			t.Errorf("code %d is not above %d", r.Code, last)
		}
		last = r.Code
		if seen[r.Kind] || r.Kind == "" || r.Meaning == "" {
			t.Errorf("code %d: kind %q is empty or used twice, or it has no meaning", r.Code, r.Kind)
		}
		seen[r.Kind] = true
		if r.Code.Kind() != r.Kind {
			t.Errorf("code %d: Kind() = %q", r.Code, r.Code.Kind())
		}
	}
}

func TestCodeAndHintTravelThroughWrapping(t *testing.T) {
	inner := New(Key, "ask the card's issuer", "wrong PIN: %w", errors.New("0xA0"))
	wrapped := fmt.Errorf("opening the card: %w", inner)
	outer := New(Failure, "", "no luck: %w", wrapped)
	for _, c := range []struct {
		name string
		err  error
		code Code
		hint string
	}{
		{"nil", nil, OK, ""},
		{"plain", errors.New("x"), Failure, ""},
		{"typed", inner, Key, "ask the card's issuer"},
		{"wrapped", wrapped, Key, "ask the card's issuer"},
		{"the outermost code, the innermost hint", outer, Failure, "ask the card's issuer"},
	} {
		if got := Of(c.err); got != c.code {
			t.Errorf("%s: code %d, want %d", c.name, got, c.code)
		}
		if got := HintOf(c.err); got != c.hint {
			t.Errorf("%s: hint %q, want %q", c.name, got, c.hint)
		}
	}
	if got, want := outer.Error(), "no luck: opening the card: wrong PIN: 0xA0"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}
