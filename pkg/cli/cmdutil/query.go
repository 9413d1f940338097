package cmdutil

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/search"
)

// Query is a search as an officer means it: what the gateway is asked, and
// what is left to look at here.
type Query struct {
	Filter cmapi.CertificateFilter
	Keep   func(*cmapi.Certificate) bool // nil: the gateway decides it all
}

// Query is what the flags say. now is what relative times count from.
func (ff *FilterFlags) Query(now time.Time) (Query, error) {
	f, err := ff.filter(now)
	if err != nil {
		return Query{}, err
	}
	q := Query{Filter: f}
	if err := q.inStates(ff.status); err != nil {
		return Query{}, err
	}
	for _, m := range ff.match {
		fits, err := matcher(m)
		if err != nil {
			return Query{}, err
		}
		q.and(fits)
	}
	return q, nil
}

// AsksState tells whether --status is given: then a verb that leaves revoked
// certificates out by itself does not.
func (ff *FilterFlags) AsksState() bool { return len(ff.status) > 0 }

// and narrows by what is looked at here.
func (q *Query) and(fits func(*cmapi.Certificate) bool) {
	if before := q.Keep; before != nil {
		q.Keep = func(c *cmapi.Certificate) bool { return before(c) && fits(c) }
		return
	}
	q.Keep = fits
}

// The states of a certificate, as --status and --count-by name them.
const (
	StateActive  = "active"
	StateOnHold  = "onhold"
	StateRevoked = "revoked"
)

// States lists them.
func States() []string { return []string{StateActive, StateOnHold, StateRevoked} }

// State is a certificate's state; the gateway's own word where it has another.
func State(c *cmapi.Certificate) string {
	if c.OnHold() {
		return StateOnHold
	}
	return c.Status
}

// inStates narrows to states. The API has no such filter. It can leave revoked
// certificates out, and give those revoked for certain reasons; a mixture with
// active ones it cannot give.
func (q *Query) inStates(words []string) error {
	if len(words) == 0 {
		return nil
	}
	var wanted []string
	for _, w := range words {
		state := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(w))
		if !slices.Contains(States(), state) {
			return exit.Usagef("use "+strings.Join(States(), ", "), "--status %q is no state", clip(w))
		}
		wanted = append(wanted, state)
	}
	has := func(state string) bool { return slices.Contains(wanted, state) }
	f := &q.Filter
	switch {
	case !has(StateActive) && f.IsNotRevoked:
		return exit.Usagef("", "--status %s and --not-revoked contradict each other", strings.Join(words, ","))
	case has(StateActive) && !has(StateOnHold) && !has(StateRevoked):
		if len(f.RevocationReason) > 0 {
			return exit.Usagef("an active certificate has no reason", "--status active and --reason contradict each other")
		}
		f.IsNotRevoked = true
	case has(StateActive):
		if !has(StateOnHold) || !has(StateRevoked) {
			q.and(func(c *cmapi.Certificate) bool { return has(State(c)) })
		}
	default:
		asked := f.RevocationReason
		if len(asked) == 0 {
			for _, r := range pki.SearchReasons() {
				asked = append(asked, int(r))
			}
		}
		f.RevocationReason = nil
		for _, r := range asked {
			if r == int(pki.CertificateHold) && has(StateOnHold) || r != int(pki.CertificateHold) && has(StateRevoked) {
				f.RevocationReason = append(f.RevocationReason, r)
			}
		}
		if len(f.RevocationReason) == 0 {
			return exit.Usagef("certificateHold is the reason of those on hold alone", "--status %s and --reason contradict each other", strings.Join(words, ","))
		}
	}
	return nil
}

// matchable are the fields that --match can look at; without a name it looks at
// those that are not narrow.
var matchable = []struct {
	name   string
	value  func(*cmapi.Certificate) string
	narrow bool
}{
	{"subject", func(c *cmapi.Certificate) string { return c.Subject }, false},
	{"issuer", func(c *cmapi.Certificate) string { return c.Issuer }, false},
	{"serial", func(c *cmapi.Certificate) string { return c.Serial.String() }, false},
	{"certid", func(c *cmapi.Certificate) string { return c.CertID }, true},
	{"keyusage", func(c *cmapi.Certificate) string { return strings.Join(c.KeyUsage, ",") }, true},
	{"extended", func(c *cmapi.Certificate) string { return string(c.Fields) }, true},
}

func matchFields() (names []string) {
	for _, m := range matchable {
		names = append(names, m.name)
	}
	return names
}

// matchField parts a --match into the field that it names and the pattern. A
// regular expression may hold "=" as well: letters alone before the first one
// are meant as a field, and must be one, except for the keyword of a name's
// attribute (cn=Anna), which is text of a subject. What starts after the "="
// with ^ can only follow a field.
func matchField(text string) (field, pattern string, err error) {
	word, rest, ok := strings.Cut(text, "=")
	letters := strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	switch {
	case !ok || word == "" || !letters:
		return "", text, nil
	case slices.Contains(matchFields(), word):
		return word, rest, nil
	case pki.IsKeyword(word) && !strings.HasPrefix(rest, "^"):
		return "", text, nil
	}
	return "", "", exit.Usagef("the fields are "+strings.Join(matchFields(), ", ")+"; for a text with = in it, write [=]: "+clip(word)+"[=]...",
		"--match %q: there is no field %q", clip(text), clip(word))
}

// matcher reads one --match.
func matcher(text string) (func(*cmapi.Certificate) bool, error) {
	only, pattern, err := matchField(text)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(pattern)
	switch {
	case err != nil:
		return nil, exit.Usagef("RE2 is described at https://github.com/google/re2/wiki/Syntax", "--match %q: %w", clip(text), err)
	case pattern == "":
		return nil, exit.Usagef("leave the flag out to take all", "--match %q: an empty regular expression", text)
	}
	return func(c *cmapi.Certificate) bool {
		for _, m := range matchable {
			if (m.name == only || only == "" && !m.narrow) && re.MatchString(m.value(c)) {
				return true
			}
		}
		return false
	}, nil
}

// errEnough ends a listing at the limit of what is kept.
var errEnough = errors.New("the limit is reached")

// Run lists what the query finds, as search.Run does. A limit counts what is
// kept.
func (q Query) Run(ctx context.Context, l search.Lister, o search.Options, emit func([]cmapi.Certificate) error) error {
	if q.Keep == nil {
		return search.Run(ctx, l, q.Filter, o, emit)
	}
	limit, n := o.Limit, 0
	o.Limit = 0
	err := search.Run(ctx, l, q.Filter, o, func(cs []cmapi.Certificate) error {
		kept := cs[:0]
		for i := range cs {
			if q.Keep(&cs[i]) {
				kept = append(kept, cs[i])
			}
		}
		if limit > 0 && n+len(kept) > limit {
			kept = kept[:limit-n]
		}
		if n += len(kept); len(kept) > 0 {
			if err := emit(kept); err != nil {
				return err
			}
		}
		if limit > 0 && n == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// Count is the number that Run would list: by the gateway's own count where
// that is the whole truth.
func (q Query) Count(ctx context.Context, l search.Lister, o search.Options) (int, error) {
	if q.Keep == nil {
		return search.Count(ctx, l, q.Filter)
	}
	n := 0
	o.Limit = 0
	err := q.Run(ctx, l, o, func(cs []cmapi.Certificate) error { n += len(cs); return nil })
	return n, err
}
