package cmdutil

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// EnumFlag adds a flag that takes one of a list of values: they stand in help,
// in completion and in the error, in the same order. parse refuses the others.
func EnumFlag[T any](cmd *cobra.Command, target *T, name, usage string, choices []string, parse func(string) (T, error)) {
	v := &enumValue[T]{target: target, choices: choices, parse: parse}
	cmd.Flags().Var(v, name, usage+" {"+strings.Join(choices, "|")+"}")
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp))
}

type enumValue[T any] struct {
	target  *T
	text    string
	choices []string
	parse   func(string) (T, error)
}

func (v *enumValue[T]) String() string { return v.text }
func (v *enumValue[T]) Type() string   { return "value" }
func (v *enumValue[T]) Set(s string) error {
	x, err := v.parse(s)
	if err != nil {
		return err
	}
	*v.target, v.text = x, s
	return nil
}

// OneOf is the parse function of an enum whose values are the choices
// themselves.
func OneOf[T ~string](choices ...string) func(string) (T, error) {
	return func(s string) (T, error) {
		for _, c := range choices {
			if strings.EqualFold(c, s) {
				return T(c), nil
			}
		}
		return "", fmt.Errorf("expected one of %s", strings.Join(choices, ", "))
	}
}

// CompleteFile leaves completion to the shell, which knows the files.
func CompleteFile(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}
