package config

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

const (
	minTimeout, maxTimeout = 100 * time.Millisecond, time.Hour
	maxBatch               = 900 // servlet containers drop form parameters past a limit
	maxParallel            = 64

	timeoutRange  = "100ms to 1h"
	batchRange    = "1 to 900"
	parallelRange = "1 to 64"
)

// Digests lists the values of sign-digest.
func Digests() []string { return []string{"sha256", "sha384", "sha512"} }

// checkServer takes the base URL of an API. The value itself is not repeated
// when it may hold a password.
func checkServer(s string) error {
	const hint = "write it like https://pgwy.example.com:8444/pgwy/api"
	u, err := url.Parse(s)
	switch {
	case strings.Contains(s, "@"):
		return exit.Usagef("the officer's certificate says who is asking; take away what stands before the @", "the URL has a user name or password in it")
	case err != nil || u.Host == "" && u.Scheme != "http":
		return exit.Usagef(hint, "%q is not a URL of a gateway", s)
	case u.Scheme == "http":
		return exit.Usagef("use https: over plain http anyone on the way could read and change requests, and no officer's certificate is shown", "%q is plain http", s)
	case u.Scheme != "https":
		return exit.Usagef(hint, "%q is not an https URL", s)
	case u.Hostname() == "":
		return exit.Usagef(hint, "%q names no host", s)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return exit.Usagef("the base URL ends with its path, such as /pgwy/api", "%q has a query or a fragment", s)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return exit.Usagef("ports are 1 to 65535", "%q has no valid port", s)
		}
	}
	return nil
}

func checkHostName(s string) error {
	if s == "" || strings.ContainsAny(s, "/ \t\r\n@") {
		return exit.Usagef("write the host name alone, such as pgwy.example.com", "%q is not a host name", s)
	}
	return nil
}

func checkTimeout(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < minTimeout || d > maxTimeout {
		return exit.Usagef("write a number with its unit, "+timeoutRange+", such as 60s", "%q is not a timeout", s)
	}
	return nil
}

func checkBatch(s string) error { return checkInt(s, maxBatch, "batch size", batchRange) }
func checkParallel(s string) error {
	return checkInt(s, maxParallel, "number of requests", parallelRange)
}

func checkInt(s string, highest int, what, allowed string) error {
	// Only the plain spelling: 0100 may be meant as octal.
	if n, err := strconv.Atoi(s); err != nil || n < 1 || n > highest || strconv.Itoa(n) != s {
		return exit.Usagef("use a whole number, "+allowed, "%q is not a %s", s, what)
	}
	return nil
}

func checkDigest(s string) error {
	if !slices.Contains(Digests(), s) {
		return exit.Usagef("use one of "+strings.Join(Digests(), ", "), "%q is not a digest for signatures", s)
	}
	return nil
}

func checkBool(s string) error {
	if s != "true" && s != "false" {
		return exit.Usagef("use true or false", "%q is neither true nor false", s)
	}
	return nil
}

// CheckContextName refuses what cannot be the name of a context. Names are
// lower-case, because settings ignore case, and safe as parts of file names.
func CheckContextName(name string) error {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, odd) || strings.ContainsAny(name[:1], "._-") {
		return exit.Usagef("use up to 64 lower-case letters, digits, dots, underscores and hyphens, a letter or digit first",
			"%q cannot be the name of a context", name)
	}
	return nil
}
