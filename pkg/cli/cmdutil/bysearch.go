package cmdutil

import (
	"context"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/search"
)

// bySearch takes what a search finds. A listing that is not proven complete
// ends it.
func (s *Selection) bySearch(f *Factory) (source, error) {
	query, err := s.Query(f)
	if err != nil {
		return nil, err
	}
	if err := s.needReason(); err != nil {
		return nil, err
	}
	return func(ctx context.Context, emit func(bulk.Item, bulk.Facts) error) error {
		c, err := f.Client(ctx)
		if err != nil {
			return err
		}
		return Listed(ctx, f, c, query, func(cert *cmapi.Certificate) error {
			return emit(bulk.Item{Key: cert.CertID, Group: s.Reason}, factsOf(cert))
		})
	}, nil
}

// Listed hands out everything that matches.
func Listed(ctx context.Context, f *Factory, c *cmapi.Client, q Query, emit func(*cmapi.Certificate) error) error {
	o := search.Options{Notice: func(msg string) { f.Notice("%s", msg) }}
	return q.Run(ctx, c.Certificates, o, func(certs []cmapi.Certificate) error {
		for i := range certs {
			if err := emit(&certs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Query is the search of --search. The filters stand in one word, written as
// for `cert search` and the shell. None at all would mean every certificate,
// and is what a variable that is not set gives.
func (s *Selection) Query(f *Factory) (Query, error) {
	const hint = "write them as for `cmctl cert search`, in quotes: --search '--ou Logistics --not-revoked'"
	words, err := shellquote.Split(s.Search)
	if err != nil {
		return Query{}, exit.Usagef(hint, "--search: %w", err)
	}
	fs := pflag.NewFlagSet("search", pflag.ContinueOnError)
	fs.Usage = func() {}
	filters := NewFilterFlags(fs)
	once(fs)
	err = fs.Parse(words)
	switch {
	case err != nil:
		return Query{}, exit.Usagef(hint, "--search: %v", FlagError(err)) // not wrapped: a flag --help in it is no call for help
	case fs.NArg() > 0:
		return Query{}, exit.Usagef(hint, "--search: %q is no filter", fs.Arg(0))
	case fs.NFlag() == 0:
		return Query{}, exit.Usagef(hint, "--search: no filter is given")
	}
	q, err := filters.Query(f.Now())
	if err != nil {
		return q, exit.Usagef(exit.HintOf(err), "--search: %w", err)
	}
	return q, nil
}
