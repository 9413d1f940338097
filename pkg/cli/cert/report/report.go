// Package report is `cmctl cert report`: counts over certificates, for people
// who plan and for jobs that warn. It reads a whole listing and keeps sums
// only, so that memory does not grow with the number of certificates.
package report

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/search"
)

// NewCmd makes the verbs below `cmctl cert report`.
func NewCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Count certificates by week, issuer and organisation",
	}
	cmd.AddCommand(newExpiringCmd(f))
	return cmd
}

// The documents that --format makes.
const (
	formatMarkdown = "markdown"
	formatHTML     = "html"
)

type expiringOptions struct {
	f *cmdutil.Factory

	filter             *cmdutil.FilterFlags
	within, failWithin string
	format, out        string
	force              bool
	parallel           int
}

// contrary are the filters that --within stands for: refused, and not in help.
var contrary = []string{"expires-within", "expires-after", "expires-before", "expired"}

func newExpiringCmd(f *cmdutil.Factory) *cobra.Command {
	o := &expiringOptions{f: f}
	cmd := &cobra.Command{
		Use:   "expiring [flags]",
		Short: "Report which certificates expire soon, by week, issuer and organisation",
		Long: `Report which certificates expire soon, by week, issuer and organisation.

It counts every certificate that matches the filters, is not revoked or on hold
(unless a filter on revocation is given) and expires between now and --within.
On a terminal it draws a histogram; -o prints the counts as rows, and --format
makes a document: markdown, or one HTML page that needs nothing else.

Weeks are those of ISO 8601, from Monday, in UTC. The organisation is the value
before the country in the subject as the gateway shows it, where the gateway
finds certificates of an organisation of that name.

--fail-within 14d ends with 11 when any certificate counted expires so soon; the
report is printed all the same. It ends with 3 when the listing behind it is not
proven complete.`,
		Example: `  cmctl cert report expiring
  cmctl cert report expiring --within 30d --issuer "cn=Demo Issuing CA,o=Demo,c=SE" -o json
  cmctl cert report expiring --format html --out expiring.html
  cmctl cert report expiring --within 14d --fail-within 14d --quiet || mail -s 'certificates expire' pki@example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.parallel < 1 || o.parallel > 32 {
				return exit.Usagef("", "--parallel %d: expected 1 to 32", o.parallel)
			}
			for _, name := range contrary {
				if cmd.Flags().Changed(name) {
					return exit.Usagef("", "--%s: the report is on what expires from now until --within", name)
				}
			}
			return runExpiring(cmd.Context(), o)
		},
	}
	o.filter = cmdutil.AddFilterFlags(cmd)
	for _, name := range contrary {
		_ = cmd.Flags().MarkHidden(name)
	}
	cmd.Flags().StringVar(&o.within, "within", "90d", "count what expires until this `time`, such as 30d or a date")
	cmd.Flags().StringVar(&o.failWithin, "fail-within", "", "end with 11 when something expires until this `time`, such as 14d")
	cmdutil.EnumFlag(cmd, &o.format, "format", "make a document instead of rows", []string{formatMarkdown, formatHTML}, cmdutil.OneOf[string](formatMarkdown, formatHTML))
	cmd.Flags().StringVar(&o.out, "out", "", "write the document to a `file` instead of standard output")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace a file that exists")
	cmd.Flags().IntVar(&o.parallel, "parallel", search.DefaultParallel, "read `N` pages at a time, 1 to 32")
	return cmdutil.Columns(cmdutil.Operations(cmd, "listCertificates"), rowNoun.Columns())
}

func runExpiring(ctx context.Context, o *expiringOptions) error {
	now := o.f.Now()
	counts, query, err := o.read(now)
	if err != nil {
		return err
	}
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	if o.format != "" && o.f.FormatGiven() {
		return exit.Usagef("", "-o and --format are two forms of one output: give one")
	}
	if o.out != "" && o.format == "" {
		return exit.Usagef("or redirect the output: > "+o.out, "--out is for the documents of --format")
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	var file *cmdutil.OutFile
	if o.out != "" {
		if file, err = o.f.Files().Create(o.out, o.force); err != nil {
			return err
		}
		defer file.Discard()
	}
	progress := o.f.Progress(opt)
	err = query.Run(ctx, client.Certificates, search.Options{Parallel: o.parallel, Notice: func(msg string) { o.f.Notice("%s", msg) }}, func(cs []cmapi.Certificate) error {
		counts.add(cs)
		if time.Since(now) > time.Second {
			progress.Set("%d certificates counted", counts.total)
		}
		return nil
	})
	progress.Clear()
	var incomplete *search.IncompleteError
	if err != nil && !errors.As(err, &incomplete) {
		return err
	}
	if err := counts.nameOrganisations(ctx, client.Certificates, query.Filter); err != nil {
		return err
	}
	r := counts.report()
	if s, err := o.f.Settings(); err == nil {
		r.Gateway = s.Server
	}
	r.Incomplete = incomplete != nil
	if err := o.print(r, opt, file); err != nil {
		return err
	}
	switch {
	case incomplete != nil:
		return incomplete
	case counts.soon > 0:
		return exit.New(exit.FailWithin, "", "%s before %s (--fail-within %s)", expire(counts.soon), pki.FormatTime(counts.failUntil), o.failWithin)
	}
	return nil
}

// expire is "1 certificate expires", "3 certificates expire".
func expire(n int) string {
	text := cmdutil.Plural(n, "certificate") + " expire"
	if n == 1 {
		text += "s"
	}
	return text
}

// read turns the flags into empty sums and the query to fill them by.
func (o *expiringOptions) read(now time.Time) (*counts, cmdutil.Query, error) {
	query, err := o.filter.Query(now)
	if err != nil {
		return nil, query, err
	}
	c := newCounts(now)
	if c.until, err = ahead("within", o.within, now); err != nil {
		return nil, query, err
	}
	if o.failWithin != "" {
		if c.failUntil, err = ahead("fail-within", o.failWithin, now); err != nil {
			return nil, query, err
		}
		if c.failUntil.After(c.until) {
			return nil, query, exit.Usagef("give a longer --within", "--fail-within %s reaches beyond --within %s", o.failWithin, o.within)
		}
	}
	f := &query.Filter
	f.ValidToTimeFrom, f.ValidToTimeTo = now, c.until
	if !o.filter.AsksState() && len(f.RevocationReason) == 0 && f.RevocationTimeFrom.IsZero() && f.RevocationTimeTo.IsZero() {
		f.IsNotRevoked = true
	}
	return c, query, nil
}

func ahead(flag, text string, now time.Time) (time.Time, error) {
	t, err := pki.ParseTime(text, now)
	switch {
	case err != nil:
		return t, exit.Usagef(exit.HintOf(err), "--%s: %w", flag, err)
	case !t.After(now):
		return t, exit.Usagef("such as 30d or a date to come", "--%s %s is not in the future", flag, text)
	}
	return t, nil
}

// print prints the report in the form asked for.
func (o *expiringOptions) print(r *Report, opt output.Options, file *cmdutil.OutFile) error {
	var text []byte
	var err error
	switch {
	case o.format == formatMarkdown:
		text = r.markdown()
	case o.format == formatHTML:
		text, err = r.html()
	case opt.Format == output.Table && opt.Columns == nil && opt.Sort == nil:
		text = r.histogram(opt.Width, opt.Color)
	default:
		return output.Print(rowNoun, opt, r.rows()...)
	}
	switch {
	case err != nil:
		return err
	case file != nil:
		return file.Commit(text)
	}
	_, err = output.Raw(opt.Out).Write(text)
	return err
}
