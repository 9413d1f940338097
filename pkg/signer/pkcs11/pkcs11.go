// Package pkcs11 is the door for keys on tokens and HSMs. So far it knows a
// PKCS#11 URI (RFC 7512) when it sees one and says that this build reads none.
package pkcs11

import (
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// IsURI tells a PKCS#11 URI from a file name. The scheme's case does not
// count.
func IsURI(ref string) bool {
	const scheme = "pkcs11:"
	return len(ref) >= len(scheme) && strings.EqualFold(ref[:len(scheme)], scheme)
}

// Open refuses: this build has no PKCS#11 support. The URI is not repeated in
// the message, it may hold a PIN.
func Open() error {
	return exit.New(exit.Key, "use a PEM or PKCS#12 file for now", "this build of cmctl has no PKCS#11 support: keys on tokens cannot be used")
}
