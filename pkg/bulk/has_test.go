package bulk

import (
	"testing"
	"time"
)

// TestHas: what is excluded is known and yet not in the plan.
func TestHas(t *testing.T) {
	j, err := Draft("", "", "cert hold", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer j.Discard()
	b := j.Plan()
	for _, key := range []string{"7", "0", "007", "name"} {
		if added, err := b.Add(Item{Key: key}, Facts{}); !added || err != nil {
			t.Errorf("%s: %v, %v", key, added, err)
		}
	}
	if err := b.Exclude(Item{Key: "8"}, "why"); err != nil {
		t.Fatal(err)
	}
	if added, err := b.Add(Item{Key: "8"}, Facts{}); added || err != nil {
		t.Errorf("excluded and added: %v", err)
	}
	for key, want := range map[string]bool{"7": true, "0": true, "007": true, "name": true, "8": false, "07": false, "9": false, "": false} {
		if b.Has(key) != want {
			t.Errorf("%q: %v", key, !want)
		}
	}
}
