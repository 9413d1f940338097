// Package key is `cmctl key`: what is on tokens and HSMs, under which names,
// and whether a key does what it is for.
package key

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// NewCmd makes the noun and its verbs.
func NewCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "List, show and test keys on smart cards and HSMs",
		Long: `List, show and test keys on smart cards and HSMs. A key is named by a PKCS#11
URI (RFC 7512), which --key, --cert, --sign-key and --sign-cert take, and a
context does too. The module is CMCTL_PKCS11_MODULE, the context's module, or
one registered with p11-kit.`,
		GroupID: cmdutil.GroupLocal,
	}
	cmd.AddCommand(newListCmd(f), newShowCmd(f), newTestCmd(f))
	return cmd
}

// parse reads the URI of the command line; without one everything fits.
func parse(args []string) (*uri.URI, error) {
	if len(args) == 0 {
		return &uri.URI{}, nil
	}
	if !uri.Is(args[0]) {
		return nil, exit.Usagef("it starts with pkcs11:, and `cmctl key list` shows those there are", "this is not a PKCS#11 URI: %s", args[0])
	}
	return uri.Parse(args[0])
}

const loginUsage = "log in to the token, to see what it hides: asks for the PIN unless --pin-file is given"
