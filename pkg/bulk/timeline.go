package bulk

import (
	"fmt"
	"time"
)

// Event is something that happened to a job, from its journal.
type Event struct {
	At   time.Time
	What string
}

// Timeline is when what happened, and how fast.
type Timeline struct {
	Events   []Event
	Begun    time.Time // of the first request
	Ended    time.Time // of the last answer
	Asked    int       // requests without a signature
	Sent     int       // signed requests; in a drill, those that were only signed
	Officers []string  // subjects of those whose runs these were
	Settled  int       // items; in a drill, those signed
}

// Rate is items a second from the first request to the last answer, pauses
// between runs included; 0: there was nothing.
func (t *Timeline) Rate() float64 {
	d := t.Ended.Sub(t.Begun).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(t.Settled) / d
}

// Timeline reads it from the journal.
func (j *Job) Timeline() (*Timeline, error) {
	t := &Timeline{}
	running := false
	var last time.Time
	event := func(at time.Time, what string) { t.Events = append(t.Events, Event{at, what}) }
	_, err := scan(j.store, func(r *record, _, _ int64) error {
		if !r.At.IsZero() {
			last = r.At
		}
		switch r.Type {
		case recJob:
			event(r.Job.Created, "planned")
		case recRun:
			what := "a run begins"
			if running {
				event(last, "the run was broken off: nothing is noted after this")
			}
			if len(t.Officers) > 0 {
				what = "a run goes on"
			}
			if r.Name != "" {
				what += ", by " + r.Name
			}
			event(r.At, what)
			t.Officers = append(t.Officers, r.Name)
			running = true
		case recAsked, recSent:
			if t.Begun.IsZero() {
				t.Begun = r.At
				event(r.At, "the first request leaves")
			}
			if r.Type == recSent {
				t.Sent++
			} else {
				t.Asked++
			}
		case recAnswered:
			t.Ended = r.At
			count := func(int) { t.Settled++ }
			r.Done.each(count)
			r.Already.each(count)
			if r.Signed.each(count); len(r.Signed) > 0 {
				t.Sent++
			}
			for _, w := range r.Wrong {
				if w.Outcome == Failed {
					t.Settled++
				}
			}
		case recNew:
			if !r.At.IsZero() {
				event(r.At, fmt.Sprintf("the search is repeated: %d found that the plan does not have", r.Count))
			}
		case recPilot:
			running = false
			event(r.At, "the pilot has passed: the others follow")
		case recEnd:
			running = false
			what := "the run ends"
			if r.Reason != "" {
				what = "the run is stopped: " + r.Reason
			}
			event(r.At, what)
		}
		return nil
	})
	if running && err == nil {
		event(last, "the last thing noted; the run is under way or was broken off")
	}
	return t, err
}
