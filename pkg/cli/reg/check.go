package reg

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/cmctl/cmctl/pkg/cmapi"
)

// A check refuses a value, or gives it the form in which it is sent. No error
// shows the value: in a list with a shifted column it may be a secret.

const (
	maxText = 255   // characters of a text
	maxName = 253   // of a host name (RFC 1035)
	maxDays = 36500 // a hundred years
	maxCN   = 64    // ub-common-name of RFC 5280
)

func statuses() []string { return []string{cmapi.RegistrationOpen, cmapi.RegistrationClosed} }

func checkStatus(s string) (string, error) {
	for _, w := range statuses() {
		if strings.EqualFold(s, w) {
			return w, nil
		}
	}
	return "", fmt.Errorf("expected one of %s", strings.Join(statuses(), ", "))
}

func checkValidity(s string) (string, error) {
	if strings.EqualFold(s, cmapi.ValidityAlways) {
		return cmapi.ValidityAlways, nil
	}
	days, err := strconv.ParseUint(s, 10, 16)
	if err != nil || days == 0 || days > maxDays {
		return "", fmt.Errorf("expected a number of days from 1 to %d, or %s", maxDays, cmapi.ValidityAlways)
	}
	return strconv.FormatUint(days, 10), nil
}

// label is one part of a host name, or of a pattern for some: an asterisk
// stands anywhere, an underscore where devices are named with one.
// Compiling it takes longer than the rest of a start, so it waits for its use.
var label = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_*]([A-Za-z0-9_*-]{0,61}[A-Za-z0-9_*])?$`)
})

func checkHost(s string) (string, error) {
	if len(s) > maxName {
		return "", fmt.Errorf("longer than %d characters", maxName)
	}
	for _, l := range strings.Split(strings.TrimSuffix(s, "."), ".") {
		if !label().MatchString(l) {
			return "", errors.New("expected a host name such as router1.example.com, or a pattern such as *.example.com")
		}
	}
	return s, nil
}

// checkText takes one line of printable text.
func checkText(most int) func(string) (string, error) {
	return func(s string) (string, error) {
		switch {
		case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
			return "", errors.New("expected one line of printable text")
		case strings.TrimSpace(s) != s:
			return "", errors.New("there are blanks at its start or end")
		case utf8.RuneCountInString(s) > most:
			return "", fmt.Errorf("longer than %d characters", most)
		}
		return s, nil
	}
}

// checkUser takes a user name of HTTP authentication, which ends at the first
// colon (RFC 7617).
func checkUser(s string) (string, error) {
	if strings.Contains(s, ":") {
		return "", errors.New("there is a colon in it")
	}
	return checkText(maxText)(s)
}

func checkIP(s string) (string, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return "", errors.New("expected an IP address such as 192.0.2.1 or 2001:db8::1")
	}
	return a.String(), nil
}

func checkEmail(s string) (string, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return "", errors.New("expected a bare mail address such as admin@example.com")
	}
	return s, nil
}

// checkSerial takes the serial number of a device as its maker writes it: no
// certificate's, so nothing says that it is hexadecimal.
func checkSerial(s string) (string, error) {
	s = strings.TrimSpace(s)
	unfit := func(r rune) bool { return !unicode.IsPrint(r) }
	if s == "" || len(s) > 64 || strings.ContainsFunc(s, unfit) {
		return "", errors.New("expected the serial number of a device, up to 64 printable characters")
	}
	return s, nil
}

// checkDomains takes names and patterns separated by commas, and sends them
// without blanks.
func checkDomains(s string) (string, error) {
	domains := strings.Split(s, ",")
	for i, d := range domains {
		d, err := checkHost(strings.TrimSpace(d))
		if err != nil {
			return "", fmt.Errorf("domain %d: %w", i+1, err)
		}
		domains[i] = d
	}
	return strings.Join(domains, ","), nil
}
