package key

import (
	"context"
	"crypto"
	"crypto/x509"
	"os"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

type listOptions struct {
	f *cmdutil.Factory

	uri   *uri.URI
	login bool
}

func newListCmd(f *cmdutil.Factory) *cobra.Command {
	o := &listOptions{f: f}
	cmd := &cobra.Command{
		Use:   "list [pkcs11: URI]",
		Short: "List the keys on tokens, with the URIs to use them by",
		Long: `List the keys on tokens and HSMs, each with its certificate and the URI to use
it by, and whether the settings use it for TLS or for signing. A URI narrows the
list, and one that names a token or a key which is not there ends with 8, as
with "cmctl key show". Nothing is asked for: what a token hides until the PIN is
given is not shown, unless --login is given.

The states are: key (the private key is there), hidden (a certificate or public
key whose private key shows after the login), other (a key that does not sign),
none (a token that shows no key), empty (a module without token), error.`,
		Example: `  cmctl key list
  cmctl key list 'pkcs11:token=Officer%20card' --login
  cmctl key list -o id`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.uri, err = parse(args); err != nil {
				return err
			}
			return runList(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.login, "login", false, loginUsage)
	return cmdutil.Columns(cmd, keyNoun.Columns())
}

func runList(ctx context.Context, o *listOptions) error {
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	list, skipped, err := look(ctx, o.f, o.uri, o.login)
	if err != nil {
		return err
	}
	if u := o.uri; u.ID != nil || u.Object != nil || u.Type != nil {
		if err := notShown(u, list); err != nil {
			return err
		}
	}
	notes(o.f, list, skipped)
	w := output.NewWriter(keyNoun, opt)
	if err := w.Write(list...); err != nil {
		return err
	}
	return w.End(failure(list))
}

// look reads the tokens.
func look(ctx context.Context, f *cmdutil.Factory, u *uri.URI, login bool) ([]record, []string, error) {
	tokens, err := f.Tokens()
	if err != nil {
		return nil, nil, err
	}
	var source pkcs11.PINSource
	if login {
		source = f.PINSource(u)
	}
	views, skipped, err := tokens.View(ctx, u, source)
	if err != nil {
		return nil, nil, err
	}
	use, err := uses(ctx, f, tokens)
	if err != nil {
		return nil, nil, err
	}
	return records(views, use), skipped, nil
}

// uses tells what the settings use a key for.
func uses(ctx context.Context, f *cmdutil.Factory, tokens *pkcs11.Tokens) (func(pkcs11.KeyView) []string, error) {
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	type role struct {
		word string
		uses func(pkcs11.KeyView) bool
	}
	var roles []role
	for _, r := range []struct {
		word string
		pair config.Pair
	}{{"TLS", s.TLS}, {"signing", s.Sign}} {
		keys, certs := named(ctx, tokens, r.pair)
		roles = append(roles, role{r.word, func(k pkcs11.KeyView) bool {
			return keys[k.URI] || k.Public != nil && belongs(certs, k.Public)
		}})
	}
	return func(k pkcs11.KeyView) (words []string) {
		for _, r := range roles {
			if r.uses(k) {
				words = append(words, r.word)
			}
		}
		return words
	}, nil
}

// named are the keys that a pair's URI names, and the certificates of its file.
// What cannot be read names none: a list is no place to complain of that.
func named(ctx context.Context, tokens *pkcs11.Tokens, p config.Pair) (map[string]bool, []*x509.Certificate) {
	keys := map[string]bool{}
	ref := p.Key
	if ref == "" {
		ref = p.Cert
	}
	if uri.Is(ref) {
		if u, err := uri.Parse(ref); err == nil {
			views, _, _ := tokens.View(ctx, u, nil)
			for _, m := range views {
				for _, t := range m.Tokens {
					for _, k := range t.Keys {
						keys[k.URI] = true
					}
				}
			}
		}
		if len(keys) > 1 { // it names none of them alone
			keys = nil
		}
	}
	if p.Cert == "" || uri.Is(p.Cert) {
		return keys, nil
	}
	data, err := os.ReadFile(p.Cert)
	if err != nil {
		return keys, nil
	}
	certs, err := pki.ReadCertificates(p.Cert, data)
	if err != nil {
		return keys, nil
	}
	return keys, certs
}

func belongs(certs []*x509.Certificate, pub crypto.PublicKey) bool {
	for _, c := range certs {
		if k, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && !c.IsCA && k.Equal(pub) {
			return true
		}
	}
	return false
}
