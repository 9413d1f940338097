package reg

import (
	"bytes"
	"encoding/csv"
	"os"
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
	out    *cmdutil.OutFile
}

// newKeeper makes the file; nil when no secret was made. A file that is there
// is never overwritten: it may hold the only copy of another secret.
func newKeeper(s *secret, devices []device, list bool) (*keeper, error) {
	made := false
	for _, d := range devices {
		made = made || d.made
	}
	if !made {
		return nil, nil
	}
	out, err := cmdutil.CreateOut(s.keepIn, false)
	if err != nil {
		return nil, exit.Usagef("name a new file", "--%s: %w", s.makeFlag, err)
	}
	return &keeper{s, list, out}, nil
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
	return k.out.Commit(k.content(devices, nil))
}

// keeps says whether the secret of an outcome may be in use.
func keeps(o bulk.Outcome) bool { return o.Good() || o == bulk.Unknown }

// finish adds to the table what came of each line. When no secret can be in
// use, the file goes.
func (k *keeper) finish(devices []device, results []bulk.Result) error {
	if k == nil {
		return nil
	}
	used := false
	for i, d := range devices {
		used = used || d.made && keeps(results[i].Outcome)
	}
	var err error
	switch {
	case !used:
		err = os.Remove(k.out.Path)
	case k.list:
		var out *cmdutil.OutFile
		if out, err = cmdutil.CreateOut(k.out.Path, true); err == nil {
			err = out.Commit(k.content(devices, results))
		}
	}
	if err != nil {
		return exit.New(exit.Failure, "", "the generated secrets are in %s, but not what came of each: %w", k.out.Path, err)
	}
	return nil
}

// content is the file; results are nil before anything is sent.
func (k *keeper) content(devices []device, results []bulk.Result) []byte {
	var b bytes.Buffer
	if !k.list {
		b.WriteString(k.secret.value(devices[0].in) + "\n")
		return b.Bytes()
	}
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"line", "fqdn", "regid", "outcome", k.secret.api}) // a buffer takes everything
	for i, d := range devices {
		rec := []string{strconv.Itoa(d.line), d.in.FQDN, "", "", ""}
		if results != nil {
			rec[2], rec[3] = results[i].ID, string(results[i].Outcome)
		}
		if d.made && (results == nil || keeps(results[i].Outcome)) {
			rec[4] = k.secret.value(d.in)
		}
		_ = w.Write(rec)
	}
	w.Flush()
	return b.Bytes()
}
