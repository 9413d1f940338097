package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
)

// verbAgain makes the command of a verb with flags as they were kept, and with
// those of the command that is running as they are.
func verbAgain(ctx context.Context, f *cmdutil.Factory, verb string, flags map[string][]string, args []string) (*cobra.Command, error) {
	words := strings.Fields(verb)
	cmd, rest, err := NewRoot(f, words...).Find(words)
	if err != nil || len(rest) > 0 || cmd.RunE == nil {
		return nil, exit.Usagef("a newer cmctl may know it", "there is no `cmctl %s`", verb)
	}
	set := cmd.Flags()
	set.AddFlagSet(cmd.InheritedFlags())
	f.EachFlag(func(fl *pflag.Flag) {
		to := set.Lookup(fl.Name)
		if to == nil {
			return
		}
		if list, ok := fl.Value.(pflag.SliceValue); ok {
			err = errors.Join(err, to.Value.(pflag.SliceValue).Replace(list.GetSlice())) // the same flag
			to.Changed = true
			return
		}
		err = errors.Join(err, set.Set(fl.Name, fl.Value.String()))
	})
	for name, values := range flags {
		fl := set.Lookup(name)
		if fl == nil {
			return nil, exit.Usagef("a newer cmctl may know it", "`cmctl %s` has no flag --%s", verb, name)
		}
		if list, ok := fl.Value.(pflag.SliceValue); ok {
			err = errors.Join(err, list.Replace(values))
			fl.Changed = true
			continue
		}
		err = errors.Join(err, set.Set(name, values[0]))
	}
	if err != nil {
		return nil, exit.Usagef("", "the flags that the job was begun with: %w", err)
	}
	cmd.SetContext(ctx)
	f.UseFlags(set)
	f.UseArgs(args)
	return cmd, f.CheckOutput(cmd)
}
