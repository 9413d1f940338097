package pki

import (
	"strconv"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

const timeHint = "write 2026-03-02T15:04:05Z, 2026-03-02 (midnight UTC), now, or a time from now such as 30d, -12h, 2w (s, min, h, d, w, y)"

// FormatTime prints a time the one way cmctl does: RFC 3339, UTC, whole
// seconds, Z.
func FormatTime(t time.Time) string { return string(AppendTime(nil, t)) }

// AppendTime appends what FormatTime gives.
func AppendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05Z")
}

// ParseTime reads a point in time: RFC 3339, a date (midnight UTC), or a
// distance from now, where 30d lies ahead and -12h behind.
func ParseTime(s string, now time.Time) (time.Time, error) {
	text := strings.TrimSpace(s)
	if strings.EqualFold(text, "now") {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil {
		return checkYear(s, t)
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return checkYear(s, t)
	}
	for _, zoneless := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if _, err := time.Parse(zoneless, strings.ToUpper(text)); err == nil {
			return time.Time{}, exit.Usagef("add Z for UTC or an offset such as +02:00, and a T between date and time", "the time %q has no zone or is not RFC 3339", s)
		}
	}
	return parseRelative(s, text, now)
}

// LiesAhead tells whether a text is a relative time ahead of now, such as 7d.
// Where only times past can be meant, its minus sign was forgotten.
func LiesAhead(s string) bool {
	now := time.Unix(0, 0)
	at, err := parseRelative(s, strings.TrimSpace(s), now)
	return err == nil && at.After(now)
}

func parseRelative(s, text string, now time.Time) (time.Time, error) {
	unit := strings.TrimLeft(text, "+-0123456789")
	number := text[:len(text)-len(unit)]
	n, err := strconv.Atoi(number)
	if err != nil || unit == "" || n > 1_000_000_000 || n < -1_000_000_000 {
		return time.Time{}, exit.Usagef(timeHint, "%q is not a time", clip(s))
	}
	switch strings.ToLower(unit) {
	case "s":
		return checkYear(s, now.Add(time.Duration(n)*time.Second))
	case "min":
		return addDays(s, now, n/(24*60), time.Duration(n%(24*60))*time.Minute)
	case "h":
		return addDays(s, now, n/24, time.Duration(n%24)*time.Hour)
	case "d":
		return addDays(s, now, n, 0)
	case "w":
		return addDays(s, now, 7*n, 0)
	case "y":
		if n > 9999 || n < -9999 {
			break
		}
		return checkYear(s, now.UTC().AddDate(n, 0, 0))
	case "m":
		return time.Time{}, exit.Usagef(timeHint, "the unit m in %q may be minutes or months", s)
	}
	return time.Time{}, exit.Usagef(timeHint, "%q is not a time", clip(s))
}

// addDays adds days in UTC: a time.Duration ends at 292 years.
func addDays(s string, now time.Time, days int, rest time.Duration) (time.Time, error) {
	if days > 4_000_000 || days < -4_000_000 {
		return time.Time{}, exit.Usagef(timeHint, "the time %q is out of range", s)
	}
	return checkYear(s, now.UTC().AddDate(0, 0, days).Add(rest))
}

// checkYear keeps to what X.509 and RFC 3339 can write.
func checkYear(s string, t time.Time) (time.Time, error) {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return time.Time{}, exit.Usagef(timeHint, "the time %q is out of range", s)
	}
	return t, nil
}
