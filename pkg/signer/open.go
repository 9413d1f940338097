package signer

import (
	"context"

	"github.com/cmctl/cmctl/pkg/exit"
)

func open(context.Context, Ref, Secrets) (*Identity, error) {
	return nil, exit.New(exit.Key, "", "no key can be opened yet")
}
