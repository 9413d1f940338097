package cert

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

const templateLong = `
--name-template names the files in --out-dir, without their ending: {stem} is
the request's file name without ending, {cn} its common name; {certid} and
{serial} are those of the new certificate. Nothing is overwritten without
--force; files are 0600.

--dry-run, or --check, which is the same, checks requests, files and procedure
and prints what would be asked for: no key, password or file is made.`

func newIssueCmd(f *cmdutil.Factory) *cobra.Command {
	o := &issuing{f: f, verb: "issue", describe: "issue", noun: "certificate", requests: requests{key: &keyOptions{}}}
	cmd := &cobra.Command{
		Use:   "issue {<csr>... | --new-key <kind> --subject <dn>}",
		Short: "Issue certificates from PKCS#10 requests",
		Long: `Issue a certificate for each PKCS#10 request: PEM, DER or Base64, - for standard
input. The requests and their signatures are checked before anything is sent.
With --new-key a key is made here and written, encrypted with a password unless
--key-unencrypted is given, and its request beside it; then it is issued for.

PEM goes to standard output unless --out or --out-dir is given; with -o json the
record goes there, with the PEM in it. When an answer is lost, the certificate
is looked for; nothing is asked for twice.
` + templateLong,
		Example: `  cmctl cert issue server.csr --procedure "PKCS#10 Procedure" --out server.pem
  cmctl cert issue server.csr --valid-to 90d -o json
  cmctl cert issue requests/*.csr --out-dir certs --name-template "{cn}-{serial}"
  cmctl cert issue --new-key ec:p256 --subject CN=web.demo.example,O=Demo,C=SE --san dns:web.demo.example --out web.pem`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.requests.files = args
			return o.run(cmd.Context())
		},
	}
	o.check = func() error { return checkHandler(o.handler) }
	o.issue = func(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest) (*issued, error) {
		got, err := runner.Issue(ctx, c.req, in)
		if err != nil {
			return nil, err
		}
		return issuedX509(got), nil
	}
	o.settle = func(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest, sent time.Time) (*issued, error) {
		got, err := runner.IssuedSince(ctx, c.req, in, sent)
		if got == nil || err != nil {
			return nil, err
		}
		return issuedX509(got), nil
	}
	o.holds = holdsCertificate
	cmd.Flags().StringVar(&o.handler, "handler", "", "`name` of one of several PKCS#10 handlers of the gateway, where it has them (certificates/pkcs10/<handler>)")
	o.target.addFlags(cmd)
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "issueCertificatePkcs10"), storedNoun.Columns())
}

func issuedX509(got *ops.Issuance) *issued {
	return &issued{got.Bytes, stored{
		CertID: got.CertID, Serial: pki.SerialOf(got.Leaf.SerialNumber), Subject: pki.DN(got.Leaf.RawSubject), PEM: pemText(got.Leaf),
	}}
}

func holdsCertificate(data []byte, serial pki.Serial) bool {
	certs, err := pki.ReadCertificates("the file", data)
	return err == nil && slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return pki.SerialOf(c.SerialNumber).Equal(serial) })
}

// checkHandler refuses what would make another path of it.
func checkHandler(name string) error {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
	if strings.HasPrefix(name, ".") || strings.Trim(name, letters) != "" {
		return exit.Usagef("it is one segment of the gateway's path", "--handler %q: expected letters, digits, dots, hyphens", name)
	}
	return nil
}
