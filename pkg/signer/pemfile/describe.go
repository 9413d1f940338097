package pemfile

import (
	"encoding/pem"
	"strconv"
	"strings"

	"github.com/cmctl/cmctl/pkg/signer/internal/pbe"
)

// Describe says in words how a private key is encrypted, such as
// "PBES2, PBKDF2, hmacWithSHA256, AES-256-CBC, 600000 rounds": an
// EncryptedPrivateKeyInfo in DER, or a PEM block with a Proc-Type header.
func Describe(der []byte, block *pem.Block) string {
	if block != nil && block.Headers["DEK-Info"] != "" {
		cipher, _, _ := strings.Cut(block.Headers["DEK-Info"], ",")
		return "PEM header, " + cipher
	}
	s, _, err := readPKCS8(der)
	if err != nil {
		return ""
	}
	if s.OID != pbe.PBES2 {
		return pbe.Name(s.OID)
	}
	words := []string{"PBES2", pbe.Name(s.KDF)}
	if s.PRF != "" {
		words = append(words, pbe.Name(s.PRF))
	}
	words = append(words, pbe.Name(s.Cipher))
	if s.Iterations > 0 {
		words = append(words, strconv.Itoa(s.Iterations)+" rounds")
	}
	return strings.Join(words, ", ")
}
