package cmapi

import (
	"net/http"
	"testing"
	"time"
)

// The gateway's time is known before the first write, for one request at most,
// and follows its clock when somebody sets it.
func TestLearnTime(t *testing.T) {
	at := func(lead time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(lead).UTC().Format(http.TimeFormat))
			answer(w, 200, "application/json", `{"error":0,"procedures":[]}`)
		}
	}
	b := newBench(t, setup{}, inTurn(at(-1000*time.Hour), at(2000*time.Hour), at(0)))
	lead := func() time.Duration { return time.Until(b.client.Now()).Round(time.Hour) }
	b.client.LearnTime(t.Context())
	b.client.LearnTime(t.Context())
	if len(b.seen) != 1 || lead() != -1000*time.Hour {
		t.Errorf("%d requests, and the gateway leads by %v", len(b.seen), lead())
	}
	for _, want := range []time.Duration{2000 * time.Hour, 0} {
		if _, err := b.client.Procedures.List(t.Context()); err != nil || lead() != want {
			t.Errorf("it leads by %v, want %v: %v", lead(), want, err)
		}
	}
	// Who has had an answer asks for none.
	b = newBench(t, setup{}, at(time.Hour))
	if _, err := b.client.Procedures.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.client.LearnTime(t.Context()); len(b.seen) != 1 {
		t.Errorf("%d requests, want none more than the first", len(b.seen))
	}
}
