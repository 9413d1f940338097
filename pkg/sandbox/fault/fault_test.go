package fault

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

var known = []string{"listCertificates", "revokeCertificate"}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want Rule
		err  string // part of the message; empty: must parse
	}{
		{text: "revokeCertificate:after:reset:nth=3", want: Rule{Operation: "revokeCertificate", When: After, Kind: Reset, which: which{"nth", 3}}},
		{text: "*:before:busy", want: Rule{Operation: "*", When: Before, Kind: Busy}},
		{text: "*:before:busy:first=5:signed", want: Rule{Operation: "*", When: Before, Kind: Busy, which: which{"first", 5}, signed: "signed"}},
		{text: "*:before:busy::unsigned", want: Rule{Operation: "*", When: Before, Kind: Busy, signed: "unsigned"}},
		{text: "*:before:slow=2s:every=10", want: Rule{Operation: "*", When: Before, Kind: Slow, Delay: 2 * time.Second, which: which{"every", 10}}},
		{text: "revokeCertificate:before:maxparams=100", want: Rule{Operation: "revokeCertificate", When: Before, Kind: MaxParams, Max: 100}},
		{text: "*:before:http503", want: Rule{Operation: "*", When: Before, Kind: HTTP503}},
		{text: "*:after:html", want: Rule{Operation: "*", When: After, Kind: HTML}},
		{text: "*:after:truncate", want: Rule{Operation: "*", When: After, Kind: Truncate}},
		{text: "*:after:garbage", want: Rule{Operation: "*", When: After, Kind: Garbage}},
		{text: "", err: "OPERATION:WHEN:WHAT"},
		{text: "*:before", err: "OPERATION:WHEN:WHAT"},
		{text: "*:before:busy:nth=1:signed:x", err: "OPERATION:WHEN:WHAT"},
		{text: "revoke:before:busy", err: "listCertificates, revokeCertificate"},
		{text: "*:during:busy", err: "before or after"},
		{text: "*:before:explode", err: "slow=DURATION"},
		{text: "*:before:reset=1", err: "takes no value"},
		{text: "*:before:slow", err: "slow=2s"},
		{text: "*:before:slow=-1s", err: "slow=2s"},
		{text: "*:before:maxparams=x", err: "maxparams=1000"},
		{text: "*:after:maxparams=1", err: "goes with before"},
		{text: "*:before:busy:third", err: "nth=N"},
		{text: "*:before:busy:nth=0", err: "nth=N"},
		{text: "*:before:busy:signed", err: "nth=N"},
		{text: "*:before:busy:nth=1:maybe", err: "signed or unsigned"},
	} {
		got, err := Parse(c.text, known)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want one with %q", c.text, err, c.err)
			}
			continue
		}
		c.want.text = c.text
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v; want %+v", c.text, got, err, c.want)
		}
		if got.String() != c.text {
			t.Errorf("%q: String() = %q", c.text, got.String())
		}
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		rule string
		want string // one letter a call, x where the rule hits
	}{
		{"*:before:busy", "xxxxxxx"},
		{"*:before:busy:nth=3", "..x...."},
		{"*:before:busy:every=3", "..x..x."},
		{"*:before:busy:first=2", "xx....."},
	} {
		r, err := Parse(c.rule, known)
		if err != nil {
			t.Fatal(err)
		}
		s := NewSet([]Rule{r})
		got := ""
		for range c.want {
			if len(s.Count(Before, "listCertificates", false)) > 0 {
				got += "x"
			} else {
				got += "."
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.rule, got, c.want)
		}
	}
}

func TestCountCountsOnlyItsOwnCalls(t *testing.T) {
	r, err := Parse("revokeCertificate:after:reset:nth=2:signed", known)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSet([]Rule{r})
	for i, c := range []struct {
		when   When
		op     string
		signed bool
		want   int
	}{
		{After, "revokeCertificate", true, 0},
		{Before, "revokeCertificate", true, 0}, // another moment
		{After, "listCertificates", true, 0},   // another operation
		{After, "revokeCertificate", false, 0}, // not signed
		{After, "revokeCertificate", true, 1},
		{After, "revokeCertificate", true, 0},
	} {
		if got := s.Count(c.when, c.op, c.signed); len(got) != c.want {
			t.Errorf("call %d: %d rules hit, want %d", i, len(got), c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"*:before:busy:first=5:signed", "revokeCertificate:after:slow=2s", "::::", "*:before:maxparams=9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s, known)
		if err == nil && r.String() != s {
			t.Errorf("%q came back as %q", s, r.String())
		}
	})
}
