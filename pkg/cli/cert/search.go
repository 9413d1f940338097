package cert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/search"
)

type searchOptions struct {
	f *cmdutil.Factory

	filter *cmdutil.FilterFlags
	limit  int
	count  bool

	parallel int
}

func newSearchCmd(f *cmdutil.Factory) *cobra.Command {
	o := &searchOptions{f: f}
	cmd := &cobra.Command{
		Use:   "search [flags]",
		Short: "List the certificates that match, all of them",
		Long: `List the certificates that match every filter given.

The listing is complete unless --limit is given; when that cannot be proved, it
ends with exit code 3. On a terminal the table stops at 500 rows and says so;
pipes and files are never cut. Only end entities are listed unless --type says
otherwise.

Text is compared exactly and without case. Times are RFC 3339, a date, now, or
relative to now such as 30d or -12h; the filters on times are exclusive: after
means later than.`,
		Example: `  cmctl cert search --cn "Demo User"
  cmctl cert search --expires-within 30d --not-revoked
  cmctl cert search --revoked-after -12h --reason keyCompromise -o jsonl
  cmctl cert search --org Demo --count`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.limit < 0 || cmd.Flags().Changed("limit") && o.limit == 0 {
				return exit.Usagef("", "--limit %d: expected 1 or more", o.limit)
			}
			if o.count && o.limit > 0 {
				return exit.Usagef("", "--count counts all that match: leave --limit out")
			}
			if o.parallel < 1 || o.parallel > 32 {
				return exit.Usagef("", "--parallel %d: expected 1 to 32", o.parallel)
			}
			return runSearch(cmd.Context(), o)
		},
	}
	o.filter = cmdutil.AddFilterFlags(cmd)
	cmd.Flags().IntVar(&o.limit, "limit", 0, "stop after `N` certificates")
	cmd.Flags().BoolVar(&o.count, "count", false, "print only how many match")
	cmd.Flags().IntVar(&o.parallel, "parallel", search.DefaultParallel, "read `N` pages at a time, 1 to 32")
	return cmdutil.Columns(cmdutil.Operations(cmd, "listCertificates"), certificateNoun.Columns())
}

func runSearch(ctx context.Context, o *searchOptions) error {
	query, err := o.filter.Query(o.f.Now())
	if err != nil {
		return err
	}
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	if o.count {
		n, err := query.Count(ctx, client.Certificates, search.Options{Parallel: o.parallel})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(opt.Out, n)
		return err
	}
	limit := o.limit
	cut := opt.Format == output.Table && opt.TTY && limit == 0
	if cut {
		limit = opt.RowLimit + 1 // one more tells that there are more
	} else {
		opt.RowLimit = 0
	}
	w := output.NewWriter(certificateNoun, opt)
	progress := o.f.Progress(opt)
	start := time.Now()
	n := 0
	err = query.Run(ctx, client.Certificates, search.Options{Limit: limit, Parallel: o.parallel, Notice: func(msg string) { o.f.Notice("%s", msg) }}, func(cs []cmapi.Certificate) error {
		if n += len(cs); time.Since(start) > time.Second {
			progress.Set("%d certificates read", n)
		}
		return w.Write(cs...)
	})
	progress.Clear()
	var incomplete *search.IncompleteError
	if err != nil && !errors.As(err, &incomplete) && n == 0 {
		return err
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		return err
	case w.Truncated():
		o.f.Warn("the table stops at %d rows and more match: -o tsv, a pipe or --limit shows them", opt.RowLimit)
	case n == 0:
		o.f.Notice("no certificate matches")
	}
	return nil
}
