package cert

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

type issueOptions struct {
	f *cmdutil.Factory

	files              []string
	procedure          string
	validFrom, validTo string
	target             target
}

// csr is one request and the file it came from.
type csr struct {
	file string
	req  *pki.Request
}

func newIssueCmd(f *cmdutil.Factory) *cobra.Command {
	o := &issueOptions{f: f}
	cmd := &cobra.Command{
		Use:   "issue <csr>...",
		Short: "Issue certificates from PKCS#10 requests",
		Long: `Issue a certificate for each PKCS#10 request: PEM, DER or Base64, - for standard
input. The requests and their signatures are checked before anything is sent.

PEM goes to standard output unless --out or --out-dir is given; with -o json the
record goes there, with the PEM in it. When an answer is lost, the certificate
is looked for; nothing is asked for twice.`,
		Example: `  cmctl cert issue server.csr --procedure "PKCS#10 Procedure" --out server.pem
  cmctl cert issue server.csr --valid-to 90d -o json`,
		Args: cmdutil.AtLeastOne("certificate request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = args
			return runIssue(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.procedure, "procedure", "", "token procedure, `name or id`; the gateway's default when absent (API: procname)")
	cmdutil.CompleteProcedureFlag(cmd, f, "procedure")
	cmd.Flags().StringVar(&o.validFrom, "valid-from", "", "wanted start of validity, a `time` such as 2026-01-31 or 1d (API: validfrom)")
	cmd.Flags().StringVar(&o.validTo, "valid-to", "", "wanted end of validity, a `time` such as 2027-01-31 or 90d (API: validto)")
	o.target.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "issueCertificatePkcs10"), storedNoun.Columns())
}

// maxCSR is the most bytes that are read of a request.
const maxCSR = pki.MaxRequest

func runIssue(ctx context.Context, o *issueOptions) error {
	f := o.f
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	in, err := o.request()
	if err != nil {
		return err
	}
	requests, err := o.readRequests()
	if err != nil {
		return err
	}
	if err := o.target.check(len(requests), opt); err != nil {
		return err
	}
	limits := cmdutil.Limits{Max: -1, Expect: -1}
	if err := limits.Check(f, len(requests)); err != nil {
		return err
	}
	if err := cmdutil.AskFirst(f); err != nil {
		return err
	}
	files, err := o.target.create(stems(requests))
	if err != nil {
		return err
	}
	defer discard(files)
	client, err := f.Client(ctx)
	if err != nil {
		return err
	}
	if o.procedure != "" {
		p, err := cmdutil.FindProcedure(ctx, client, o.procedure)
		if err != nil {
			return err
		}
		in.Procedure = p.Name
	}
	signer, err := f.Signer(ctx)
	if err != nil {
		return err
	}
	if err := cmdutil.Confirm(ctx, f, o.write(requests, in)); err != nil {
		return err
	}
	runner := &ops.Runner{Client: client, Signer: signer, Notice: func(s string) { f.Notice("%s", s) }}
	return o.issueAll(ctx, runner, requests, files, in, opt)
}

// request checks the flags that go into every request.
func (o *issueOptions) request() (cmapi.IssueRequest, error) {
	in := cmapi.IssueRequest{Media: o.target.form.media()}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"valid-from", o.validFrom, &in.ValidFrom}, {"valid-to", o.validTo, &in.ValidTo}} {
		if t.text == "" {
			continue
		}
		at, err := pki.ParseTime(t.text, o.f.Now())
		if err != nil {
			return in, exit.Usagef(exit.HintOf(err), "--%s: %w", t.name, err)
		}
		*t.to = at
	}
	if !in.ValidTo.IsZero() && !in.ValidTo.After(in.ValidFrom) {
		return in, exit.Usagef("", "--valid-to %s is not after --valid-from %s", pki.FormatTime(in.ValidTo), pki.FormatTime(in.ValidFrom))
	}
	if !in.ValidTo.IsZero() && in.ValidTo.Before(o.f.Now()) {
		return in, exit.Usagef("", "--valid-to %s lies in the past", pki.FormatTime(in.ValidTo))
	}
	return in, nil
}

func (o *issueOptions) readRequests() ([]csr, error) {
	out := make([]csr, len(o.files))
	for i, file := range o.files {
		data, err := o.f.ReadInput(file, maxCSR)
		if err != nil {
			return nil, err
		}
		req, err := pki.ReadRequest(cmdutil.InputName(file), data)
		if err != nil {
			return nil, err
		}
		out[i] = csr{file, req}
	}
	return out, nil
}

// stems are the names of output files: those of the requests without ending.
func stems(requests []csr) []string {
	out := make([]string, len(requests))
	for i, r := range requests {
		base := filepath.Base(r.file)
		if r.file == "-" {
			base = "certificate"
		}
		out[i] = strings.TrimSuffix(base, filepath.Ext(base))
	}
	return out
}

// write is the question before issuing.
func (o *issueOptions) write(requests []csr, in cmapi.IssueRequest) cmdutil.Write {
	w := cmdutil.Write{
		Describe: "issue by the gateway's default procedure", Undo: "cmctl cert revoke",
		Noun: "certificate", Count: len(requests), Signatures: len(requests),
	}
	if in.Procedure != "" {
		w.Describe = fmt.Sprintf("issue by procedure %q", in.Procedure)
	}
	for _, r := range requests {
		line := r.file + "  " + pki.DN(r.req.CSR.RawSubject)
		if sans := r.req.CSR.DNSNames; len(sans) > 0 {
			line += ", names " + strings.Join(sans, " ")
		}
		w.Items = append(w.Items, output.Escape(line))
	}
	return w
}

// issueAll issues one certificate after the other. What fails does not stop
// the others, unless it would fail them too.
func (o *issueOptions) issueAll(ctx context.Context, runner *ops.Runner, requests []csr, files []*cmdutil.OutFile, in cmapi.IssueRequest, opt output.Options) error {
	records := o.target.toFiles() || o.f.FormatGiven()
	w := output.NewWriter(storedNoun, opt)
	var failed []error
	done := 0
	for i, r := range requests {
		got, err := runner.Issue(ctx, r.req, in)
		if err != nil {
			err = exit.New(exit.Of(err), exit.HintOf(err), "%s: %w", cmdutil.InputName(r.file), err)
			failed = append(failed, err)
			if code := exit.Of(err); stops(code) {
				break
			}
			continue
		}
		done++
		if err := o.put(r, got, files[i], records, len(requests) > 1, w, opt); err != nil {
			failed = append(failed, err)
			break
		}
	}
	if records {
		if err := w.Close(); err != nil {
			return err
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(requests) == 1 || stops(exit.Of(failed[len(failed)-1])):
		return failed[len(failed)-1]
	case done > 0:
		return exit.New(exit.Partial, exit.HintOf(failed[0]), "%d of %d certificates issued: %w", done, len(requests), errors.Join(failed...))
	}
	return exit.New(exit.Of(failed[0]), exit.HintOf(failed[0]), "%w", errors.Join(failed...))
}

// stops tells the exit codes after which the next request would fare no
// better.
func stops(c exit.Code) bool {
	switch c {
	case exit.Refused, exit.Unavailable, exit.Key, exit.Identity, exit.Declined:
		return true
	}
	return c >= exit.Hangup
}

func (o *issueOptions) put(r csr, got *ops.Issuance, file *cmdutil.OutFile, records, several bool, w *output.Writer[stored], opt output.Options) error {
	rec := stored{CertID: got.CertID, Serial: pki.SerialOf(got.Leaf.SerialNumber), Subject: pki.DN(got.Leaf.RawSubject)}
	if several {
		rec.Input = r.file
	}
	data := got.Bytes
	if o.target.form == formPEM {
		data = endLine(data)
	}
	if file != nil {
		if err := file.Commit(data); err != nil {
			// The certificate is there all the same: its record is not lost with the file.
			rec.PEM = pemText(got.Leaf)
			err = exit.New(exit.Failure, "fetch it with `cmctl cert download "+got.CertID+"`", "certificate %s was issued, but %w", got.CertID, err)
			return errors.Join(err, w.Write(rec))
		}
		rec.File = file.Path
	}
	if records {
		if file == nil {
			rec.PEM = pemText(got.Leaf)
		}
		return w.Write(rec)
	}
	o.f.Notice("issued certificate %s, serial %s", got.CertID, rec.Serial)
	_, err := output.Raw(opt.Out).Write(data)
	return err
}
