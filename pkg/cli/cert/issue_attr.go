package cert

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

type issueAttrOptions struct {
	issuing
	baseID string
	base   *x509.Certificate
}

func newIssueAttrCmd(f *cmdutil.Factory) *cobra.Command {
	o := &issueAttrOptions{issuing: issuing{
		f: f, verb: "issue-attr", describe: "issue an attribute certificate", noun: "attribute certificate", requests: requests{unsigned: true},
	}}
	cmd := &cobra.Command{
		Use:   "issue-attr <certid> {<csr>... | --subject <dn>}",
		Short: "Issue attribute certificates bound to a certificate",
		Long: `Issue an attribute certificate (RFC 5755) bound to the base certificate, which
is named by certid or serial number, for each PKCS#10 request. The public key of
a request does not count; it may be unsigned.

PEM goes to standard output unless --out or --out-dir is given; with -o json the
record goes there, with the PEM in it. What comes is checked to be bound to the
base. When an answer is lost, the attribute certificate is looked for; nothing
is asked for twice.
` + templateLong,
		Example: `  cmctl cert issue-attr 10003 role.csr --out role.pem
  cmctl cert issue-attr 10003 --subject CN=registrar --valid-to 30d -o json`,
		Args: cmdutil.AtLeastOne("base certificate"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.baseID, o.requests.files = args[0], args[1:]
			return o.run(cmd.Context())
		},
	}
	o.check = func() error {
		_, err := cmdutil.ParseArgs([]string{o.baseID}, cmdutil.AsUnset)
		return err
	}
	o.look, o.issue, o.settle, o.alone = o.lookAtBase, o.issueOne, o.settleOne, true
	o.holds = func(data []byte, serial pki.Serial) bool {
		certs, err := pki.ReadAttrCerts(data)
		return err == nil && len(certs) > 0 && certs[0].Serial.Equal(serial)
	}
	o.target.addFlags(cmd)
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "issueCertificatePkcs10ToAttrCert"), storedNoun.Columns())
}

// lookAtBase finds the base certificate and shows it in the question.
func (o *issueAttrOptions) lookAtBase(ctx context.Context, runner *ops.Runner, w *cmdutil.Write) error {
	entries, err := cmdutil.ParseArgs([]string{o.baseID}, cmdutil.AsUnset)
	if err != nil {
		return err
	}
	items, err := cmdutil.Resolve(ctx, o.f, runner.Client, entries)
	if err != nil {
		return err
	}
	o.baseID = items[0].Key
	if o.base, err = runner.Base(ctx, o.baseID); err != nil {
		if exit.Of(err) == exit.NotFound {
			return notFound(o.baseID, err)
		}
		return err
	}
	about := fmt.Sprintf("bound to certificate %s  %s, serial %s", o.baseID, pki.DN(o.base.RawSubject), pki.SerialOf(o.base.SerialNumber))
	w.Items = append([]string{output.Escape(about)}, w.Items...)
	return nil
}

func (o *issueAttrOptions) issueOne(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest) (*issued, error) {
	got, err := runner.IssueAttr(ctx, o.baseID, o.base, c.req, in)
	if err != nil {
		return nil, err
	}
	return o.issued(c, got), nil
}

func (o *issueAttrOptions) settleOne(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest, sent time.Time) (*issued, error) {
	got, err := runner.AttrSince(ctx, o.base, in, sent)
	if got == nil || err != nil {
		return nil, err
	}
	return o.issued(c, got), nil
}

func (o *issueAttrOptions) issued(c *csr, got *ops.AttrIssuance) *issued {
	rec := stored{CertID: got.CertID, Subject: c.subject, Base: o.baseID}
	switch {
	case got.Cert != nil:
		rec.Serial = got.Cert.Serial
		rec.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "ATTRIBUTE CERTIFICATE", Bytes: got.Cert.Raw}))
	case o.target.form == formPEM:
		rec.PEM = string(endLine(got.Bytes))
	}
	return &issued{got.Bytes, rec}
}
