//go:build !unix

package cli

// noCore has nothing to do: there are no core files here.
func noCore() {}
