package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// yamlForm prints the data of json as YAML, in block style and as it comes:
// the elements of a sequence one after the other are a sequence.
type yamlForm[T any] struct {
	noun    Noun[T]
	out     *bufio.Writer
	single  bool
	started bool
}

func (f *yamlForm[T]) write(v T) error {
	data, err := json.Marshal(f.noun.value(v))
	if err != nil {
		return f.noun.encodeError(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	node, err := yamlNode(dec)
	if err != nil {
		return f.noun.encodeError(err)
	}
	if !f.single {
		node = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{node}}
	}
	f.started = true
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return f.noun.encodeError(err)
	}
	return writeYAML(f.out, b.Bytes())
}

func (f *yamlForm[T]) close() error {
	if f.started || f.single {
		return nil
	}
	_, err := f.out.WriteString("[]\n")
	return err
}

// yamlNode turns the next JSON value into YAML, members in their order.
func yamlNode(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		if t == '{' {
			node.Kind = yaml.MappingNode
		}
		for dec.More() {
			child, err := yamlNode(dec)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		if len(node.Content) == 0 {
			node.Style = yaml.FlowStyle // {} and []: block style has no empty ones
		}
		_, err = dec.Token() // the end
		return node, err
	case string:
		return yamlString(t), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: yamlNumber(t)}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatBool(t)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}, nil
}

// yamlNumber writes no exponent: YAML 1.1 takes one without a point for text.
func yamlNumber(n json.Number) string {
	if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), "eE") {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return n.String()
}

// yamlWords are those that some version of YAML reads as no text.
const yamlWords = " y n yes no on off true false null "

// plainYAML tells text that no version of YAML reads as anything but a string.
func plainYAML(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20 // lower case
		if letter := c >= 'a' && c <= 'z'; !letter && (i == 0 || strings.IndexByte("0123456789 _./@-", s[i]) < 0) {
			return false
		}
	}
	return s != "" && !strings.HasSuffix(s, " ") && !strings.Contains(yamlWords, " "+strings.ToLower(s)+" ")
}

func yamlString(s string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if !plainYAML(s) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

// writeYAML copies YAML. Hidden characters stand in double quotes, where they
// may be written as escapes; those past 16 bits otherwise than in JSON.
func writeYAML(out *bufio.Writer, data []byte) error {
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		var err error
		switch {
		case r == '\n' || !hidden(r):
			_, err = out.Write(data[:size])
		case r > 0xffff:
			_, err = fmt.Fprintf(out, `\U%08x`, r)
		default:
			_, err = fmt.Fprintf(out, `\u%04x`, r)
		}
		if err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}
