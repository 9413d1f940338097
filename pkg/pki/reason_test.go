package pki_test

import (
	"slices"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

func TestParseReason(t *testing.T) {
	const searchOnly = " is for searches only: CM revokes no certificate with it"
	tests := []struct {
		in        string
		want      pki.Reason
		err       string
		revokeErr string
	}{
		{in: "unspecified", want: pki.Unspecified},
		{in: "keyCompromise", want: pki.KeyCompromise},
		{in: "KEYCOMPROMISE", want: pki.KeyCompromise},
		{in: "key-compromise", want: pki.KeyCompromise},
		{in: "Key Compromise", want: pki.KeyCompromise},
		{in: "affiliation_changed", want: pki.AffiliationChanged},
		{in: "superseded", want: pki.Superseded},
		{in: "cessationOfOperation", want: pki.CessationOfOperation},
		{in: " certificateHold ", want: pki.CertificateHold},
		{in: "privilegeWithdrawn", want: pki.PrivilegeWithdrawn},
		{in: "0", want: pki.Unspecified},
		{in: "9", want: pki.PrivilegeWithdrawn},
		{in: "2", want: pki.CACompromise, revokeErr: "reason cACompromise (2)" + searchOnly},
		{in: "ca-compromise", want: pki.CACompromise, revokeErr: "reason cACompromise (2)" + searchOnly},
		{in: "8", want: pki.RemoveFromCRL, revokeErr: "reason removeFromCRL (8)" + searchOnly},
		{in: "10", want: pki.AACompromise, revokeErr: "reason aACompromise (10)" + searchOnly},
		{in: "7", err: `unknown reason "7"`, revokeErr: `unknown reason "7"`},
		{in: "11", err: `unknown reason "11"`, revokeErr: `unknown reason "11"`},
		{in: "-1", err: `unknown reason "-1"`, revokeErr: `unknown reason "-1"`},
		{in: "1_0", err: `unknown reason "1_0"`, revokeErr: `unknown reason "1_0"`},
		{in: "01", err: `unknown reason "01"`, revokeErr: `unknown reason "01"`},
		{in: "", err: `unknown reason ""`, revokeErr: `unknown reason ""`},
		{in: "hold", err: `unknown reason "hold"`, revokeErr: `unknown reason "hold"`},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := pki.ParseReason(tt.in)
			check(t, "ParseReason", got, tt.want, err, tt.err)
			if tt.revokeErr != "" {
				tt.want = 0
			}
			got, err = pki.ParseRevokeReason(tt.in)
			check(t, "ParseRevokeReason", got, tt.want, err, tt.revokeErr)
		})
	}
}

func TestReasonChoices(t *testing.T) {
	_, err := pki.ParseRevokeReason("nonsense")
	const want = "reasons: unspecified (0), keyCompromise (1), affiliationChanged (3), superseded (4), cessationOfOperation (5), certificateHold (6), privilegeWithdrawn (9)"
	if got := exit.HintOf(err); got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	if got, want := pki.SearchReasons(), []pki.Reason{0, 1, 3, 4, 5, 6, 9, 2, 8, 10}; !slices.Equal(got, want) {
		t.Errorf("SearchReasons() = %v, want %v", got, want)
	}
	if got := pki.Reason(7).String(); got != "7" {
		t.Errorf("Reason(7) is %q", got)
	}
}

func FuzzParseReason(f *testing.F) {
	for _, s := range []string{"keyCompromise", "key-compromise", "10", "7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := pki.ParseReason(s)
		if err != nil {
			return
		}
		if again, err := pki.ParseReason(r.String()); err != nil || again != r {
			t.Fatalf("%q became %v, and that %v, %v", s, r, again, err)
		}
	})
}
