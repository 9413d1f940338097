// Package reg is `cmctl reg`: the registrations under which devices and account
// holders enrol by EST, CMP, SCEP and ACME. One file a verb; what the fields of
// a registration are, and how each is checked before anything is sent, stands
// in one table, which flags, lists and help are made from.
package reg

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
)

// NewCmd makes the noun and its verbs.
func NewCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "reg",
		Short:   "List, create and change registrations of devices",
		GroupID: cmdutil.GroupWork,
	}
	cmd.AddCommand(newListCmd(f), newCreateCmd(f), newUpdateCmd(f), newShowCmd(f))
	return cmd
}

// types are the registration types that the API knows, and itss, which newer
// gateways know. Those without a path of their own go by the generic one.
func types() []string {
	return []string{"est", "cmp", "scep", "acme", "device", "acme/account", "itss"}
}

// addTypeFlag adds --type.
func addTypeFlag(cmd *cobra.Command, regtype *string, usage string) {
	cmdutil.EnumFlag(cmd, regtype, "type", usage, types(), cmdutil.OneOf[string](types()...))
}

// words are how messages call a kind of registration.
func words(kind cmapi.RegistrationKind) string {
	if kind == cmapi.GenericRegistration {
		return "generic"
	}
	return string(kind)
}

// operations are the operationIds of one action over all paths.
func operations(action string) (ids []string) {
	for _, op := range cmapi.Operations() {
		if strings.HasPrefix(op.ID, action+"Registration") {
			ids = append(ids, op.ID)
		}
	}
	return ids
}
