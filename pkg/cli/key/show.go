package key

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

type showOptions struct {
	f *cmdutil.Factory

	uris  []*uri.URI
	login bool
}

func newShowCmd(f *cmdutil.Factory) *cobra.Command {
	o := &showOptions{f: f}
	cmd := &cobra.Command{
		Use:   "show [pkcs11: URI]",
		Short: "Show a key on a token: certificate, PIN state, what it can sign",
		Long: `Show a key on a token: its certificate, whether it wants the PIN for each
signature, how the token's PIN stands, and what TLS signatures the two can make.
Without a URI, show the keys that the settings name. No PIN is asked for, unless
--login is given.`,
		Example: `  cmctl key show
  cmctl key show 'pkcs11:token=Officer%20card;id=%02' -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.uris, err = showURIs(f, args); err != nil {
				return err
			}
			return runShow(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.login, "login", false, loginUsage)
	return cmdutil.Columns(cmd, keyNoun.Columns())
}

// showURIs are those of the command line, else of the settings.
func showURIs(f *cmdutil.Factory, args []string) ([]*uri.URI, error) {
	if len(args) == 1 {
		u, err := parse(args)
		return []*uri.URI{u}, err
	}
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, ref := range []string{s.TLS.Key, s.TLS.Cert, s.Sign.Key, s.Sign.Cert} {
		if uri.Is(ref) && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil, exit.Usagef("name one; `cmctl key list` shows those there are", "the settings name no key on a token")
	}
	var uris []*uri.URI
	for _, ref := range refs {
		u, err := uri.Parse(ref)
		if err != nil {
			return nil, err
		}
		uris = append(uris, u)
	}
	return uris, nil
}

func runShow(ctx context.Context, o *showOptions) error {
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	opt.Details = true
	w := output.NewWriter(keyNoun, opt)
	for _, u := range o.uris {
		list, _, err := look(ctx, o.f, u, o.login)
		if err != nil {
			return w.End(err)
		}
		if err := w.Write(shown(list)...); err != nil {
			return err
		}
		if err := notShown(u, list); err != nil {
			return w.End(err)
		}
	}
	return w.End(nil)
}

func shown(list []record) []record {
	return slices.DeleteFunc(slices.Clone(list), func(r record) bool {
		return r.State == stateEmpty || r.State == stateError || r.State == stateNoKey
	})
}

// notShown is the error for a URI that names no key.
func notShown(u *uri.URI, list []record) error {
	if len(shown(list)) > 0 {
		return nil
	}
	for _, r := range list {
		if r.err != nil {
			return failure([]record{r})
		}
	}
	return exit.New(exit.Key, "is the card in the reader? A token may show more with --login", "no key fits %s", pkcs11.Describe(u))
}
