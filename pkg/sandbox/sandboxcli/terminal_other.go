//go:build !unix

package sandboxcli

import "os"

// sentByTerminal is true where a console tells every process of Ctrl-C.
func sentByTerminal(sig os.Signal) bool { return sig == os.Interrupt }
