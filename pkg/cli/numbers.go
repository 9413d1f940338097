package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
)

// plainNumber words what strconv says of a number.
func plainNumber(err error) error {
	var bad *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &bad) || !errors.As(err, &number) {
		return err
	}
	what := "expected a whole number"
	if errors.Is(number, strconv.ErrRange) {
		what = "that is too large a number"
	}
	return fmt.Errorf("invalid argument %q for %q flag: %s", bad.GetValue(), "--"+bad.GetFlag().Name, what)
}
