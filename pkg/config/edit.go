package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// Create makes an empty context when there is none of that name.
func (f *File) Create(name string) error {
	if err := CheckContextName(name); err != nil {
		return err
	}
	if f.Has(name) {
		return nil
	}
	put(f.contextsNode(), name, &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"})
	return f.index()
}

// Set gives a key of a context another value, making the context when it is
// new; an empty value takes the key away. A relative path is one from where
// the officer stands and is kept as absolute, unless it starts with ~/.
func (f *File) Set(name, key, value string) (err error) {
	s, ok := settingOf(key)
	if !ok {
		return exit.Usagef("keys are "+strings.Join(keyNames(), ", "), "unknown key %q of a context", key)
	}
	if value != "" {
		if err := s.validate(value); err != nil {
			return exit.New(exit.Usage, "", "%s: %w", key, err)
		}
		if s.ref && uri.Is(value) { // before it is kept: there may be a PIN in it
			if _, err := uri.Parse(value); err != nil {
				return exit.New(exit.Usage, "", "%s: %w", key, err)
			}
		}
		if s.path {
			if value, err = absolute(key, value); err != nil {
				return err
			}
		}
	}
	if err := f.Create(name); err != nil {
		return err
	}
	node := child(f.contextsNode(), name)
	if isNull(node) { // `prod:` and nothing below
		*node = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", LineComment: node.LineComment}
	}
	if value == "" {
		drop(node, key)
		return f.index()
	}
	tag := s.tag
	if tag == "" {
		tag = "!!str" // so that 0123 and true are quoted
	}
	put(node, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value})
	return f.index()
}

// Absolute is the value of a flag; where it names a file, from where the officer
// stands, so that it means the same in another folder.
func Absolute(flag, value string) (string, error) {
	if s, ok := settingOf(flag); flag != "config" && (!ok || !s.path) || value == "" {
		return value, nil
	}
	return absolute(flag, value)
}

func absolute(key, value string) (string, error) {
	if uri.Is(value) || strings.HasPrefix(value, "~/") {
		return value, nil
	}
	abs, err := filepath.Abs(value)
	if err != nil {
		return "", exit.Usagef("", "%s: %w", key, err)
	}
	return abs, nil
}

// validate checks a value of a context.
func (s setting) validate(value string) error {
	if strings.ContainsAny(value, "\n\x00") {
		return exit.Usagef("", "the value has to be one line")
	}
	if s.check == nil {
		return nil
	}
	return s.check(value)
}

// Use makes a context the current one.
func (f *File) Use(name string) error {
	if !f.Has(name) {
		return f.unknown(name)
	}
	return f.setCurrent(name)
}

// Delete removes a context. When it is the current one, there is none after.
func (f *File) Delete(name string) error {
	if !f.Has(name) {
		return f.unknown(name)
	}
	drop(f.contextsNode(), name)
	if f.Current == name {
		return f.setCurrent("")
	}
	return f.index()
}

// Rename gives a context another name; the current one stays current.
func (f *File) Rename(from, to string) error {
	if err := CheckContextName(to); err != nil {
		return err
	}
	switch {
	case !f.Has(from):
		return f.unknown(from)
	case from == to:
		return nil
	case f.Has(to):
		return exit.Usagef("delete it first, or choose another name", "there is a context %q already", to)
	}
	m := f.contextsNode()
	for i := 0; i < len(m.Content); i += 2 {
		if m.Content[i].Value == from {
			m.Content[i].SetString(to)
		}
	}
	if f.Current == from {
		return f.setCurrent(to)
	}
	return f.index()
}

func (f *File) setCurrent(name string) error {
	root := f.makeRoot()
	if name == "" {
		drop(root, "current-context")
		return f.index()
	}
	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}
	if child(root, "current-context") == nil { // first, where people look for it
		root.Content = append([]*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "current-context"}, value}, root.Content...)
		return f.index()
	}
	put(root, "current-context", value)
	return f.index()
}

// makeRoot is the mapping that the file is, made when the file was empty.
func (f *File) makeRoot() *yaml.Node {
	if root := f.root(); root != nil {
		return root
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if len(f.doc.Content) > 0 { // nothing but comments: they stay
		old := f.doc.Content[0]
		root.HeadComment, root.FootComment = old.HeadComment, old.FootComment
	}
	f.doc.Content = []*yaml.Node{root}
	return root
}

func (f *File) contextsNode() *yaml.Node {
	root := f.makeRoot()
	if m := child(root, "contexts"); m != nil && !isNull(m) {
		return m
	}
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	put(root, "contexts", m)
	return m
}

// child is the value of a key in a mapping, nil when it is not there.
func child(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// put sets a key of a mapping; what was commented beside the old value stays.
func put(m *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			old := m.Content[i+1]
			value.HeadComment, value.LineComment, value.FootComment = old.HeadComment, old.LineComment, old.FootComment
			m.Content[i+1] = value
			return
		}
	}
	m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

func drop(m *yaml.Node, key string) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content = append(m.Content[:i], m.Content[i+2:]...)
			return
		}
	}
}

// Save writes the file: mode 0600, under a temporary name, synced, renamed, so
// that there is always one whole file. It refuses to undo what another program
// has written since Load.
func (f *File) Save() error {
	if f.Path == "" {
		return exit.Usagef("name a file with --config", "there is no home folder for a config file")
	}
	data, err := f.encode()
	if err != nil {
		return err
	}
	path := f.Path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays, what it points to is replaced
	}
	now, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the config file: %w", err)
	}
	if !bytes.Equal(now, f.read) {
		return exit.New(exit.Failure, "run the command again", "%s was changed by another program in the meantime", f.Path)
	}
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("cannot write the config file: %w", err)
	}
	f.read = data
	return nil
}

func (f *File) encode() ([]byte, error) {
	if len(f.doc.Content) == 0 {
		return nil, nil
	}
	unfold(f.doc)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(f.doc); err != nil {
		return nil, fmt.Errorf("cannot write the config file: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("cannot write the config file: %w", err)
	}
	// What was written has to read back, or it must not replace what there is.
	if err := (&File{Path: f.Path}).parse(b.Bytes()); err != nil {
		return nil, fmt.Errorf("cannot write the config file: %w", err)
	}
	return b.Bytes(), nil
}

// unfold turns {a: } into lines: yaml would write it as {a:}, which reads back
// as a word.
func unfold(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		n.Style &^= yaml.FlowStyle
	}
	for _, c := range n.Content {
		unfold(c)
	}
}

func writeFile(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()           //nolint:errcheck // the first error counts
			os.Remove(tmp.Name()) //nolint:errcheck // as above
		}
	}()
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}
