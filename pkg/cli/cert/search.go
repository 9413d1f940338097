package cert

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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

	filter  *cmdutil.FilterFlags
	limit   int
	count   bool
	countBy dimension

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
means later than. --match is looked at here, behind the gateway's filters, and
so are mixtures in --status; --limit and --count are of what they leave.

--count-by tells how many match for each issuer, status, reason or month of
validto.`,
		Example: `  cmctl cert search --cn "Demo User"
  cmctl cert search --expires-within 30d --status active --sort validto
  cmctl cert search --revoked-after -12h --reason keyCompromise -o jsonl
  cmctl cert search --match 'subject=^vpn-[0-9]+' --columns certid,validto
  cmctl cert search --org Demo --count
  cmctl cert search --expires-within 365d --count-by month`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.count && o.countBy != "":
				return exit.Usagef("the counts of --count-by add up to that of --count", "--count and --count-by: give one of them")
			case o.count && o.limit > 0:
				return exit.Usagef("", "--count counts all that match: leave --limit out")
			case o.countBy != "" && o.limit > 0:
				return exit.Usagef("", "--count-by counts all that match: leave --limit out")
			}
			if o.parallel < 1 || o.parallel > 32 {
				return exit.Usagef("", "--parallel %d: expected 1 to 32", o.parallel)
			}
			return runSearch(cmd.Context(), o)
		},
	}
	o.filter = cmdutil.AddFilterFlags(cmd)
	cmdutil.CountFlag(cmd, &o.limit, "limit", 0, 1, "stop after `N` certificates; with --sort, print the first N")
	cmd.Flags().BoolVar(&o.count, "count", false, "print only how many match")
	cmdutil.EnumFlag(cmd, &o.countBy, "count-by", "print how many match for each value of", dimensions(), cmdutil.OneOf[dimension](dimensions()...))
	cmd.Flags().IntVar(&o.parallel, "parallel", search.DefaultParallel, "read `N` pages at a time, 1 to 32")
	cmdutil.ColumnsWith(cmd, "count-by", countNoun.Columns())
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
	if o.count && (opt.Record != nil || opt.Filter != nil || opt.Columns != nil || len(opt.Sort) > 0) {
		return exit.Usagef("--count-by prints records", "--count prints one number: -o template, --jq, --columns and --sort do not go with it")
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	r := reader{o, query, client.Certificates, search.Options{Parallel: o.parallel, Notice: func(msg string) { o.f.Notice("%s", msg) }}}
	switch {
	case o.count:
		n, err := query.Count(ctx, r.from, r.how)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(opt.Out, n)
		return err
	case o.countBy != "":
		return r.countBy(ctx, opt)
	}
	return r.list(ctx, opt)
}

// reader reads what a search finds.
type reader struct {
	o     *searchOptions
	query cmdutil.Query
	from  search.Lister
	how   search.Options
}

func (r reader) list(ctx context.Context, opt output.Options) error {
	sorted := len(opt.Sort) > 0
	cut := opt.Format == output.Table && opt.TTY && r.o.limit == 0
	switch {
	case !cut:
		opt.RowLimit = 0
		if opt.Limit = r.o.limit; !sorted {
			r.how.Limit = r.o.limit
		}
	case !sorted:
		r.how.Limit = opt.RowLimit + 1 // one more tells that there are more
	}
	if opt.Format != output.Table && opt.Format != output.Wide && opt.Filter == nil && !sorted {
		defer spaciously()()
	}
	opt.Cut = func(rows, _ int) {
		r.o.f.Warn("the table stops at %d rows and more match: -o tsv, a pipe or --limit shows them", rows)
	}
	w := output.NewWriter(certificateNoun, opt)
	n, err := r.read(ctx, opt, func(cs []cmapi.Certificate) error { return w.Write(cs...) })
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
	case n == 0:
		r.o.f.Notice("no certificate matches")
	}
	return nil
}

// read tells people how far it is.
func (r reader) read(ctx context.Context, opt output.Options, emit func([]cmapi.Certificate) error) (n int, err error) {
	progress := r.o.f.Progress(opt)
	defer progress.Clear()
	start := time.Now()
	err = r.query.Run(ctx, r.from, r.how, func(cs []cmapi.Certificate) error {
		if n += len(cs); time.Since(start) > time.Second {
			progress.Set("%d certificates read", n)
		}
		return emit(cs)
	})
	return n, err
}

// spaciously lets the heap of a listing that streams grow to more than three
// times what is in use, some MiB, before garbage is collected, which would take
// a fifth of the time. Where GOGC is set, that counts.
func spaciously() (restore func()) {
	const usual, more = 100, 250
	before := debug.SetGCPercent(more)
	if before != usual {
		debug.SetGCPercent(before)
	}
	return func() { debug.SetGCPercent(before) }
}
