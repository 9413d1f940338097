//go:build !cgo

// Package host is empty in this build: PKCS#11 modules are called by cgo,
// which it was made without.
package host

import (
	"context"
	"errors"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// Supported tells whether this build can load modules.
const Supported = false

// Load always fails.
func Load(context.Context, p11.Spec) (p11.Module, error) {
	return nil, errors.New("this build has no cgo")
}
