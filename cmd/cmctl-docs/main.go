// Command cmctl-docs writes completions/, docs/man/ and docs/reference/ from
// the command tree. `make gen` runs it in the repository's top folder.
package main

import (
	"fmt"
	"os"

	"github.com/cmctl/cmctl/pkg/cli"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cli/docgen"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cmctl-docs:", err)
		os.Exit(1)
	}
}

func run() error {
	if _, err := os.Stat("go.mod"); err != nil {
		return fmt.Errorf("run me in the top folder of the repository: %w", err)
	}
	return docgen.Write(".", cli.NewRoot(&cmdutil.Factory{}))
}
