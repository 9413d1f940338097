package cert

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/revstatus"
)

type statusOptions struct {
	f *cmdutil.Factory

	selection       cmdutil.Selection
	crlURL, ocspURL string
	noGateway       bool
	wait            time.Duration
}

func newStatusCmd(f *cmdutil.Factory) *cobra.Command {
	o := &statusOptions{f: f}
	cmd := &cobra.Command{
		Use:   "status {<certid> | <file>}... | --from <file>",
		Short: "Compare what gateway, CRL and OCSP say of certificates",
		Long: `Compare what the gateway, the CRL and the OCSP responder say of certificates,
named by certid (digits), by serial number (0x..., dec:..., or with colons), by
a certificate file, or in a list with --from. Of a certificate that the gateway
does not know, CRL and OCSP are shown.

The CRL is the one at the distribution point in the certificate, or at
--crl-url; it is fetched once for all certificates that name it. The responder
is the one in the certificate, or at --ocsp-url. Signatures are checked against
the issuer, whose certificate comes with the gateway's chain, from the file, or
from where the certificate says. The officer's key is for the gateway only.

The verdict is agree, differ, unproven (a source does not answer, or its answer
is not signed by the issuer, not valid yet or not any more) or no-source. To
differ is no error: a CRL is published by a timetable. It ends with 0 when all
sources answered and are proven, else with 7 (worth another try) or 1, and 3
when that is so for some of several.

--wait 10m waits until each revocation is on the CRL and, where the certificate
names a responder, known there; it ends with 12 when that takes longer, and with
6 at once when the gateway has not revoked one.`,
		Example: `  cmctl cert status 10003
  cmctl cert status server.pem --no-gateway
  cmctl cert status --from done.txt --wait 30m`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.selection.Args = args
			if o.wait < 0 || cmd.Flags().Changed("wait") && o.wait == 0 {
				return exit.Usagef("", "--wait %v: expected more than nothing, such as 10m", o.wait)
			}
			return runStatus(cmd.Context(), o)
		},
	}
	cmdutil.AddListFlags(cmd, &o.selection)
	cmd.Flags().StringVar(&o.crlURL, "crl-url", "", "ask the CRL at `URL` instead of the one named in the certificate")
	cmd.Flags().StringVar(&o.ocspURL, "ocsp-url", "", "ask the OCSP responder at `URL` instead of the one named in the certificate")
	cmd.Flags().BoolVar(&o.noGateway, "no-gateway", false, "ask CRL and OCSP only; takes certificate files, and no officer's key")
	cmdutil.DurationFlag(cmd.Flags(), &o.wait, "wait", 0, "wait for `D`, such as 10m or 1d, until the revocations are published")
	return cmdutil.Columns(cmdutil.Operations(cmd, "getCertificateDetails", "downloadCertificate"), statusNoun.Columns())
}

func runStatus(ctx context.Context, o *statusOptions) error {
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	check, err := o.f.Checker(o.crlURL, o.ocspURL)
	if err != nil {
		return err
	}
	defer check.Close()
	records, err := o.gather(ctx, check)
	if err != nil {
		return err
	}
	if o.wait > 0 {
		if err := revokedAll(records); err != nil {
			return err
		}
	}
	stop := o.ask(ctx, check, records, o.f.WaitProgress(opt))
	var late *revstatus.NotPublishedError
	if stop != nil && !errors.As(stop, &late) {
		return stop
	}
	w := output.NewWriter(statusNoun, o.details(opt, len(records)))
	differ := 0
	for i := range records {
		r := records[i]
		r.judge()
		if r.Verdict == verdictDiffer {
			differ++
		}
		records[i] = r
		if err := w.Write(r.statusRecord); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if differ > 0 && len(records) > 1 {
		o.f.Notice("gateway, CRL and OCSP differ for %d of %s", differ, cmdutil.Plural(len(records), "certificate"))
	}
	if late != nil {
		return late
	}
	return unproven(records)
}

// details shows one certificate as lines: there is more to tell than fits.
func (o *statusOptions) details(opt output.Options, n int) output.Options {
	opt.Details = n == 1
	return opt
}

// ask asks CRL and OCSP about all that have been gathered: once, or until they
// are published.
func (o *statusOptions) ask(ctx context.Context, check *revstatus.Checker, records []gathered, progress interface {
	Set(string, ...any)
	Clear()
}) error {
	targets := make([]revstatus.Target, 0, len(records))
	place := make([]int, 0, len(records))
	for i := range records {
		if records[i].err == nil {
			targets, place = append(targets, records[i].target), append(place, i)
		}
	}
	var results []revstatus.Result
	var err error
	if o.wait > 0 {
		start := time.Now()
		results, err = check.Wait(ctx, targets, o.wait, func(pending int) {
			progress.Set("%d of %d revocations are published, after %v of %v", len(targets)-pending, len(targets), time.Since(start).Round(time.Second), o.wait)
		})
		progress.Clear()
	} else {
		results = check.Check(ctx, targets)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for k, i := range place {
		records[i].CRL, records[i].OCSP = sourceOf(results[k].CRL), sourceOf(results[k].OCSP)
		records[i].result = results[k]
	}
	return err
}

// revokedAll refuses to wait for what will not come.
func revokedAll(records []gathered) error {
	n, first := 0, -1
	for i := range records {
		r := &records[i]
		switch {
		case r.err != nil:
			return r.named(exit.Of(r.err), r.err)
		case r.target.Sourceless():
			return exit.New(exit.Failure, "--crl-url and --ocsp-url name what it does not", "%s names neither CRL nor OCSP responder: there is nothing to wait for", r.name())
		case r.Gateway != nil && r.Gateway.Status == cmapi.StatusActive:
			if n++; first < 0 {
				first = i
			}
		}
	}
	switch {
	case n == 0:
		return nil
	case len(records) == 1:
		return exit.New(exit.WrongState, "", "%s is not revoked: there is nothing to wait for", records[first].name())
	}
	return exit.New(exit.WrongState, "wait for those that were done: `-o id` prints them", "%d of %d are not revoked, the first: %s", n, len(records), records[first].name())
}

// unproven is how it ends when some source did not answer, or not so that it
// counts.
func unproven(records []gathered) error {
	good, first := 0, -1
	code := exit.OK
	for i := range records {
		err := records[i].problem()
		switch c := exit.Of(err); {
		case err == nil:
			good++
		case first < 0:
			first, code = i, c
		case c != code:
			code = exit.Failure
		}
	}
	if first < 0 {
		return nil
	}
	err := records[first].problem()
	if good > 0 {
		code = exit.Partial
	}
	err = records[first].named(code, err)
	if len(records) == 1 {
		return err
	}
	return exit.New(code, exit.HintOf(err), "%d of %d could not be proven, the first: %w", len(records)-good, len(records), err)
}
