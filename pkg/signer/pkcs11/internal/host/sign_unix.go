//go:build cgo && !windows

package host

/*
#include <stdlib.h>
#include "sign.h"
*/
import "C"

import (
	"errors"
	"io"
	"runtime"
	"unsafe"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// Signatures do not go through miekg/pkcs11: it wants four calls from Go to C
// for one (docs/decisions/0002-pkcs11.md has the figures). C_SignInit, C_Login
// and C_Sign are one call here, and a lane of the child stays in C for as long
// as only signatures are asked for.

// signing are the module's functions; nil when they are not at hand, and
// miekg/pkcs11 has to do.
type signing struct{ functions unsafe.Pointer }

func (s *signing) open(path string) {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	s.functions = C.sign_open(p)
}

// maxSignature is more than any key's.
const maxSignature = 8 << 10

func (m *module) sign(s p11.Session, r p11.SignRequest) ([]byte, error) {
	if m.functions == nil {
		return m.signByCalls(s, r)
	}
	request := C.sign_request{session: C.ulong(s), key: C.ulong(r.Key), mechanism: C.ulong(r.Mechanism)}
	if r.PSS != nil {
		request.pss, request.hash, request.mgf, request.salt = 1, C.ulong(r.PSS.Hash), C.ulong(r.PSS.MGF), C.ulong(r.PSS.Salt)
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	point := func(b []byte) *C.uint8_t {
		if len(b) == 0 {
			return nil
		}
		pins.Pin(&b[0])
		return (*C.uint8_t)(&b[0])
	}
	if r.Context {
		request.login = 1
		request.pin, request.pin_len = point(r.PIN), C.ulong(len(r.PIN))
	}
	request.data, request.data_len = point(r.Data), C.ulong(len(r.Data))
	sig := make([]byte, maxSignature)
	length, inLogin := C.ulong(len(sig)), C.int(0)
	rv := C.sign_once(m.functions, &request, (*C.uint8_t)(&sig[0]), &length, &inLogin)
	switch {
	case rv != 0 && inLogin != 0:
		return nil, &p11.ContextError{Err: p11.RV(rv)}
	case rv != 0:
		return nil, p11.RV(rv)
	}
	return sig[:length:length], nil
}

var errFrame = errors.New("the request is too long")

// Lane answers requests for signatures on a socket, until there is another
// one, which is returned; its memory is good until the next call. ok is false
// for a module that wants its calls one by one.
func (m *module) Lane(fd uintptr) (next func() (frame []byte, err error), ok bool) {
	if m.serial != nil || m.functions == nil {
		return nil, false
	}
	const size = 64 << 10
	buf := C.malloc(size) // for the life of the process
	return func() ([]byte, error) {
		n := C.sign_lane(m.functions, C.int(fd), (*C.uint8_t)(buf), size)
		switch {
		case n == 0:
			return nil, io.EOF
		case n < 0:
			return nil, errFrame
		}
		return unsafe.Slice((*byte)(buf), int(n)), nil
	}, true
}
