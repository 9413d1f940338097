package cmdutil

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/exit"
)

const emptyKey = "cmctl_empty"

// EmptyMeans notes that a command's flags may be empty, and mean something
// then.
func EmptyMeans(cmd *cobra.Command) *cobra.Command {
	return annotate(cmd, emptyKey, []string{"yes"})
}

// CheckEmpty refuses a flag without a value: a script's variable was not set,
// and what it would have said is not to be guessed.
func CheckEmpty(cmd *cobra.Command) (err error) {
	if cmd.Annotations[emptyKey] != "" {
		return nil
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && isEmpty(f) {
			err = exit.Usagef("leave the flag out, or give it a value: a variable of a script may have none", "--%s is empty", f.Name)
		}
	})
	return err
}

// isEmpty says that a flag that was given has no value, or a list of values one
// that is none.
func isEmpty(f *pflag.Flag) bool {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values := list.GetSlice()
		return len(values) == 0 || slices.Contains(values, "")
	}
	return f.Value.String() == ""
}
