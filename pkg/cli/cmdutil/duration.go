package cmdutil

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/pflag"
)

// duration is a flag's value as time.Duration reads it, with weeks and days
// besides: 1d, 2w, 1d12h. m are minutes.
type duration time.Duration

// DurationFlag adds a flag for a length of time.
func DurationFlag(fs *pflag.FlagSet, p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	fs.Var((*duration)(p), name, usage)
}

var weeksAndDays = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?(.*)$`) })

// Set reads it.
func (d *duration) Set(s string) error {
	parts := weeksAndDays().FindStringSubmatch(s)
	total := time.Duration(0)
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour} {
		n, _ := strconv.Atoi(parts[i+1]) // digits, or nothing
		total += time.Duration(n) * unit
	}
	if rest := parts[3]; rest != "" || s == "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 && total > 0 {
			return fmt.Errorf("expected a length of time such as 90s, 10m, 2h, 1d or 2w")
		}
		total += more
	}
	*d = duration(total)
	return nil
}

// String is what is set.
func (d *duration) String() string { return time.Duration(*d).String() }

// Type is the word for it in help.
func (d *duration) Type() string { return "duration" }
