package cert

import (
	"bytes"
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

const importExcludeHint = "a list of exclusions has certificates, or serials written 0x..., dec:... or with colons, or is CSV with a column file or serial"

// importExclusions keep certificates out of an import.
type importExclusions struct {
	bySum    map[string][]*cmdutil.Exclusion // by Key
	bySerial map[string][]*cmdutil.Exclusion
	all      []*cmdutil.Exclusion
}

// leaveOut takes out of the items what the lists exclude.
func (o *importOptions) leaveOut(items []importItem) (kept []importItem, out []cmdutil.KeptOut, err error) {
	if len(o.exclude) == 0 {
		return items, nil, nil
	}
	x := &importExclusions{bySum: map[string][]*cmdutil.Exclusion{}, bySerial: map[string][]*cmdutil.Exclusion{}}
	for _, path := range o.exclude {
		if err := x.read(o.f, path); err != nil {
			return nil, nil, err
		}
	}
	for _, it := range items {
		if one := x.of(it); one != nil {
			out = append(out, cmdutil.KeptOut{Item: it.Item, Why: one.Why})
		} else {
			kept = append(kept, it)
		}
	}
	o.f.TellUnused(x.all)
	return kept, out, nil
}

// of is what excludes an item, the first where several do; nil: nothing does.
func (x *importExclusions) of(it importItem) *cmdutil.Exclusion {
	by := slices.Clone(x.bySum[it.Key])
	for _, one := range x.bySerial[serialKey(pki.SerialOf(it.Certificate.SerialNumber))] {
		if one.Issuer == "" || pki.SameName(one.Issuer, pki.DN(it.Certificate.RawIssuer)) {
			by = append(by, one)
		}
	}
	for _, one := range by {
		one.Used = true
	}
	if len(by) == 0 {
		return nil
	}
	return by[0]
}

// serialKey is a serial without zeros in front.
func serialKey(s pki.Serial) string { return strings.TrimLeft(s.String(), "0") }

// read reads one list: files, in a CSV list with a column of them, else what
// every list of certificates may have but certids, which these have none of yet.
func (x *importExclusions) read(f *cmdutil.Factory, path string) error {
	if names := filesListed(f, path); names != nil {
		return x.readFiles(f, path, names)
	}
	err := f.EachExcluded(path, cmdutil.AsUnset, func(e cmdutil.Entry) error {
		one := &cmdutil.Exclusion{Entry: e}
		switch {
		case e.Certificate != nil:
			key := importKey(e.Certificate)
			x.bySum[key] = append(x.bySum[key], one)
		case e.Serial != "":
			key := serialKey(e.Serial)
			x.bySerial[key] = append(x.bySerial[key], one)
		default:
			return exit.Usagef("", "%s:%d: %s is a certid, and what is to be imported has none yet", e.List, e.Line, e.Input)
		}
		x.all = append(x.all, one)
		return nil
	})
	if err != nil {
		return exit.Usagef(importExcludeHint, "%w", err)
	}
	return nil
}

// filesListed is the list when it is one of files; nil when it is another.
func filesListed(f *cmdutil.Factory, path string) []byte {
	if path == "-" {
		return nil
	}
	data, err := f.ReadInput(path, maxBundle)
	if err != nil {
		return nil // read as another, which words the error
	}
	table, err := cmdutil.ReadCSV(path, bytes.NewReader(data))
	if err != nil || !slices.ContainsFunc(table.Columns, func(c string) bool { return strings.EqualFold(c, "file") }) {
		return nil
	}
	return data
}

// readFiles excludes the certificates in the files that a list names, relative
// to its folder.
func (x *importExclusions) readFiles(f *cmdutil.Factory, path string, data []byte) error {
	return cmdutil.EachExcludedRow(path, data, []string{"file"}, func(e cmdutil.Entry, cells map[string]string) error {
		file := cells["file"]
		if file == "" {
			return exit.Usagef("", "no file is named")
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		in := &importList{f: f}
		var wrong error
		in.addPath(file, file, 0, wish{}, func(err error) { wrong = cmp.Or(wrong, err) })
		if wrong != nil {
			return wrong
		}
		one := &cmdutil.Exclusion{Entry: e}
		for _, it := range in.items {
			x.bySum[it.Key] = append(x.bySum[it.Key], one)
		}
		x.all = append(x.all, one)
		return nil
	})
}
