//go:build cgo

package host

import (
	"github.com/miekg/pkcs11"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// signByCalls makes a signature by miekg/pkcs11, a call for each step.
func (m *module) signByCalls(s p11.Session, r p11.SignRequest) ([]byte, error) {
	h := pkcs11.SessionHandle(s)
	var parameter any
	if r.PSS != nil {
		parameter = pkcs11.NewPSSParams(uint(r.PSS.Hash), uint(r.PSS.MGF), uint(r.PSS.Salt))
	}
	if err := m.ctx.SignInit(h, []*pkcs11.Mechanism{pkcs11.NewMechanism(uint(r.Mechanism), parameter)}, pkcs11.ObjectHandle(r.Key)); err != nil {
		return nil, convert(err)
	}
	if r.Context {
		if err := m.login(s, pkcs11.CKU_CONTEXT_SPECIFIC, r.PIN); err != nil {
			return nil, &p11.ContextError{Err: err}
		}
	}
	sig, err := m.ctx.Sign(h, r.Data)
	return sig, convert(err)
}
