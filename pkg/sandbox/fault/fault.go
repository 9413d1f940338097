// Package fault reads the sandbox's --fault rules and decides which calls they
// hit. A rule is OPERATION:WHEN:WHAT[:WHICH[:signed|unsigned]], for example
// revokeCertificate:after:reset:nth=3, which carries out the third revocation
// and then cuts the connection. What a fault does to a connection is the
// gateway's business; this package only counts and answers.
package fault

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind is what a rule does to the call it hits.
type Kind string

// The kinds.
const (
	Reset     Kind = "reset"     // cut the connection with a TCP reset
	HTTP503   Kind = "http503"   // answer 503 as an overloaded proxy does
	HTML      Kind = "html"      // answer a web page with status 200
	Busy      Kind = "busy"      // answer -40
	Truncate  Kind = "truncate"  // answer the first half of the body
	Garbage   Kind = "garbage"   // answer octets that mean nothing
	Slow      Kind = "slow"      // wait before answering
	MaxParams Kind = "maxparams" // drop the form parameters past N, silently
)

// When tells whether a rule strikes before the call is carried out or after.
type When string

// The two moments.
const (
	Before When = "before" // counts every call
	After  When = "after"  // counts only calls that carried out a write
)

// which is the choice among the calls a rule counts.
type which struct {
	kind string // "nth", "every", "first"; empty: all of them
	n    int
}

// Rule is one parsed rule.
type Rule struct {
	Operation string // an operationId, or * for all
	When      When
	Kind      Kind
	Delay     time.Duration // of Slow
	Max       int           // of MaxParams
	which     which
	signed    string // "signed", "unsigned" or empty for both
	text      string
}

// String is the rule as it was written.
func (r Rule) String() string { return r.text }

// AltersAnswer reports whether the answer that reaches the caller is not the
// gateway's own. Contract tests exempt exactly these.
func (r Rule) AltersAnswer() bool {
	switch r.Kind {
	case Reset, HTTP503, HTML, Truncate, Garbage:
		return true
	}
	return false
}

const grammar = "OPERATION:WHEN:WHAT[:WHICH[:signed|unsigned]]"

// Parse reads one rule. known lists the operationIds a rule may name.
func Parse(text string, known []string) (Rule, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 3 || len(parts) > 5 {
		return Rule{}, fmt.Errorf("fault %q: expected %s", text, grammar)
	}
	r := Rule{Operation: parts[0], When: When(parts[1]), text: text}
	if r.Operation != "*" && !contains(known, r.Operation) {
		return Rule{}, fmt.Errorf("fault %q: unknown operation %q, expected * or one of %s", text, r.Operation, strings.Join(known, ", "))
	}
	if r.When != Before && r.When != After {
		return Rule{}, fmt.Errorf("fault %q: expected before or after, not %q", text, parts[1])
	}
	if err := r.parseWhat(parts[2]); err != nil {
		return Rule{}, fmt.Errorf("fault %q: %w", text, err)
	}
	if len(parts) > 3 {
		var err error
		if r.which, err = parseWhich(parts[3]); err != nil {
			return Rule{}, fmt.Errorf("fault %q: %w", text, err)
		}
	}
	if len(parts) > 4 {
		if r.signed = parts[4]; r.signed != "signed" && r.signed != "unsigned" {
			return Rule{}, fmt.Errorf("fault %q: expected signed or unsigned, not %q", text, parts[4])
		}
	}
	if r.Kind == MaxParams && r.When == After {
		return Rule{}, fmt.Errorf("fault %q: maxparams changes what is read of a request, so it goes with before", text)
	}
	return r, nil
}

func (r *Rule) parseWhat(s string) error {
	name, value, valued := strings.Cut(s, "=")
	r.Kind = Kind(name)
	switch r.Kind {
	case Reset, HTTP503, HTML, Busy, Truncate, Garbage:
		if valued {
			return fmt.Errorf("%s takes no value", name)
		}
	case Slow:
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("slow wants a duration, as in slow=2s, not %q", value)
		}
		r.Delay = d
	case MaxParams:
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("maxparams wants a number, as in maxparams=1000, not %q", value)
		}
		r.Max = n
	default:
		return fmt.Errorf("unknown fault %q, expected reset, http503, html, busy, truncate, garbage, slow=DURATION or maxparams=N", s)
	}
	return nil
}

func parseWhich(s string) (which, error) {
	if s == "" { // so that signed can be said of every call
		return which{}, nil
	}
	name, value, _ := strings.Cut(s, "=")
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || name != "nth" && name != "every" && name != "first" {
		return which{}, fmt.Errorf("expected nth=N, every=N or first=N, not %q", s)
	}
	return which{kind: name, n: n}, nil
}

func (w which) hits(count int) bool {
	switch w.kind {
	case "nth":
		return count == w.n
	case "every":
		return count%w.n == 0
	case "first":
		return count <= w.n
	}
	return true
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// Set counts calls for a list of rules. It is safe for many goroutines.
type Set struct {
	mu     sync.Mutex
	rules  []Rule
	counts []int
}

// NewSet makes a set in which nothing has been counted yet.
func NewSet(rules []Rule) *Set {
	return &Set{rules: rules, counts: make([]int, len(rules))}
}

// Count counts one call at one moment and returns the rules that hit it, in
// the order they were given. For After the caller counts only calls that
// carried out a write.
func (s *Set) Count(when When, operation string, signed bool) []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hit []Rule
	for i, r := range s.rules {
		if r.When != when || r.Operation != "*" && r.Operation != operation || r.signed != "" && (r.signed == "signed") != signed {
			continue
		}
		s.counts[i]++
		if r.which.hits(s.counts[i]) {
			hit = append(hit, r)
		}
	}
	return hit
}
