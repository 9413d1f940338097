package sandboxcli

import (
	"github.com/cmctl/cmctl/pkg/sandbox"
	"github.com/spf13/pflag"
)

// ParseOptions reads the flags that serve and exec share, for a program that
// starts a sandbox in its own process.
func ParseOptions(args []string) (sandbox.Options, error) {
	var o sandbox.Options
	flags := pflag.NewFlagSet("sandbox", pflag.ContinueOnError)
	addFlags(flags, &o)
	return o, flags.Parse(args)
}
