package reg

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"os"
	"slices"
	"strconv"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
)

// keeper keeps the secrets that were made here in a new file, 0600. They are in
// there before anything is sent, so that none is lost, whatever comes: of one
// registration the bare secret, as --password-file and --hmac-key-file read it,
// of a list a table with a line for each.
type keeper struct {
	secret *secret
	list   bool
	files  *cmdutil.OutFiles
	out    *cmdutil.OutFile
}

// newKeeper makes the secrets that are to be made, and the file for them; nil
// when there are none. A file that is there is never overwritten: it may hold
// the only copy of another secret. A job that goes on has its file, and the
// secrets in it are those that count.
func newKeeper(f *cmdutil.Factory, s *secret, devices []device, list bool) (*keeper, error) {
	if !slices.ContainsFunc(devices, func(d device) bool { return d.made }) {
		return nil, nil
	}
	if f.Resuming() {
		k := &keeper{s, list, f.Files(), &cmdutil.OutFile{Path: s.keepIn}}
		return k, k.load(f, devices)
	}
	out, err := f.Files().Create(s.keepIn, false)
	if err != nil {
		return nil, exit.Usagef("name a new file", "--%s: %w", s.makeFlag, err)
	}
	k := &keeper{s, list, f.Files(), out}
	if s.dryRun {
		return k, nil
	}
	for i := range devices {
		if !devices[i].made {
			continue
		}
		if err := s.set(&devices[i].in, s.make()); err != nil {
			k.discard()
			return nil, err
		}
	}
	return k, nil
}

// load reads the secrets that were made when the job began.
func (k *keeper) load(f *cmdutil.Factory, devices []device) error {
	flag := "--" + k.secret.makeFlag
	const hint = "the job goes on with the secrets that were made when it began: put the file back where it was"
	if !k.list {
		value, err := f.SecretFile(flag, k.out.Path)
		if err == nil {
			err = k.secret.set(&devices[0].in, value)
		}
		if err != nil {
			return exit.Usagef(hint, "%w", err)
		}
		return nil
	}
	data, err := f.ReadInput(k.out.Path, maxDevices)
	if err != nil {
		return exit.Usagef(hint, "%s: %w", flag, err)
	}
	table, err := cmdutil.ReadCSV(k.out.Path, bytes.NewReader(data))
	if err != nil {
		return exit.Usagef(hint, "%s: %w", flag, err)
	}
	if !slices.Equal(table.Columns, k.columns()) {
		return exit.Usagef(hint, "%s: %s is not the file that the job began with", flag, k.out.Path)
	}
	made := map[string]string{} // by line and name
	if err := table.Each(func(row cmdutil.CSVRow) error {
		made[row.Cells[0]+" "+row.Cells[1]] = row.Cells[4]
		return nil
	}); err != nil {
		return exit.Usagef(hint, "%s: %w", flag, err)
	}
	for i := range devices {
		d := &devices[i]
		value := made[strconv.Itoa(d.line)+" "+d.name()]
		if !d.made || value == "" && !f.Resumed().StillToDo(i) {
			continue // none is needed any more
		}
		if value == "" {
			return exit.Usagef(hint, "%s: %s has no secret for line %d of the list", flag, k.out.Path, d.line)
		}
		if err := k.secret.set(&d.in, value); err != nil {
			return exit.Usagef(hint, "%s: %s: the secret for line %d of the list: %w", flag, k.out.Path, d.line, err)
		}
	}
	return nil
}

func (k *keeper) discard() {
	if k != nil {
		k.out.Discard()
	}
}

// save writes the secrets.
func (k *keeper) save(devices []device) error {
	if k == nil {
		return nil
	}
	return k.out.Commit(k.content(devices, nil, nil))
}

// mayBeUsed says whether the secret of an outcome may be in use.
func mayBeUsed(o bulk.Outcome) bool { return o.Good() || o == bulk.Unknown }

// finish adds to the table what came of each line. When no secret can be in
// use, the file goes. goesOn tells, by index, what the job can come to when it
// goes on: also what failed by what stopped the run.
func (k *keeper) finish(devices []device, results []bulk.Result, goesOn func(int) bool) error {
	if k == nil {
		return nil
	}
	used := false
	for i, d := range devices {
		used = used || d.made && (mayBeUsed(results[i].Outcome) || goesOn(i))
	}
	var err error
	switch {
	case !used:
		err = os.Remove(k.out.Path)
	case k.list:
		var out *cmdutil.OutFile
		if out, err = k.files.Create(k.out.Path, true); err == nil {
			err = out.Commit(k.content(devices, results, goesOn))
		}
	}
	if err != nil {
		return exit.New(exit.Failure, "", "the generated secrets are in %s, but not what came of each: %w", k.out.Path, err)
	}
	return nil
}

func (k *keeper) columns() []string {
	return []string{"line", "fqdn", "regid", "outcome", k.secret.api}
}

// content is the file; results are nil before anything is sent.
func (k *keeper) content(devices []device, results []bulk.Result, goesOn func(int) bool) []byte {
	var b bytes.Buffer
	if !k.list {
		b.WriteString(k.secret.value(devices[0].in) + "\n")
		return b.Bytes()
	}
	w := csv.NewWriter(&b)
	_ = w.Write(k.columns()) // a buffer takes everything
	for i, d := range devices {
		rec := []string{strconv.Itoa(d.line), d.name(), d.in.RegID, "", ""}
		if results != nil {
			rec[2], rec[3] = cmp.Or(results[i].ID, d.in.RegID), string(results[i].Outcome)
		}
		if d.made && (results == nil || mayBeUsed(results[i].Outcome) || goesOn(i)) {
			rec[4] = k.secret.value(d.in)
		}
		_ = w.Write(rec)
	}
	w.Flush()
	return b.Bytes()
}
