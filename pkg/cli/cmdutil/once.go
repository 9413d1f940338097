package cmdutil

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Once makes every flag of a tree of commands that takes one value refuse a
// second one: pflag would take the last, and what the first one named would be
// lost without a word.
func Once(cmd *cobra.Command) {
	once(cmd.Flags())
	once(cmd.PersistentFlags())
	for _, c := range cmd.Commands() {
		Once(c)
	}
}

// once is Once for a set of flags. Switches say the same twice, and lists grow.
func once(fs *pflag.FlagSet) {
	fs.VisitAll(func(f *pflag.Flag) {
		switch f.Value.(type) {
		case pflag.SliceValue, *onceValue:
			return
		}
		if f.Value.Type() != "bool" {
			f.Value = &onceValue{Value: f.Value, flag: f}
			if f.DefValue == "0s" {
				f.DefValue = "0" // pflag no longer sees that it is a duration, and help prints no default of zero
			}
		}
	})
}

type onceValue struct {
	pflag.Value
	flag  *pflag.Flag
	given string // as it was given
}

func (v *onceValue) Set(s string) error {
	if v.flag.Changed && s != v.given { // the same is no contradiction: completion parses twice
		return &repeatedError{v.flag.Name, v.String(), s}
	}
	v.given = s
	return v.Value.Set(s)
}

// reset gives a flag another value, in place of the one it has.
func reset(f *pflag.Flag, s string) error {
	if v, ok := f.Value.(*onceValue); ok {
		return v.Value.Set(s)
	}
	return f.Value.Set(s)
}

// repeatedError says that a flag was given twice.
type repeatedError struct{ flag, first, second string }

// untold are flags whose values may hold a secret by mistake: a PIN in a URI, a
// password before a host.
var untold = []string{"server", "cert", "key", "sign-cert", "sign-key"}

func (e *repeatedError) Error() string {
	if slices.Contains(untold, e.flag) {
		return fmt.Sprintf("--%s is given twice", e.flag)
	}
	return fmt.Sprintf("--%s is given twice: %q and %q", e.flag, clip(e.first), clip(e.second))
}

// FlagError words what is wrong with a flag's value.
func FlagError(err error) error {
	var twice *repeatedError
	if errors.As(err, &twice) {
		return exit.Usagef("it takes one value: give it once", "%w", twice)
	}
	var bad *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &bad) {
		return err
	}
	var few *tooFewError
	if errors.As(err, &few) {
		return exit.Usagef("", "--%s %w", bad.GetFlag().Name, few)
	}
	if !errors.As(err, &number) {
		return err
	}
	what := "expected a whole number"
	if errors.Is(number, strconv.ErrRange) {
		what = "that is too large a number"
	}
	return fmt.Errorf("invalid argument %q for %q flag: %s", bad.GetValue(), "--"+bad.GetFlag().Name, what)
}
