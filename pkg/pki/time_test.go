package pki_test

import (
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/pki"
)

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 2, 15, 4, 5, 0, time.UTC)
	const zone = " has no zone or is not RFC 3339"
	tests := []struct{ in, want, err string }{
		{in: "2026-03-02T15:04:05Z", want: "2026-03-02T15:04:05Z"},
		{in: "2026-03-02t15:04:05z", want: "2026-03-02T15:04:05Z"},
		{in: "2026-03-02T15:04:05+02:00", want: "2026-03-02T13:04:05Z"},
		{in: "2026-03-02T15:04:05.999Z", want: "2026-03-02T15:04:05Z"},
		{in: "2026-03-02", want: "2026-03-02T00:00:00Z"},
		{in: "now", want: "2026-03-02T15:04:05Z"},
		{in: " NOW ", want: "2026-03-02T15:04:05Z"},
		{in: "30d", want: "2026-04-01T15:04:05Z"},
		{in: "+30d", want: "2026-04-01T15:04:05Z"},
		{in: "-12h", want: "2026-03-02T03:04:05Z"},
		{in: "2w", want: "2026-03-16T15:04:05Z"},
		{in: "90min", want: "2026-03-02T16:34:05Z"},
		{in: "-5s", want: "2026-03-02T15:04:00Z"},
		{in: "2W", want: "2026-03-16T15:04:05Z"},
		{in: "1y", want: "2027-03-02T15:04:05Z"},
		{in: "200000d", want: "2573-09-30T15:04:05Z"},
		{in: "5m", err: `the unit m in "5m" may be minutes or months`},
		{in: "2026-03-02T15:04:05", err: `the time "2026-03-02T15:04:05"` + zone},
		{in: "2026-03-02 15:04", err: `the time "2026-03-02 15:04"` + zone},
		{in: "2026-13-02", err: `"2026-13-02" is not a time`},
		{in: "2026-02-30", err: `"2026-02-30" is not a time`},
		{in: "30", err: `"30" is not a time`},
		{in: "d", err: `"d" is not a time`},
		{in: "-d", err: `"-d" is not a time`},
		{in: "3-d", err: `"3-d" is not a time`},
		{in: "", err: `"" is not a time`},
		{in: "1\x80", err: `"1\x80" is not a time`},
		{in: "tomorrow", err: `"tomorrow" is not a time`},
		{in: "99999999d", err: `the time "99999999d" is out of range`},
		{in: "-3000y", err: `the time "-3000y" is out of range`},
		{in: "99999999999999999999d", err: `"99999999999999999999d" is not a time`},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			at, err := pki.ParseTime(tt.in, now)
			got := ""
			if err == nil {
				got = pki.FormatTime(at)
			}
			check(t, "ParseTime", got, tt.want, err, tt.err)
		})
	}
}

func FuzzParseTime(f *testing.F) {
	now := time.Date(2026, 3, 2, 15, 4, 5, 0, time.UTC)
	for _, s := range []string{"2026-03-02", "30d", "-12h", "now", "1\x80", "2026-03-02T15:04:05+02:00", "9999y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := pki.ParseTime(s, now)
		if err != nil {
			return
		}
		if _, err := time.Parse(time.RFC3339, pki.FormatTime(at)); err != nil {
			t.Fatalf("%q became %v: %v", s, at, err)
		}
	})
}
