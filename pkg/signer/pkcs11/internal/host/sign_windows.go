//go:build cgo

package host

import "github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"

// signing is nothing here: miekg/pkcs11 signs.
type signing struct{}

func (*signing) open(string) {}

func (m *module) sign(s p11.Session, r p11.SignRequest) ([]byte, error) { return m.signByCalls(s, r) }
