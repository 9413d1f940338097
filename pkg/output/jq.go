package output

import (
	"bufio"
	"errors"

	"github.com/itchyny/gojq"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Filter is an expression of jq. It has no access to files, to the environment
// or to other input.
type Filter struct{ code *gojq.Code }

// ParseFilter reads an expression; the error says where it is wrong.
func ParseFilter(text string) (*Filter, error) {
	const hint = "the language is jq's: https://jqlang.org/manual"
	query, err := gojq.Parse(text)
	if err != nil {
		var wrong *gojq.ParseError
		if errors.As(err, &wrong) {
			return nil, exit.Usagef(hint, "--jq: %w at character %d of %q", err, wrong.Offset-len(wrong.Token)+1, text)
		}
		return nil, exit.Usagef(hint, "--jq: %w", err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, exit.Usagef(hint, "--jq: %w", err)
	}
	return &Filter{code}, nil
}

// filterForm prints what a filter makes of the JSON: strings without quotes,
// other values as JSON, one a line, as `jq -r -c` does. The input is what -o
// json prints, or each record by itself with -o jsonl.
type filterForm[T any] struct {
	noun   Noun[T]
	out    *bufio.Writer
	filter *Filter
	each   bool
	single bool
	held   []any
}

func (f *filterForm[T]) write(v T) error {
	doc, err := f.noun.document(v)
	switch {
	case err != nil:
		return err
	case f.each || f.single:
		return f.run(doc)
	}
	f.held = append(f.held, doc)
	return nil
}

func (f *filterForm[T]) close() error {
	if f.each || f.single {
		return nil
	}
	if f.held == nil {
		f.held = []any{}
	}
	return f.run(f.held)
}

func (f *filterForm[T]) run(doc any) error {
	for results := f.filter.code.Run(doc); ; {
		v, more := results.Next()
		if !more {
			return nil
		}
		var data []byte
		switch x := v.(type) {
		case error:
			var halt *gojq.HaltError
			if errors.As(x, &halt) && halt.Value() == nil {
				return nil
			}
			return exit.New(exit.Failure, "", "--jq: %w", x)
		case string:
			data = []byte(x)
		default:
			var err error
			if data, err = gojq.Marshal(x); err != nil {
				return exit.New(exit.Failure, "", "--jq: %w", err)
			}
		}
		if err := writeJSON(f.out, append(data, '\n')); err != nil {
			return err
		}
	}
}
