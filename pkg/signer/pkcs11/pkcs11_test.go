package pkcs11_test

import (
	"testing"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
)

func TestIsURI(t *testing.T) {
	for ref, want := range map[string]bool{
		"pkcs11:token=x": true, "PKCS11:": true, "Pkcs11:id=%01": true,
		"": false, "pkcs11": false, "./pkcs11:x": false, "officer.p12": false, "p11:x": false,
	} {
		if got := pkcs11.IsURI(ref); got != want {
			t.Errorf("IsURI(%q) = %v", ref, got)
		}
	}
}
