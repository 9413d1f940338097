package reg

import (
	"bytes"
	"strings"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// device is one registration to create.
type device struct {
	line int // in the list; 0 for the one of the command line
	in   cmapi.RegistrationInput
	made bool // its secret was made here

	named string // what the registration is called now, where the wish does not say
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
// say otherwise. All wrong lines are told at once, and no cell is ever shown.
func readDevices(f *cmdutil.Factory, path string, kind cmapi.RegistrationKind, defaults cmapi.RegistrationInput, s *secret) ([]device, error) {
	data, err := f.ReadInput(path, maxDevices)
	if err != nil {
		return nil, err
	}
	name := cmdutil.InputName(path)
	table, err := cmdutil.ReadCSV(name, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	known := columns(f, kind, s)
	cols, err := match(name, table.Columns, known, kind)
	if err != nil {
		return nil, err
	}
	var devices []device
	seen := map[string]int{}
	err = table.Each(func(row cmdutil.CSVRow) error {
		d, problem := readDevice(row, cols, kind, defaults, s)
		if problem != "" {
			table.Wrong(row.Line, "%s", problem)
			return nil
		}
		key := strings.ToLower(d.in.FQDN)
		if first, ok := seen[key]; ok {
			table.Wrong(row.Line, "fqdn: the same as in line %d", first)
			return nil
		}
		seen[key] = row.Line
		devices = append(devices, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := table.Err("nothing was sent; columns are " + strings.Join(names(known), ", ")); err != nil {
		return nil, err
	}
	if len(devices) == 0 {
		return nil, exit.Usagef("a list has a header, such as fqdn, and a line for each device", "%s: the list is empty", name)
	}
	return devices, nil
}

// columns are those that a list of a kind may have, by lower-case name.
func columns(f *cmdutil.Factory, kind cmapi.RegistrationKind, s *secret) (out []column) {
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

// readDevice reads a row. problem says, in words, everything that is wrong
// with it.
func readDevice(row cmdutil.CSVRow, cols []column, kind cmapi.RegistrationKind, defaults cmapi.RegistrationInput, s *secret) (d device, problem string) {
	d = device{line: row.Line, in: defaults}
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
	if s != nil && s.keepIn != "" && s.value(d.in) == "" && formOf(d.in).certificate == "" && filled[s.api] == "" {
		d.made = true
		if err := s.set(&d.in, s.make()); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if len(wrong) > 0 {
		return d, strings.Join(wrong, "; ")
	}
	if err := checkNew(d.in, kind, false); err != nil {
		return d, err.Error()
	}
	if s != nil && needs(kind, d.in) && s.value(d.in) == "" {
		return d, s.api + " is missing: name it in a column, or have it made with --" + s.makeFlag
	}
	return d, ""
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
