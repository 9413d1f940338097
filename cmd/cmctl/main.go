// Command cmctl is the officer's tool for the CM REST API.
package main

import (
	"os"

	"github.com/cmctl/cmctl/pkg/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
