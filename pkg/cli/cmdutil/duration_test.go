package cmdutil

import (
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestDurationFlag(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "0": 0, "-1s": -time.Second,
		"1d": day, "2w": 14 * day, "1w1d": 8 * day, "1d12h": 36 * time.Hour, "0d": 0,
	} {
		var d time.Duration
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		DurationFlag(fs, &d, "wait", time.Minute, "how long")
		if err := fs.Parse([]string{"--wait=" + text}); err != nil || d != want {
			t.Errorf("%s: %v, %v; want %v", text, d, err, want)
		}
	}
	for _, text := range []string{"", "soon", "d", "1", "1D", "1d1d", "-1d", "1d-1h", "99999w", "1y"} {
		if err := (new(duration)).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
