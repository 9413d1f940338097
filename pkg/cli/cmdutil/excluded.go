package cmdutil

import (
	"bytes"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/exit"
)

// AddExcludeFlag adds --exclude for what is not named by certid.
func AddExcludeFlag(cmd *cobra.Command, target *[]string, usage string) {
	cmd.Flags().StringArrayVar(target, "exclude", nil, usage+"; of CSV, the column why is counted as why; repeatable")
}

// Exclusion is one line of a list of exclusions.
type Exclusion struct {
	Entry
	Used bool
}

// EachExcluded hands out the entries of a list of exclusions. Nothing in it may
// be wrong: what it fails to name would be written.
func (f *Factory) EachExcluded(path string, as ListAs, emit func(Entry) error) error {
	ls, err := f.openExcluded(path, as)
	if err != nil {
		return err
	}
	defer ls.Close()
	return ls.Each(emit)
}

// openExcluded opens a list of exclusions that has been read once and is right.
func (f *Factory) openExcluded(path string, as ListAs) (*Lists, error) {
	ls, err := f.OpenLists(path, as)
	if err != nil {
		return nil, err
	}
	for _, l := range ls.lists {
		l.whys = true
	}
	n := 0
	err = ls.Each(func(Entry) error { n++; return nil })
	if err == nil && n == 0 {
		err = ls.empty()
	}
	if err != nil {
		ls.Close()
		return nil, err
	}
	ls.tellColumns(f)
	return ls, nil
}

// KeptOut is an item that --exclude keeps out of a plan.
type KeptOut struct {
	bulk.Item
	Why string
}

// KeepOut notes in a plan what is kept out of it.
func KeepOut(plan *bulk.Builder, out []KeptOut) error {
	for _, x := range out {
		if err := plan.Exclude(x.Item, x.Why); err != nil {
			return err
		}
	}
	return nil
}

// EachExcludedRow hands out the rows of a CSV list of exclusions that has at
// least one of some columns: the cells of these, by name, besides place and why.
// What emit finds wrong with a row is told with all the others.
func EachExcludedRow(list string, data []byte, columns []string, emit func(e Entry, cells map[string]string) error) error {
	hint := "the first line names the columns: " + strings.Join(columns, " or ") + ", and why"
	table, err := ReadCSV(list, bytes.NewReader(data))
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, c := range table.Columns {
		c = strings.ToLower(c)
		if _, twice := at[c]; twice && (slices.Contains(columns, c) || c == "why") {
			return exit.Usagef(hint, "%s: there are two columns %s", list, c)
		}
		at[c] = i
	}
	if !slices.ContainsFunc(columns, func(c string) bool { _, ok := at[c]; return ok }) {
		return exit.Usagef(hint, "%s: there is no column %s", list, strings.Join(columns, " or "))
	}
	n := 0
	err = table.Each(func(row CSVRow) error {
		n++
		cell := func(name string) string {
			if i, ok := at[name]; ok {
				return strings.TrimSpace(row.Cells[i])
			}
			return ""
		}
		cells := map[string]string{}
		e := Entry{List: list, Line: row.Line, Why: cell("why")}
		for _, c := range columns {
			if cells[c] = cell(c); e.Input == "" {
				e.Input = cells[c]
			}
		}
		if err := emit(e, cells); err != nil {
			table.Wrong(row.Line, "%v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := table.Err(hint); err != nil {
		return err
	}
	if n == 0 {
		return exit.Usagef(hint, "%s: the list is empty", list)
	}
	return nil
}

// TellUnused names what was excluded and is not among what was selected: most
// likely a slip of the pen, and what was meant would be written.
func (f *Factory) TellUnused(all []*Exclusion) {
	var unused problems
	for _, x := range all {
		if !x.Used {
			unused.add(place(x.List, x.Line), "%s", x.Input)
		}
	}
	if unused.n > 0 {
		f.remark("exclusions", Plural(unused.n, "exclusion")+" without effect, since not selected:\n"+unused.text())
	}
}
