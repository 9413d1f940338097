//go:build cgo && !windows

package host

/*
#cgo linux freebsd LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// In one call: dlerror tells of the calling thread only.
static char *load_error(const char *path) {
	if (dlopen(path, RTLD_LAZY) != NULL) return NULL;
	const char *e = dlerror();
	return strdup(e != NULL ? e : "the system's loader does not say why");
}
*/
import "C"

import "unsafe"

// whyNot asks the loader why a module was not loaded, which the library below
// does not tell.
func whyNot(path string) string {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	if e := C.load_error(p); e != nil {
		defer C.free(unsafe.Pointer(e))
		return C.GoString(e)
	}
	return "it is no PKCS#11 module: it has no C_GetFunctionList"
}
