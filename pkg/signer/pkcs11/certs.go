package pkcs11

import (
	"context"
	"crypto/x509"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// Certificates are those that a URI names. It logs in only when the token
// shows none without.
func (t *Tokens) Certificates(ctx context.Context, u *uri.URI, source PINSource) ([]*x509.Certificate, error) {
	places, err := t.find(ctx, u)
	if err != nil {
		return nil, err
	}
	var found []*x509.Certificate
	look := func(p place, login bool) error {
		tok := t.token(p)
		tok.mu.Lock()
		defer tok.mu.Unlock()
		if tok.source == nil {
			tok.source = source
		}
		if login && tok.source == nil && !tok.loggedIn {
			return exit.New(exit.Key, "a PIN or password that was given is for the key, which is in a file: save the certificate to a file as well, and name that with --cert (--sign-cert for the signing pair)",
				"no certificate that %s shows without its PIN fits %s", p.name(), Describe(u))
		}
		if err := tok.ready(ctx, login); err != nil {
			return err
		}
		objects, err := tok.objects(ctx)
		for _, o := range objects {
			if o.cert != nil && certFits(o, u) {
				found = append(found, o.cert)
			}
		}
		return err
	}
	for _, p := range places {
		if err := look(p, false); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 && len(places) == 1 && places[0].slot.Token.Flags.Has(p11.LoginRequired) {
		if err := look(places[0], true); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, exit.New(exit.Key, "`cmctl key list` shows what is there", "no certificate on a token fits %s", Describe(u))
	}
	return found, nil
}
