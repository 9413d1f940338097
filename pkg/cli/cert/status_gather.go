package cert

import (
	"context"
	"crypto/x509"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/revstatus"
)

// gathered is a certificate on its way: what the gateway says, and what CRL and
// OCSP are to be asked.
type gathered struct {
	statusRecord

	input  string
	target revstatus.Target
	result revstatus.Result
	err    error // nothing can be asked
}

// name is what messages call it.
func (g *gathered) name() string {
	if g.CertID != "" {
		return "certificate " + g.CertID
	}
	return g.input
}

// named is an error that says of which certificate it is; that of one which the
// gateway does not know does so itself.
func (g *gathered) named(code exit.Code, err error) error {
	if g.err != nil && g.Subject == "" && exit.Of(g.err) == exit.NotFound {
		return exit.New(code, exit.HintOf(err), "%w", err)
	}
	return exit.New(code, exit.HintOf(err), "%s: %w", g.name(), err)
}

// problem is the first thing that keeps the record from being proven.
func (g *gathered) problem() error {
	switch {
	case g.err != nil:
		return g.err
	case g.result.CRL.Err != nil:
		return g.result.CRL.Err
	}
	return g.result.OCSP.Err
}

const (
	gatherers = 8 // certificates fetched at a time
	maxFile   = 16 << 20
)

// gather reads what was selected, and asks the gateway about it.
func (o *statusOptions) gather(ctx context.Context, check *revstatus.Checker) ([]gathered, error) {
	entries, err := o.entries(check)
	if err != nil {
		return nil, err
	}
	var client *cmapi.Client
	if o.gatewayNeeded(entries) {
		if client, err = o.f.Client(ctx); err != nil {
			return nil, err
		}
	}
	records := make([]gathered, len(entries))
	var g errgroup.Group
	g.SetLimit(gatherers)
	for i, e := range entries {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			records[i] = gatherOne(ctx, o.f, client, check, e)
			return fatal(records[i].err)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return once(records), nil
}

// fatal keeps what concerns the gateway and not the one certificate.
func fatal(err error) error {
	switch exit.Of(err) {
	case exit.Refused, exit.Key, exit.Identity, exit.Usage:
		return err
	}
	return nil
}

// once drops certificates that were named before.
func once(records []gathered) []gathered {
	seen := map[string]bool{}
	return slices.DeleteFunc(records, func(g gathered) bool {
		if g.CertID == "" {
			return false
		}
		again := seen[g.CertID]
		seen[g.CertID] = true
		return again
	})
}

// entries are the certificates selected. An argument that reads as a certid or
// a serial is one; else it names a file.
func (o *statusOptions) entries(check *revstatus.Checker) ([]cmdutil.Entry, error) {
	if o.selection.From != "" || len(o.selection.Args) == 0 {
		return o.selection.Entries(o.f)
	}
	var entries []cmdutil.Entry
	for _, arg := range o.selection.Args {
		e, err := cmdutil.ParseEntry(arg, o.selection.As)
		if err == nil {
			entries = append(entries, e)
			continue
		}
		if _, statErr := os.Stat(arg); statErr != nil && arg != "-" {
			return nil, exit.Usagef("name certificates by certid, serial or file", "%w, and no file is called so", err)
		}
		found, err := fileEntries(o.f, check, arg)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

// fileEntries are the certificates of a file but for those that issued others
// in it: of a chain, its end.
func fileEntries(f *cmdutil.Factory, check *revstatus.Checker, path string) ([]cmdutil.Entry, error) {
	data, err := f.ReadInput(path, maxFile)
	if err != nil {
		return nil, err
	}
	certs, err := pki.ReadCertificates(cmdutil.InputName(path), data)
	if err != nil {
		return nil, err
	}
	check.Know(certs...)
	var entries []cmdutil.Entry
	for i, c := range certs {
		issued := func(other *x509.Certificate) bool { return other != c && other.CheckSignatureFrom(c) == nil }
		if slices.ContainsFunc(certs, issued) {
			continue
		}
		e := cmdutil.Entry{List: cmdutil.InputName(path), Input: cmdutil.InputName(path), Certificate: c}
		if len(certs) > 1 {
			e.Line = i + 1
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// gatewayNeeded says whether the gateway is asked: not for files alone when
// there is none to ask.
func (o *statusOptions) gatewayNeeded(entries []cmdutil.Entry) bool {
	if o.noGateway {
		return false
	}
	for _, e := range entries {
		if e.Certificate == nil {
			return true
		}
	}
	s, err := o.f.Settings()
	return err == nil && s.NeedServer() == nil
}

// gatherOne asks the gateway about one certificate, and finds its issuer.
func gatherOne(ctx context.Context, f *cmdutil.Factory, client *cmapi.Client, check *revstatus.Checker, e cmdutil.Entry) gathered {
	g := gathered{input: e.Input}
	g.CertID, g.Serial = e.CertID, e.Serial
	if e.Certificate != nil {
		g.ofFile(e.Certificate)
	}
	if client == nil && e.Certificate == nil {
		g.err = exit.Usagef("leave --no-gateway out, or name certificate files", "%s: only the gateway knows it", e.Input)
		return g
	}
	if client != nil {
		g.err = g.askGateway(ctx, f, client, e)
	}
	switch {
	case g.err != nil:
	case e.Certificate != nil:
		if g.target = check.Target(e.Certificate, nil); !g.target.Sourceless() {
			g.target.Issuer, g.err = check.Issuer(ctx, e.Certificate)
		}
	default:
		g.target, g.err = cmdutil.RevocationTarget(ctx, client, check, g.CertID)
	}
	g.target.OnHold = g.Gateway == nil || g.Gateway.Status != cmapi.StatusRevoked || g.Gateway.Reason == pki.CertificateHold.String()
	return g
}

func (g *gathered) askGateway(ctx context.Context, f *cmdutil.Factory, client *cmapi.Client, e cmdutil.Entry) error {
	items, err := cmdutil.Resolve(ctx, f, client, []cmdutil.Entry{e})
	var cert *cmapi.Certificate
	if err == nil {
		if cert, err = client.Certificates.Details(ctx, items[0].Key); exit.Of(err) == exit.NotFound {
			err = notFound(items[0].Key, err)
		}
	}
	if exit.Of(err) == exit.NotFound {
		g.Gateway = &stateOf{Status: gatewayUnknown}
		if e.Certificate != nil { // CRL and OCSP may tell of it
			return nil
		}
	}
	if err != nil {
		return err
	}
	g.CertID, g.Serial, g.Subject, g.Issuer = cert.CertID, cert.Serial, cert.Subject, cert.Issuer
	g.ValidTo = seconds(cert.ValidTo)
	g.Gateway = &stateOf{Status: cert.Status, Reason: cert.Reason, RevocationTime: seconds(cert.RevocationTime)}
	return nil
}

func (g *gathered) ofFile(c *x509.Certificate) {
	g.Serial, g.Subject, g.Issuer, g.ValidTo = pki.SerialOf(c.SerialNumber), pki.DN(c.RawSubject), pki.DN(c.RawIssuer), c.NotAfter
}
