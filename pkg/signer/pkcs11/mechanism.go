package pkcs11

import (
	"fmt"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

var mechanismNames = map[uint64]string{
	p11.RSAPKCS: "CKM_RSA_PKCS", p11.RSAX509: "CKM_RSA_X_509", p11.RSAPKCSPSS: "CKM_RSA_PKCS_PSS",
	p11.SHA256RSAPKCS: "CKM_SHA256_RSA_PKCS", p11.SHA384RSAPKCS: "CKM_SHA384_RSA_PKCS", p11.SHA512RSAPKCS: "CKM_SHA512_RSA_PKCS",
	p11.SHA256RSAPKCSPSS: "CKM_SHA256_RSA_PKCS_PSS", p11.SHA384RSAPKCSPSS: "CKM_SHA384_RSA_PKCS_PSS", p11.SHA512RSAPKCSPSS: "CKM_SHA512_RSA_PKCS_PSS",
	p11.ECDSA: "CKM_ECDSA", p11.ECDSASHA256: "CKM_ECDSA_SHA256", p11.ECDSASHA384: "CKM_ECDSA_SHA384", p11.ECDSASHA512: "CKM_ECDSA_SHA512",
}

// mechanismName is a mechanism as the standard calls it; 0 is none.
func mechanismName(m uint64) string {
	switch name := mechanismNames[m]; {
	case name != "":
		return name
	case m == 0:
		return ""
	}
	return fmt.Sprintf("mechanism 0x%x", m)
}
