// Command cmctl-sandbox is a CM REST API gateway and CA to try out, train,
// drill and test against.
package main

import (
	"os"

	"github.com/cmctl/cmctl/pkg/sandbox/sandboxcli"
)

func main() { os.Exit(sandboxcli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
