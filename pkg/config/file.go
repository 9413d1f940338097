package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
	"github.com/cmctl/cmctl/pkg/spelling"
)

// maxFile is more than any list of contexts needs.
const maxFile = 1 << 20

// File is the config file. It is read as YAML nodes: values stay the text that
// the officer wrote (0123 is not 83), every error has a line, and comments and
// order live through a change.
type File struct {
	Path     string
	Current  string   // current-context; may name none
	Missing  bool     // there is no such file yet
	Warnings []string // what is risky about the file, for stderr

	contexts []entry // in the order of the file
	doc      *yaml.Node
	read     []byte // as read, to notice another's change before writing
}

type entry struct {
	name   string
	values map[string]string
}

// Load reads a file. One that is not there is empty. A file that others can
// write is refused, because it decides which gateway is asked and which PIN
// files are read; one that others can read is warned about.
func Load(path string) (*File, error) {
	f := &File{Path: path}
	if path == "" {
		return f, f.parse(nil)
	}
	data, mode, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Missing = true
		return f, f.parse(nil)
	case err != nil:
		return nil, err
	}
	if mode.IsRegular() && runtime.GOOS != "windows" {
		switch {
		case mode.Perm()&0o022 != 0:
			return nil, exit.Usagef("chmod 600 "+path, "%s can be written by others (mode %04o)", path, mode.Perm())
		case mode.Perm()&0o044 != 0:
			f.Warnings = append(f.Warnings, fmt.Sprintf("%s can be read by others (mode %04o): chmod 600 %s", path, mode.Perm(), path))
		}
	}
	return f, f.parse(data)
}

func readFile(path string) ([]byte, fs.FileMode, error) {
	file, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, 0, err
		}
		return nil, 0, exit.Usagef("", "cannot read the config file: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return nil, 0, exit.Usagef("", "cannot read the config file: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, 0, exit.Usagef("", "cannot read the config file: %w", err)
	case len(data) > maxFile:
		return nil, 0, exit.Usagef("check --config and CMCTL_CONFIG", "%s is too big for a config file", path)
	}
	return data, info.Mode(), nil
}

func (f *File) parse(data []byte) error {
	f.read, f.doc = data, &yaml.Node{}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(f.doc); err != nil {
		if !errors.Is(err, io.EOF) {
			return f.syntax(err)
		}
		f.doc = &yaml.Node{Kind: yaml.DocumentNode}
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		if err != nil {
			return f.syntax(err)
		}
		return exit.Usagef("put all contexts under one contexts:", "%s holds more than one YAML document", f.Path)
	}
	return f.index()
}

// syntax puts the place in front of an error that yaml words as "yaml: line 3:
// what is wrong".
func (f *File) syntax(err error) error {
	place, text := f.Path, strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, found := strings.CutPrefix(text, "line "); found {
		if line, after, found := strings.Cut(rest, ": "); found {
			place, text = place+":"+line, after
		}
	}
	return exit.Usagef("the file may be cut off", "%s: not valid YAML: %s", place, text)
}

// index reads Current and the contexts from the nodes.
func (f *File) index() error {
	f.Current, f.contexts = "", nil
	root := f.root()
	if root == nil {
		return nil
	}
	top, err := f.pairs(root, "the file", []string{"current-context", "contexts"})
	if err != nil {
		return err
	}
	for _, p := range top {
		if p.key.Value == "current-context" {
			if f.Current, err = f.scalar(p); err != nil {
				return err
			}
			continue
		}
		if isNull(p.value) {
			continue
		}
		contexts, err := f.pairs(p.value, "contexts", nil)
		if err != nil {
			return err
		}
		for _, c := range contexts {
			e, err := f.context(c)
			if err != nil {
				return err
			}
			f.contexts = append(f.contexts, e)
		}
	}
	return nil
}

func (f *File) context(c pair) (entry, error) {
	e := entry{name: c.key.Value, values: map[string]string{}}
	if err := CheckContextName(e.name); err != nil {
		return e, exit.New(exit.Usage, "", "%s: %w", f.at(c.key), err)
	}
	if isNull(c.value) {
		return e, nil
	}
	values, err := f.pairs(c.value, fmt.Sprintf("context %q", e.name), keyNames())
	if err != nil {
		return e, err
	}
	for _, v := range values {
		text, err := f.scalar(v)
		if err != nil {
			return e, err
		}
		if text != "" {
			e.values[v.key.Value] = text
		}
	}
	return e, nil
}

// pair is a key and its value in a YAML mapping.
type pair struct{ key, value *yaml.Node }

// pairs splits a mapping. Keys outside of valid (nil: any) and repeated ones
// are refused.
func (f *File) pairs(m *yaml.Node, what string, valid []string) ([]pair, error) {
	if m.Kind != yaml.MappingNode {
		return nil, exit.Usagef("the file may be cut off", "%s: %s has to be a list of `key: value` lines", f.at(m), what)
	}
	lines := map[string]int{}
	var ps []pair
	for i := 0; i+1 < len(m.Content); i += 2 {
		k := m.Content[i]
		if k.Kind != yaml.ScalarNode {
			return nil, exit.Usagef("", "%s: %s has a key that is no word", f.at(k), what)
		}
		if valid != nil && !slices.Contains(valid, k.Value) {
			hint := "keys are " + strings.Join(valid, ", ")
			if near := spelling.Nearest(k.Value, valid); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return nil, exit.Usagef(hint, "%s: unknown key %q in %s", f.at(k), k.Value, what)
		}
		if first, twice := lines[k.Value]; twice {
			return nil, exit.Usagef("keep one of them", "%s: %q is there already on line %d", f.at(k), k.Value, first)
		}
		lines[k.Value] = k.Line
		ps = append(ps, pair{k, m.Content[i+1]})
	}
	return ps, nil
}

// scalar is the text of a value, "" for none.
func (f *File) scalar(p pair) (string, error) {
	switch {
	case isNull(p.value):
		return "", nil
	case p.value.Kind != yaml.ScalarNode:
		return "", exit.Usagef("", "%s: %q has to be a single value", f.at(p.value), p.key.Value)
	case strings.ContainsAny(p.value.Value, "\n\x00"):
		return "", exit.Usagef("", "%s: %q has to be one line", f.at(p.value), p.key.Value)
	}
	return p.value.Value, nil
}

func (f *File) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.Path, n.Line) }

// root is the mapping that the file is; nil for an empty file.
func (f *File) root() *yaml.Node {
	if len(f.doc.Content) == 0 || isNull(f.doc.Content[0]) {
		return nil
	}
	return f.doc.Content[0]
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// Names lists the contexts in the order of the file.
func (f *File) Names() []string {
	names := make([]string, 0, len(f.contexts))
	for _, c := range f.contexts {
		names = append(names, c.name)
	}
	return names
}

// Has says whether there is such a context.
func (f *File) Has(name string) bool { return slices.Contains(f.Names(), name) }

// Get gives a context's values by key, as the file has them; the error for an
// unknown one lists the contexts.
func (f *File) Get(name string) (map[string]string, error) {
	for _, c := range f.contexts {
		if c.name == name {
			return maps.Clone(c.values), nil
		}
	}
	return nil, f.unknown(name)
}

func (f *File) unknown(name string) error {
	hint := "there is no context yet; make one with `cmctl context set NAME --server URL`"
	if names := f.Names(); len(names) > 0 {
		hint = "contexts are " + strings.Join(names, ", ")
		if near := spelling.Nearest(name, names); near != "" {
			hint = fmt.Sprintf("did you mean %q? %s", near, hint)
		}
	}
	return exit.Usagef(hint, "unknown context %q", name)
}

// absolute is a path of the file as the program opens it: relative ones are
// relative to the file, so that a folder with config and keys can be moved.
func (f *File) absolute(path string, env Lookup) string {
	switch home := homeDir(env); {
	case uri.Is(path):
		return path
	case strings.HasPrefix(path, "~/") && home != "":
		return filepath.Join(home, path[2:])
	case filepath.IsAbs(path):
		return path
	}
	dir, err := filepath.Abs(filepath.Dir(f.Path))
	if err != nil { // the working directory is gone
		dir = filepath.Dir(f.Path)
	}
	return filepath.Join(dir, path)
}
