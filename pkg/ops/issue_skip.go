package ops

import (
	"context"
	"errors"
	"fmt"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Package is a SKIP package: the key pairs of a device, made by the server.
type Package struct {
	Issuance // Leaf is nil: the package holds keys only
	Pairs    []pki.KeyPair
}

// IssueSKIP has the server make the key pairs of a device
// (secureKeyInjectionPackage). A lost answer is a *LostKeyError, one without
// key pairs in it an *UnusableError.
func (r *Runner) IssueSKIP(ctx context.Context, req *pki.Request, in cmapi.IssueRequest) (*Package, error) {
	in.PKCS10 = req.DER
	call, err := cmapi.NewSKIP(in)
	if err != nil {
		return nil, err
	}
	answer, want, err := r.issueKeyed(ctx, call, req, in)
	if err != nil {
		return nil, err
	}
	out := &Package{Issuance: Issuance{CertID: answer.CertID, Bytes: answer.Body, Media: answer.ContentType}}
	out.CertID = r.certIDOfKeyed(ctx, out.CertID, want)
	if out.Pairs, err = KeyPairsIn(answer.Body); err != nil {
		return nil, &UnusableError{&out.Issuance, fmt.Errorf("the package was made, but what came is none: %w", err)}
	}
	return out, nil
}

// KeyPairsIn reads the key pairs of a SKIP package.
func KeyPairsIn(body []byte) ([]pki.KeyPair, error) {
	_, content, err := cms.Content(body)
	switch {
	case err != nil:
		return nil, err
	case content == nil:
		return nil, errors.New("the message has no content in the clear")
	}
	return pki.ParseKeyPairs(content)
}
