package pki

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Reason is why a certificate was revoked: the code of RFC 5280, 5.3.1, which
// is also the API's.
type Reason int

// The reasons. 7 is not in use.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6
	RemoveFromCRL        Reason = 8
	PrivilegeWithdrawn   Reason = 9
	AACompromise         Reason = 10
)

// The order is that of every message and help text.
var reasons = []struct {
	reason     Reason
	word       string
	searchOnly bool
}{
	{Unspecified, "unspecified", false},
	{KeyCompromise, "keyCompromise", false},
	{AffiliationChanged, "affiliationChanged", false},
	{Superseded, "superseded", false},
	{CessationOfOperation, "cessationOfOperation", false},
	{CertificateHold, "certificateHold", false},
	{PrivilegeWithdrawn, "privilegeWithdrawn", false},
	{CACompromise, "cACompromise", true},
	{RemoveFromCRL, "removeFromCRL", true},
	{AACompromise, "aACompromise", true},
}

// String is the word of RFC 5280, the number for a code that has none.
func (r Reason) String() string {
	for _, row := range reasons {
		if row.reason == r {
			return row.word
		}
	}
	return strconv.Itoa(int(r))
}

// RevokeReasons are the reasons to revoke or import with, in fixed order.
func RevokeReasons() []Reason { return listReasons(false) }

// SearchReasons are the reasons to search for: those, and the ones that only
// a search knows.
func SearchReasons() []Reason { return listReasons(true) }

func listReasons(search bool) []Reason {
	var rs []Reason
	for _, row := range reasons {
		if search || !row.searchOnly {
			rs = append(rs, row.reason)
		}
	}
	return rs
}

// ParseReason reads a reason to search for: the word in any case, with or
// without hyphens, underscores and blanks, or the code.
func ParseReason(s string) (Reason, error) {
	code := strings.TrimSpace(s)
	for _, row := range reasons {
		if code == row.word || code == strconv.Itoa(int(row.reason)) {
			return row.reason, nil
		}
	}
	word := foldReason(s)
	for _, row := range reasons {
		if word == strings.ToLower(row.word) {
			return row.reason, nil
		}
	}
	return 0, exit.Usagef("reasons: "+Choices(SearchReasons()), "unknown reason %q", clip(s))
}

// ParseRevokeReason reads a reason to revoke with, in the forms of
// ParseReason.
func ParseRevokeReason(s string) (Reason, error) {
	hint := "reasons: " + Choices(RevokeReasons())
	r, err := ParseReason(s)
	if err != nil {
		return 0, exit.Usagef(hint, "unknown reason %q", clip(s))
	}
	for _, row := range reasons {
		if row.reason == r && row.searchOnly {
			return 0, exit.Usagef(hint, "reason %s (%d) is for searches only: CM revokes no certificate with it", r, int(r))
		}
	}
	return r, nil
}

// Choices lists reasons, word and code, for help and hints.
func Choices(rs []Reason) string {
	words := make([]string, len(rs))
	for i, r := range rs {
		words[i] = fmt.Sprintf("%s (%d)", r, int(r))
	}
	return strings.Join(words, ", ")
}

func foldReason(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(s)))
}
