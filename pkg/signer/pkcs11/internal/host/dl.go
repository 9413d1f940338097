//go:build cgo

package host

/*
#include <stdlib.h>
typedef unsigned long ulong_t;
*/
import "C"

// ulongSize is that of CK_ULONG: 4 on Windows and 32-bit systems.
const ulongSize = int(C.sizeof_ulong_t)

// cString copies a string to memory that a module may keep.
func cString(s string) *C.char { return C.CString(s) }
