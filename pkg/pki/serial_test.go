package pki_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

func TestParseSerial(t *testing.T) {
	tests := []struct {
		name, in string
		want     pki.Serial
		wantErr  string
		hexErr   string // of ParseHexSerial; "-" for none, as hexWant says
		hexWant  pki.Serial
	}{
		{name: "0x", in: "0x12ab", want: "12ab"},
		{name: "0X and upper case", in: "0X12AB", want: "12ab"},
		{name: "digits after 0x", in: "0x4711", want: "4711"},
		{name: "leading zeros stay", in: "0x000A", want: "000a"},
		{name: "colons", in: "12:AB:00", want: "12ab00"},
		{name: "colons, digits only", in: "00:12", want: "0012"},
		{name: "colons, short first", in: "1:2b", want: "12b"},
		{name: "blanks", in: " 12 ab cd ", want: "12abcd"},
		{name: "a letter makes it hex", in: "471A", want: "471a"},
		{name: "decimal", in: "dec:4779", want: "12ab"},
		{name: "decimal, whole octets", in: "DEC: 10", want: "0a"},
		{name: "decimal zero", in: "dec:0", want: "00"},
		{name: "big decimal", in: "dec:1461501637330902918203684832716283019655932542975", want: "ffffffffffffffffffffffffffffffffffffffff"},
		{name: "bare digits", in: "4711", wantErr: `"4711" is ambiguous as a serial number: it may be hex, decimal or a certid`, hexWant: "4711", hexErr: "-"},
		{name: "bare digits with blanks", in: "47 11", wantErr: `"47 11" is ambiguous as a serial number: it may be hex, decimal or a certid`, hexWant: "4711", hexErr: "-"},
		{name: "empty", in: "  ", wantErr: "an empty serial number"},
		{name: "0x alone", in: "0x", wantErr: "an empty serial number"},
		{name: "no hex", in: "0x12xy", wantErr: `"0x12xy" is not a serial number: it holds what is no hex digit`},
		{name: "negative", in: "-12ab", wantErr: `"-12ab" is not a serial number: it holds what is no hex digit`},
		{name: "colons in odd places", in: "12:a:bc", wantErr: `"12:a:bc" is not a serial number: colons part pairs of hex digits`},
		{name: "colon at the end", in: "12:", wantErr: `"12:" is not a serial number: colons part pairs of hex digits`},
		{name: "decimal with a letter", in: "dec:12a", wantErr: `"dec:12a" is not a serial number: dec: wants decimal digits`},
		{name: "decimal alone", in: "dec:", wantErr: `"dec:" is not a serial number: dec: wants decimal digits`},
		{name: "too long", in: "0x" + strings.Repeat("a", 129), wantErr: "a serial number of 129 hex digits is too long"},
		{name: "decimal too long", in: "dec:" + strings.Repeat("9", 200), wantErr: `the serial number "dec:` + strings.Repeat("9", 76) + `..." is too long`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pki.ParseSerial(tt.in)
			check(t, "ParseSerial", got, tt.want, err, tt.wantErr)
			if tt.hexErr == "" {
				tt.hexWant, tt.hexErr = tt.want, tt.wantErr
			}
			got, err = pki.ParseHexSerial(tt.in)
			check(t, "ParseHexSerial", got, tt.hexWant, err, strings.TrimPrefix(tt.hexErr, "-"))
		})
	}
}

// check compares a result and an error's text; an error must be one of usage
// and have a hint.
func check[T comparable](t *testing.T, what string, got, want T, err error, wantErr string) {
	t.Helper()
	if text(err) != wantErr {
		t.Fatalf("%s: error %q, want %q", what, text(err), wantErr)
	}
	if err != nil && (exit.Of(err) != exit.Usage || exit.HintOf(err) == "") {
		t.Errorf("%s: error has exit code %d and hint %q, want 2 and some", what, exit.Of(err), exit.HintOf(err))
	}
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSerialEqual(t *testing.T) {
	tests := []struct {
		a, b pki.Serial
		want bool
	}{
		{"0a", "a", true},
		{"000a", "0A", true},
		{"00", "0", true},
		{"a0", "a", false},
		{"12ab", "12ac", false},
	}
	for _, tt := range tests {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%q equals %q: %v", tt.a, tt.b, got)
		}
	}
}

func TestSerialOf(t *testing.T) {
	for n, want := range map[int64]pki.Serial{0: "00", 10: "0a", 4779: "12ab", -1: "-01"} {
		if got := pki.SerialOf(big.NewInt(n)); got != want {
			t.Errorf("SerialOf(%d) = %q, want %q", n, got, want)
		}
	}
}

func FuzzParseSerial(f *testing.F) {
	for _, s := range []string{"0x0A", "12:ab", "dec:123", "4711", "47 1a", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := pki.ParseSerial(s)
		if err != nil {
			return
		}
		if strings.Trim(string(got), "0123456789abcdef") != "" || got == "" {
			t.Fatalf("%q became %q", s, got)
		}
		again, err := pki.ParseSerial("0x" + string(got))
		if err != nil || again != got {
			t.Fatalf("%q became %q, and that %q, %v", s, got, again, err)
		}
	})
}
