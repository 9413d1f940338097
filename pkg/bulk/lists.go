package bulk

import (
	"bufio"
	"cmp"
	"encoding/csv"
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
)

// OutcomeColumn is the column by which such a list is known, IDColumn that of
// what was made.
const (
	OutcomeColumn = "outcome"
	IDColumn      = "id"
)

// ListColumns are those of a list behind that of keys.
func ListColumns() []string {
	return []string{groupColumn, OutcomeColumn, "code", "message", IDColumn, "input"}
}

// unwritten is where a list is until all of them are whole.
func (j *Job) unwritten(o Outcome) string { return filepath.Join(j.dir, "."+ListFile(o)+".new") }

// writeLists writes a list for each way in which items end, as of now. Where
// none ended so there is the header alone: scripts feed every one of them back.
func (j *Job) writeLists() error {
	err := j.fillLists()
	for _, o := range Outcomes() {
		if err == nil {
			err = os.Rename(j.unwritten(o), filepath.Join(j.dir, ListFile(o)))
		}
		if err != nil {
			_ = os.Remove(j.unwritten(o))
		}
	}
	return err
}

func (j *Job) fillLists() (err error) {
	files := map[Outcome]*os.File{}
	outs := map[Outcome]*csv.Writer{}
	bufs := map[Outcome]*bufio.Writer{}
	defer func() {
		for o, w := range outs {
			w.Flush()
			err = cmp.Or(err, w.Error(), bufs[o].Flush(), files[o].Sync(), files[o].Close()) // they are of one cause
		}
	}()
	for _, o := range Outcomes() {
		file, err := os.OpenFile(j.unwritten(o), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		buf := bufio.NewWriterSize(file, 1<<16)
		files[o], bufs[o], outs[o] = file, buf, csv.NewWriter(buf)
		if err := outs[o].Write(append([]string{j.keyColumn()}, ListColumns()...)); err != nil {
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
		group := r.Group
		if j.Header.OneGroup {
			group = ""
		}
		return w.Write([]string{r.Key, group, string(r.Outcome), code, message, r.ID, r.Input})
	})
}

func (j *Job) keyColumn() string {
	if j.Header.KeyColumn != "" {
		return j.Header.KeyColumn
	}
	return keyColumn
}
