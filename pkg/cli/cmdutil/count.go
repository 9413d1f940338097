package cmdutil

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

// CountFlag adds a flag that takes a number of things, least or more. Less is
// what a script's arithmetic comes to when something is wrong, and must not
// pass for a flag that is not given. Help prints no default.
func CountFlag(cmd *cobra.Command, target *int, name string, value, least int, usage string) {
	*target = value
	cmd.Flags().Var(&countValue{target, least}, name, usage)
	cmd.Flags().Lookup(name).DefValue = "0"
}

type countValue struct {
	n     *int
	least int
}

func (v *countValue) String() string { return strconv.Itoa(*v.n) }
func (v *countValue) Type() string   { return "int" }

func (v *countValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil:
		return err
	case n < v.least:
		return &tooFewError{n, v.least}
	}
	*v.n = n
	return nil
}

type tooFewError struct{ n, least int }

func (e *tooFewError) Error() string { return fmt.Sprintf("%d: expected %d or more", e.n, e.least) }
