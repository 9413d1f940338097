package signer

import (
	"context"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// openToken opens a pair of which at least one half is on a token.
func openToken(ctx context.Context, ref Ref, secrets Secrets, tokens *pkcs11.Tokens) (*Identity, error) {
	id := &Identity{}
	if tokens == nil {
		tokens = pkcs11.New(pkcs11.Config{})
		id.end = tokens.Close
	}
	err := id.openToken(ctx, ref, secrets, tokens)
	if err != nil {
		_ = id.Close()
		return nil, err
	}
	return id, nil
}

func (id *Identity) openToken(ctx context.Context, ref Ref, secrets Secrets, tokens *pkcs11.Tokens) (err error) {
	if ref.Cert == ref.Key {
		ref.Cert = ""
	}
	var key, cert *uri.URI
	for _, half := range []struct {
		ref  string
		into **uri.URI
	}{{ref.Key, &key}, {ref.Cert, &cert}} {
		if uri.Is(half.ref) {
			if *half.into, err = uri.Parse(half.ref); err != nil {
				return err
			}
			for _, name := range (*half.into).Ignored {
				id.Warnings = append(id.Warnings, "the PKCS#11 URI's "+name+" is not known and does nothing")
			}
		}
	}
	switch {
	case ref.Key != "" && key == nil: // the key is in a file
		return id.openKeyFile(ctx, ref, cert, secrets, tokens)
	case key == nil: // the key is the certificate's
		key, cert = cert, nil
	}
	r := pkcs11.Request{Key: key, Cert: cert, PIN: secrets.PINFor(key)}
	if cert == nil && ref.Cert != "" && ref.Key != "" {
		if r.Certs, err = readCertificates(ref); err != nil {
			return err
		}
	}
	k, err := tokens.Open(ctx, r)
	if err != nil {
		return err
	}
	id.Key, id.Leaf, id.token = k, k.Leaf(), k
	id.Chain = chain(k.Leaf(), append(r.Certs, k.Certificates()...))
	return nil
}

// openKeyFile is for a key in a file with its certificate on a token.
func (id *Identity) openKeyFile(ctx context.Context, ref Ref, cert *uri.URI, secrets Secrets, tokens *pkcs11.Tokens) error {
	data, exposed, err := readFile(ref.Key)
	if err != nil {
		return err
	}
	// The secret is the file's, so the token is not logged in to.
	certs, err := tokens.Certificates(ctx, cert, nil)
	if err != nil {
		return err
	}
	key, beside, err := readKey(ctx, ref, data, secrets)
	if err != nil {
		return err
	}
	files, err := assemble(ref, key, certs, beside)
	if err != nil {
		return err
	}
	id.Key, id.Leaf, id.Chain = files.Key, files.Leaf, files.Chain
	if exposed != 0 {
		id.Warnings = append(id.Warnings, exposedWarning(ref.Key, exposed))
	}
	return nil
}

// PINFor finds the PIN of the token that a URI names. The URI's pin-source comes last before the
// officer is asked.
func (s Secrets) PINFor(u *uri.URI) pkcs11.PINSource {
	if u.PINSource != "" {
		s.Sources = append(s.Sources[:len(s.Sources):len(s.Sources)], Source{Origin: "pin-source of the URI", File: u.PINSource})
	}
	return func(ctx context.Context, name string) (pkcs11.PIN, error) {
		pin, err := s.find(ctx, "PIN", name, "%s wants its PIN")
		return pkcs11.PIN{Value: pin.value, Origin: pin.origin}, err
	}
}

// Unlock logs in to the key's token, before a connection waits for the PIN to
// be typed. It does nothing for a file.
func (id *Identity) Unlock(ctx context.Context) error {
	if id.token == nil {
		return nil
	}
	return id.token.Unlock(ctx)
}

// OnToken is the key as one on a token, nil for a file.
func (id *Identity) OnToken() *pkcs11.Key { return id.token }

// MaxTLS is the highest TLS version that the key can serve; 0: any.
func (id *Identity) MaxTLS() uint16 {
	if id.token == nil {
		return 0
	}
	return id.token.MaxTLS()
}
