package contexts

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
)

func newSetCmd(f *cmdutil.Factory) *cobra.Command {
	var unset []string
	cmd := &cobra.Command{
		Use:   "set <name> [flags]",
		Short: "Make a context, or change settings of one",
		Long: `Make a context, or change settings of one. Each setting is given by its flag; an
empty value, or --unset with its name, takes it away. Secrets are never kept:
--pin-file names the file that has one. The first context made is the current
one.`,
		Example: `  cmctl context set prod --server https://pgwy.example.com:8444/pgwy/api --ca-file root.pem --cert officer.p12
  cmctl context set prod --protected true
  cmctl context set prod --unset pin-file`,
		Args:              cmdutil.Exactly("name"),
		ValidArgsFunction: completeNames(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := f.NewConfigFile()
			if err != nil {
				return err
			}
			return save(file, func(file *config.File) error { return set(file, cmd, args[0], unset) })
		},
	}
	for _, k := range config.Keys() {
		if k.Flag == "" || k.Name == "batch" || k.Name == "parallel" {
			cmd.Flags().String(k.Name, "", k.Meaning)
			if k.Path {
				_ = cmd.RegisterFlagCompletionFunc(k.Name, cmdutil.CompleteFile)
			}
		}
	}
	cmd.Flags().StringSliceVar(&unset, "unset", nil, "take this `setting` away; repeatable")
	return cmdutil.EmptyMeans(cmd)
}

func set(file *config.File, cmd *cobra.Command, name string, unset []string) error {
	first := len(file.Names()) == 0
	if err := file.Create(name); err != nil {
		return err
	}
	var known []string
	for _, k := range config.Keys() {
		known = append(known, k.Name)
		if fl := cmd.Flags().Lookup(k.Name); fl != nil && fl.Changed {
			if err := file.Set(name, k.Name, fl.Value.String()); err != nil {
				return err
			}
		}
	}
	for _, u := range unset {
		if !slices.Contains(known, u) {
			return exit.Usagef("", "--unset %s: no such setting", u)
		}
		if err := file.Set(name, u, ""); err != nil {
			return err
		}
	}
	if first {
		return file.Use(name)
	}
	return nil
}
