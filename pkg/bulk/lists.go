package bulk

import (
	"bufio"
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

// WriteLists writes a list for each way in which items ended, as of now.
func (j *Job) WriteLists() (err error) {
	files := map[Outcome]*os.File{}
	outs := map[Outcome]*csv.Writer{}
	bufs := map[Outcome]*bufio.Writer{}
	for _, o := range Outcomes() {
		if err := os.Remove(filepath.Join(j.dir, ListFile(o))); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	defer func() {
		for o, w := range outs {
			w.Flush()
			err = errors.Join(err, w.Error(), bufs[o].Flush(), files[o].Close())
		}
	}()
	return j.Each(func(r Result) error {
		w := outs[r.Outcome]
		if w == nil {
			file, err := os.OpenFile(filepath.Join(j.dir, ListFile(r.Outcome)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			buf := bufio.NewWriterSize(file, 1<<16)
			w = csv.NewWriter(buf)
			files[r.Outcome], bufs[r.Outcome], outs[r.Outcome] = file, buf, w
			if err := w.Write([]string{j.keyColumn(), groupColumn, "outcome", "code", "message", idColumn}); err != nil {
				return err
			}
		}
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
