package bulk

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// ListFile is the name, in a job's folder, of the list of items that ended in
// one way. It can be fed back as it is.
func ListFile(o Outcome) string { return string(o) + ".csv" }

// keyColumn and groupColumn are what a list calls keys and groups, as lists
// that come in do.
const (
	keyColumn   = "certid"
	groupColumn = "reason"
	idColumn    = "id" // of what was made
)

// OutcomeColumn is the column by which such a list is known.
const OutcomeColumn = "outcome"

// WriteLists writes a list for each way in which items end, as of now. Where
// none ended so there is the header alone: scripts feed every one of them back.
func (j *Job) WriteLists() (err error) {
	files := map[Outcome]*os.File{}
	outs := map[Outcome]*csv.Writer{}
	bufs := map[Outcome]*bufio.Writer{}
	defer func() {
		for o, w := range outs {
			w.Flush()
			err = cmp.Or(err, w.Error(), bufs[o].Flush(), files[o].Close()) // they are of one cause
		}
	}()
	for _, o := range Outcomes() {
		path := filepath.Join(j.dir, ListFile(o))
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		buf := bufio.NewWriterSize(file, 1<<16)
		files[o], bufs[o], outs[o] = file, buf, csv.NewWriter(buf)
		if err := outs[o].Write([]string{j.keyColumn(), groupColumn, OutcomeColumn, "code", "message", idColumn}); err != nil {
			return err
		}
	}
	return j.Each(func(r Result) error {
		w := outs[r.Outcome]
		code, message := "", ""
		if rec := j.wrong[r.Index]; rec != nil && !r.Outcome.Good() {
			message = rec.Message
			if rec.Code != 0 {
				code = strconv.Itoa(rec.Code)
			}
		}
		return w.Write([]string{r.Key, r.Group, string(r.Outcome), code, message, r.ID})
	})
}

func (j *Job) keyColumn() string {
	if j.Header.KeyColumn != "" {
		return j.Header.KeyColumn
	}
	return keyColumn
}
