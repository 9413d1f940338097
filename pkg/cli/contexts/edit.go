package contexts

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/config"
)

// edit loads the config file, changes it and writes it back.
func edit(f *cmdutil.Factory, change func(*config.File) error) error {
	file, err := f.ConfigFile()
	if err != nil {
		return err
	}
	return save(file, change)
}

func save(file *config.File, change func(*config.File) error) error {
	if err := change(file); err != nil {
		return err
	}
	return file.Save()
}

func newUseCmd(f *cmdutil.Factory) *cobra.Command {
	return &cobra.Command{
		Use:               "use <name>",
		Short:             "Make a context the current one",
		Example:           "  cmctl context use prod",
		Args:              cmdutil.Exactly("name"),
		ValidArgsFunction: completeNames(f),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := edit(f, func(file *config.File) error { return file.Use(args[0]) }); err != nil {
				return err
			}
			f.Notice("context %s is the current one", args[0])
			return nil
		},
	}
}

func newDeleteCmd(f *cmdutil.Factory) *cobra.Command {
	return &cobra.Command{
		Use:               "delete <name>",
		Short:             "Delete a context; keys and certificates stay where they are",
		Example:           "  cmctl context delete old-test",
		Args:              cmdutil.Exactly("name"),
		ValidArgsFunction: completeNames(f),
		RunE: func(_ *cobra.Command, args []string) error {
			current := false
			err := edit(f, func(file *config.File) error {
				current = file.Current == args[0]
				return file.Delete(args[0])
			})
			if err == nil && current {
				f.Notice("context %s was the current one: there is none now", args[0])
			}
			return err
		},
	}
}

func newRenameCmd(f *cmdutil.Factory) *cobra.Command {
	return &cobra.Command{
		Use:               "rename <name> <new name>",
		Short:             "Rename a context",
		Example:           "  cmctl context rename test staging",
		Args:              cmdutil.Exactly("name", "new name"),
		ValidArgsFunction: completeNames(f),
		RunE: func(_ *cobra.Command, args []string) error {
			return edit(f, func(file *config.File) error { return file.Rename(args[0], args[1]) })
		},
	}
}
