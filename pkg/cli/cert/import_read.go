package cert

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

// maxBundle is the most bytes that are read of a file to import.
const maxBundle = 64 << 20

// wish is how a certificate is to be taken in: as it is, or as revoked.
type wish struct {
	revoked bool
	reason  pki.Reason
	at      time.Time
}

// readWish reads reason and time of a revocation: both, or neither. now is
// what relative times count from.
func readWish(reason, at string, now time.Time) (wish, error) {
	const both = "a revoked certificate has a reason and a time: give both, or neither"
	switch {
	case reason == "" && at == "":
		return wish{}, nil
	case reason == "":
		return wish{}, exit.Usagef(both, "the time of revocation has no reason")
	case at == "":
		return wish{}, exit.Usagef(both, "the reason of revocation has no time")
	}
	w := wish{revoked: true}
	var err error
	if w.reason, err = pki.ParseRevokeReason(reason); err != nil {
		return w, err
	}
	if w.at, err = pki.ParseTime(at, now); err != nil {
		return w, err
	}
	if w.at.After(now) {
		return w, exit.Usagef("", "the time of revocation %s lies in the future", pki.FormatTime(w.at))
	}
	return w, nil
}

// importItem is a certificate to import, and where it came from.
type importItem struct {
	bulk.Item
	ops.ImportItem
}

// importList collects what is to be imported, each certificate once.
type importList struct {
	f       *cmdutil.Factory
	items   []importItem
	at      map[string]int // by Key
	repeats int
}

// addPath adds the certificates of a file, of standard input or of a folder's
// files. line is that of the list that names it, 0 without one; wrong is told
// each file that cannot be taken.
func (l *importList) addPath(path, input string, line int, w wish, wrong func(error)) {
	add := func(path, input string) {
		if err := l.addFile(path, input, line, w); err != nil {
			wrong(err)
		}
	}
	if path == "-" {
		add(path, input)
		return
	}
	st, err := os.Stat(path)
	switch {
	case err != nil:
		wrong(exit.Usagef("", "%w", err))
		return
	case !st.IsDir():
		add(path, input)
		return
	}
	names, err := l.f.CertificateFiles(path)
	if err != nil {
		wrong(err)
	}
	for _, n := range names {
		add(filepath.Join(path, n), filepath.Join(input, n))
	}
}

func (l *importList) addFile(path, input string, line int, w wish) error {
	data, err := l.f.ReadInput(path, maxBundle)
	if err != nil {
		return err
	}
	name := cmdutil.InputName(path)
	pieces, err := pki.Split(data)
	if err != nil || !slices.ContainsFunc(pieces, pki.Piece.HoldsCertificates) {
		_, err := pki.ReadCertificates(name, data) // words the error
		return err
	}
	begins := beginLines(data)
	for k, p := range pieces {
		if !p.HoldsCertificates() {
			continue // a key or text beside certificates
		}
		certs, err := pki.ReadCertificates(name, p.DER)
		if err != nil {
			return err
		}
		for _, c := range certs {
			it := importItem{
				bulk.Item{Key: importKey(c), Line: line, Input: input},
				ops.ImportItem{Certificate: c, Revoked: w.revoked, Reason: w.reason, RevokedAt: w.at},
			}
			if line == 0 && p.Block != nil && len(pieces) > 1 {
				it.Line = begins[k]
			}
			if err := l.add(it); err != nil {
				return err
			}
		}
	}
	return nil
}

// importKey is what a certificate to import is known by: its SHA-256.
func importKey(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// beginLines are the lines on which PEM blocks begin.
func beginLines(data []byte) (lines []int) {
	for n, l := range bytes.Split(data, []byte("\n")) {
		if bytes.Contains(l, []byte("-----BEGIN")) {
			lines = append(lines, n+1)
		}
	}
	return lines
}

func (l *importList) add(it importItem) error {
	if l.at == nil {
		l.at = map[string]int{}
	}
	if k, twice := l.at[it.Key]; twice {
		first := l.items[k]
		if first.Revoked != it.Revoked || first.Reason != it.Reason || !first.RevokedAt.Equal(it.RevokedAt) {
			return exit.Usagef("name it once", "certificate %s of %s is named in %s as well, with another revocation",
				pki.SerialOf(it.Certificate.SerialNumber), place(it.Item), place(first.Item))
		}
		l.repeats++
		return nil
	}
	l.at[it.Key] = len(l.items)
	l.items = append(l.items, it)
	return nil
}

// place is where an item comes from: file, or file and line.
func place(it bulk.Item) string {
	if it.Line == 0 {
		return it.Input
	}
	return it.Input + ":" + strconv.Itoa(it.Line)
}

// The columns of an import list, by the names that they may have.
var importColumns = map[string]string{
	"file": "file", "path": "file", "certificate": "file",
	"reason": "reason",
	"time":   "time", "revoked-at": "time", "revokedat": "time", "revocationtime": "time",
}

const importCSVHint = "the header names the columns: file, and for revoked certificates reason and time"

// readCSV reads a list of files with reason and time of each. Files are
// relative to the list's folder. All wrong lines are told at once.
func (l *importList) readCSV(path string, data []byte, now time.Time) error {
	name, dir := cmdutil.InputName(path), filepath.Dir(path)
	if path == "-" {
		dir = ""
	}
	table, err := cmdutil.ReadCSV(name, bytes.NewReader(data))
	if err != nil {
		return err
	}
	if slices.Contains(table.Columns, bulk.OutcomeColumn) {
		return table.Each(func(cmdutil.CSVRow) error {
			return exit.Usagef("import again what was imported then: what is there already is success", "%s: a list of what became of an import names no files", name)
		})
	}
	cols := map[string]int{}
	for i, c := range table.Columns {
		col, known := importColumns[strings.ToLower(c)]
		if _, twice := cols[col]; !known || twice {
			return exit.Usagef(importCSVHint, "%s: column %q is not known here, or is there twice", name, c)
		}
		cols[col] = i
	}
	if _, ok := cols["file"]; !ok {
		return exit.Usagef(importCSVHint, "%s: there is no column of files", name)
	}
	err = table.Each(func(row cmdutil.CSVRow) error {
		cell := func(col string) string {
			if i, ok := cols[col]; ok {
				return strings.TrimSpace(row.Cells[i])
			}
			return ""
		}
		file := cell("file")
		if file == "" {
			table.Wrong(row.Line, "no file is named")
			return nil
		}
		w, err := readWish(cell("reason"), cell("time"), now)
		if err != nil {
			table.Wrong(row.Line, "%v", err)
			return nil
		}
		from := file
		if !filepath.IsAbs(file) {
			from = filepath.Join(dir, file)
		}
		l.addPath(from, file, row.Line, w, func(err error) { table.Wrong(row.Line, "%v", err) })
		return nil
	})
	if err != nil {
		return err
	}
	if err := table.Err(importCSVHint); err != nil {
		return err
	}
	if len(l.items) == 0 {
		return exit.Usagef(importCSVHint, "%s: the list is empty", name)
	}
	return nil
}
