//go:build cgo

package host

import "golang.org/x/sys/windows"

// whyNot asks the loader why a module was not loaded, which the library below
// does not tell.
func whyNot(path string) string {
	if _, err := windows.LoadLibrary(path); err != nil {
		return err.Error()
	}
	return "it is no PKCS#11 module: it has no C_GetFunctionList"
}
