package reg

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// device is one registration to create or to change.
type device struct {
	line int // in the list; 0 for the one of the command line
	in   cmapi.RegistrationInput
	made bool // its secret is made here

	named string // what one that is to be changed is called, where the wish does not say
}

// name is what the registration is called.
func (d device) name() string { return cmp.Or(d.in.FQDN, d.named) }

// wishes is how a list is read: what each row may say.
type wishes struct {
	kind     cmapi.RegistrationKind
	defaults cmapi.RegistrationInput // of the command line, for each row that does not say otherwise
	secret   *secret
	changes  bool // of registrations that are there, else new ones
}

// maxDevices is the largest list that is read, in bytes.
const maxDevices = 64 << 20

// column is what the cells of one column of a list are put into.
type column struct {
	name  string
	put   func(in *cmapi.RegistrationInput, cell string) error
	group string // of two columns of a group, a row fills one
}

// readDevices reads a list: CSV whose header names fields, as flags do or as
// the API does. What the command line says counts for each row that does not
// say otherwise. All wrong lines are told at once, and no cell is ever shown. A
// job that goes on reads its list again.
func readDevices(f *cmdutil.Factory, path string, w wishes) ([]device, error) {
	data, err := f.ReadInput(path, maxDevices)
	if err != nil {
		return nil, err
	}
	if f.Resuming() && path == "-" && len(data) == 0 {
		job := f.Resumed()
		return nil, exit.Usagef("give the same list again: `cmctl job resume "+f.JobRef(job)+" < list.csv`",
			"the job %s had its list from standard input, and the journal keeps no secrets: the list is needed to go on", job.Header.Job)
	}
	devices, err := parseDevices(f, path, data, w)
	if err == nil && f.Resuming() {
		return takeUp(f, path, devices)
	}
	return devices, err
}

func parseDevices(f *cmdutil.Factory, path string, data []byte, w wishes) ([]device, error) {
	name := cmdutil.InputName(path)
	table, err := cmdutil.ReadCSV(name, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	known := columns(f, w)
	cols, err := match(name, table.Columns, known, w.kind)
	if err != nil {
		return nil, err
	}
	key := "fqdn"
	if w.changes && slices.ContainsFunc(cols, func(c column) bool { return c.group == "regid" }) {
		key = "regid"
	}
	var devices []device
	seen := map[string]int{}
	err = table.Each(func(row cmdutil.CSVRow) error {
		d, problem := readDevice(row, cols, w, key)
		if problem != "" {
			table.Wrong(row.Line, "%s", problem)
			return nil
		}
		id := d.in.RegID // capitals tell ids apart, not names
		if key == "fqdn" {
			id = strings.ToLower(d.name())
		}
		if first, ok := seen[id]; ok {
			table.Wrong(row.Line, "%s: the same as in line %d", key, first)
			return nil
		}
		seen[id] = row.Line
		devices = append(devices, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := table.Err("nothing was sent; columns are " + strings.Join(names(known), ", ")); err != nil {
		return nil, err
	}
	if len(devices) == 0 && !slices.Contains(table.Columns, bulk.OutcomeColumn) {
		return nil, exit.Usagef("a list has a header, such as fqdn, and a line for each device", "%s: the list is empty", name)
	}
	return devices, nil
}

// columns are those that a list may have.
func columns(f *cmdutil.Factory, w wishes) (out []column) {
	kind, s := w.kind, w.secret
	if w.changes {
		out = append(out, column{"regid", func(in *cmapi.RegistrationInput, cell string) error {
			in.RegID = strings.TrimSpace(cell)
			return nil
		}, "regid"})
	}
	for _, fd := range fields() {
		if !isOf(fd.api, kind) {
			continue
		}
		put := func(in *cmapi.RegistrationInput, cell string) error { return fd.set(in, kind, strings.TrimSpace(cell)) }
		out = append(out, column{fd.flag, put, fd.api})
		if fd.api != fd.flag {
			out = append(out, column{fd.api, put, fd.api})
		}
	}
	if s == nil {
		return out
	}
	return append(out, column{s.api, s.set, s.api}, column{s.fileFlag, func(in *cmapi.RegistrationInput, cell string) error {
		value, err := f.SecretFile(s.fileFlag, strings.TrimSpace(cell))
		if err != nil {
			return exit.Usagef("", "the file cannot be read, or its first line is no %s", s.what) // its name may be a secret that slipped
		}
		return s.set(in, value)
	}, s.api})
}

func names(cols []column) (out []string) {
	for _, c := range cols {
		out = append(out, c.name)
	}
	return out
}

// match finds the column for each of the header. A header cell is not shown: a
// list without one starts with data.
func match(list string, header []string, known []column, kind cmapi.RegistrationKind) ([]column, error) {
	hint := "the first line names the columns: " + strings.Join(names(known), ", ")
	if slices.Contains(header, bulk.OutcomeColumn) {
		known = append(known, ofOutcomes(known, header)...)
	}
	cols := make([]column, len(header))
	seen := map[string]bool{}
	for i, h := range header {
		for _, c := range known {
			if strings.EqualFold(c.name, h) {
				cols[i] = c
			}
		}
		switch c := cols[i]; {
		case c.put == nil:
			return nil, exit.Usagef(hint, "%s: column %d is no field of %s registrations", list, i+1, words(kind))
		case seen[c.name]:
			return nil, exit.Usagef(hint, "%s: column %d: there are two of %s", list, i+1, c.name)
		}
		seen[cols[i].name] = true
	}
	return cols, nil
}

// ofOutcomes are the columns that a list of what became of items has besides: the
// id of a registration that was made names it, unless a column of ids does.
func ofOutcomes(known []column, header []string) (out []column) {
	for _, name := range bulk.ListColumns() {
		c := column{name, func(*cmapi.RegistrationInput, string) error { return nil }, "outcome:" + name}
		if i := slices.IndexFunc(known, func(k column) bool { return k.name == "regid" }); i >= 0 && name == bulk.IDColumn && !slices.Contains(header, "regid") {
			c.put, c.group = known[i].put, known[i].group
		}
		out = append(out, c)
	}
	return out
}

// readDevice reads a row. problem says, in words, everything that is wrong
// with it. key is the column that names the registration.
func readDevice(row cmdutil.CSVRow, cols []column, w wishes, key string) (d device, problem string) {
	d = device{line: row.Line, in: w.defaults}
	s := w.secret
	var wrong []string
	filled := map[string]string{}
	for i, cell := range row.Cells {
		c := cols[i]
		if strings.TrimSpace(cell) == "" {
			continue
		}
		if other := filled[c.group]; other != "" {
			wrong = append(wrong, c.name+": "+other+" says it already")
			continue
		}
		filled[c.group] = c.name
		if err := c.put(&d.in, cell); err != nil {
			wrong = append(wrong, c.name+": "+err.Error())
		}
	}
	if len(wrong) > 0 {
		return d, strings.Join(wrong, "; ")
	}
	d.made = s != nil && s.keepIn != "" && s.value(d.in) == "" && formOf(d.in).certificate == ""
	comes := d.made || s != nil && s.untyped() && s.value(d.in) == ""
	if w.changes {
		return d, d.checkChange(w, key, comes)
	}
	if err := checkNew(d.in, w.kind, comes); err != nil {
		return d, err.Error()
	}
	if s != nil && needs(w.kind, d.in) && s.value(d.in) == "" && !comes {
		return d, s.api + " is missing: name it in a column, or have it made with --" + s.makeFlag
	}
	return d, ""
}

// checkChange says what is wrong with a row that is to change a registration.
// Where no column has ids, the name is the one that it has now. comes says that
// a secret is to come.
func (d *device) checkChange(w wishes, key string, comes bool) (problem string) {
	if key == "fqdn" {
		d.named, d.in.FQDN = d.in.FQDN, ""
	}
	wish := d.in
	wish.RegID = ""
	switch {
	case key == "fqdn" && d.named == "", key == "regid" && d.in.RegID == "":
		return key + " is missing"
	case wish == cmapi.RegistrationInput{} && !comes:
		return "nothing is to be changed"
	}
	if err := checkMixture(d.in, w.kind, comes); err != nil {
		return err.Error()
	}
	return ""
}

// needs says whether a new registration has to have a secret.
func needs(kind cmapi.RegistrationKind, in cmapi.RegistrationInput) bool {
	switch kind {
	case cmapi.SCEPRegistration, cmapi.ACMERegistration:
		return true
	case cmapi.ESTRegistration:
		return formOf(in).http != ""
	}
	return false
}
