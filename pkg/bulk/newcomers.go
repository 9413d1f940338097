package bulk

import (
	"slices"
	"time"
)

// Newcomer is what the search of a plan found after the run and the plan does
// not have.
type Newcomer struct {
	ID      string `json:"certid"`
	Serial  string `json:"certificateserialnumber"`
	Subject string `json:"subject"`
}

// NoteNewcomers notes that the search was repeated and found n of them, of which
// some are given.
func (j *Job) NoteNewcomers(at time.Time, some []Newcomer, n int) error {
	for part := range slices.Chunk(some, chunkItems) {
		if err := j.out.append(record{Type: recNew, New: part}, false); err != nil {
			return err
		}
	}
	return j.out.append(record{Type: recNew, At: at.UTC(), Count: n}, true)
}

// Newcomers calls f with each that a run has found.
func (j *Job) Newcomers(f func(Newcomer) error) error {
	seen := NewKeySet() // a further run finds them again
	_, err := scan(j.store, func(r *record, _, _ int64) error {
		for _, c := range r.New {
			if !seen.Add(c.ID) {
				continue
			}
			if err := f(c); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
