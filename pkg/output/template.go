package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// RecordTemplate prints a record by a Go template on its JSON.
type RecordTemplate struct{ t *template.Template }

// TemplateText is what stands behind template= in the value of -o.
func TemplateText(s string) string { return strings.TrimPrefix(s, templatePrefix) }

var templateFunctions = template.FuncMap{
	"json": jsonText,
	"join": func(sep any, list any) string {
		items, ok := list.([]any)
		if !ok {
			return show(list)
		}
		texts := make([]string, len(items))
		for i, item := range items {
			texts[i] = show(item)
		}
		return strings.Join(texts, show(sep))
	},
	"date": func(layout, at any) (string, error) {
		if at == nil || fmt.Sprint(at) == "" {
			return "", nil
		}
		t, err := time.Parse(time.RFC3339, fmt.Sprint(at))
		return t.UTC().Format(fmt.Sprint(layout)), err
	},
	"default": func(instead, v any) any {
		if v == nil || v == text("") {
			return instead
		}
		return v
	},
	"lower":  func(v any) string { return strings.ToLower(show(v)) },
	"upper":  func(v any) string { return strings.ToUpper(show(v)) },
	showName: show,
}

// ParseTemplate reads a template; the error says in which line it is wrong.
func ParseTemplate(s string) (*RecordTemplate, error) {
	t, err := template.New("template").Option("missingkey=zero").Funcs(templateFunctions).Parse(s)
	if err != nil {
		return nil, exit.Usagef("the language is that of https://pkg.go.dev/text/template", "-o %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	for _, part := range t.Templates() {
		if part.Tree != nil {
			showAll(part.Root)
		}
	}
	return &RecordTemplate{t}, nil
}

// showName is the function that ends every pipeline which prints.
const showName = "_show"

// showAll has each value that is printed go through show, so that one that is
// not there is empty instead of "<no value>", and lists read well.
func showAll(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			showAll(child)
		}
	case *parse.IfNode:
		showAll(n.List)
		showAll(n.ElseList)
	case *parse.RangeNode:
		showAll(n.List)
		showAll(n.ElseList)
	case *parse.WithNode:
		showAll(n.List)
		showAll(n.ElseList)
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
				NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{parse.NewIdentifier(showName).SetPos(n.Pos)},
			})
		}
	}
}

// text is a string of a record: printed, it is escaped as in every other form,
// compared, it is what it is.
type text string

func (t text) String() string { return Escape(string(t)) }

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case map[string]any:
		data, err := jsonText(v)
		if err != nil {
			return err.Error()
		}
		return data
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = show(item)
		}
		return strings.Join(texts, ",")
	}
	return fmt.Sprint(v)
}

func jsonText(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// texts marks the strings of a decoded record.
func texts(v any) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case []any:
		for i := range v {
			v[i] = texts(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = texts(v[k])
		}
	}
	return v
}

// templateForm prints each record by a template, and a newline behind it
// unless it has one.
type templateForm[T any] struct {
	noun     Noun[T]
	out      *bufio.Writer
	template *RecordTemplate
}

func (f *templateForm[T]) write(v T) error {
	doc, err := f.noun.document(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := f.template.t.Execute(&b, texts(doc)); err != nil {
		return exit.New(exit.Failure, "", "-o %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		b.WriteByte('\n')
	}
	return writeJSON(f.out, b.Bytes())
}

func (f *templateForm[T]) close() error { return nil }
