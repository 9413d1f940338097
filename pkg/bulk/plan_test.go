package bulk

import (
	"math"
	"strconv"
	"testing"
	"time"
)

// Keys are compared as they are written: 007 and 7 are two.
func TestSeen(t *testing.T) {
	j, err := Draft("", "", "cert revoke", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"0", "1", "63", "64", "65", "007", "7", "00", "+7", "", "a", strconv.FormatUint(math.MaxUint64, 10), "18446744073709551616"}
	for round, want := range []bool{true, false} {
		for _, k := range keys {
			if added, err := j.Plan().Add(Item{Key: k}, Facts{}); err != nil || added != want {
				t.Errorf("round %d: %q: added %t, %v", round+1, k, added, err)
			}
		}
	}
	if j.Plan().Len() != len(keys) {
		t.Errorf("%d items; want %d", j.Plan().Len(), len(keys))
	}
}
