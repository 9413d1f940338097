package cert

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

func newIssueSKIPCmd(f *cmdutil.Factory) *cobra.Command {
	o := &issuing{
		f: f, verb: "issue-skip", describe: "make a device key package", noun: "package",
		requests: requests{unsigned: true, key: &keyOptions{}}, target: target{form: formP7M},
	}
	o.requests.keyNeeded = true
	cmd := &cobra.Command{
		Use:   "issue-skip {<csr>... | --new-key <kind> --subject <dn>}",
		Short: "Make device key packages (SKIP)",
		Long: `Make a package of key pairs for a device (secure key injection package, SKIP)
for each PKCS#10 request, and write it as PKCS#7. Subject and first public key
of the request count; it may be unsigned. The private keys in the package are
encrypted by the server; the file is the only copy of them and written 0600.
"cmctl inspect" lists what is in it.

When an answer is lost the keys are lost with it: the certificate is looked for,
and named so that it can be revoked.
` + templateLong,
		Example: `  cmctl cert issue-skip device.csr --out device.p7m
  cmctl cert issue-skip devices/*.csr --out-dir packages --procedure p-skip`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.requests.files = args
			return o.run(cmd.Context())
		},
	}
	o.issue = func(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest) (*issued, error) {
		got, err := runner.IssueSKIP(ctx, c.req, in)
		if err != nil {
			return nil, err
		}
		return &issued{got.Bytes, stored{CertID: got.CertID, Subject: c.subject, KeyPairs: len(got.Pairs)}}, nil
	}
	o.alone, o.settle = true, func(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest, sent time.Time) (*issued, error) {
		return nil, runner.KeyedSince(ctx, c.req.CSR.Subject.CommonName, in.ValidFrom, sent)
	}
	o.holds = func(data []byte, _ pki.Serial) bool { // it holds no certificate; nothing else can have come under its name
		_, err := ops.KeyPairsIn(data)
		return err == nil && !o.target.force
	}
	o.target.addFileFlags(cmd)
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "secureKeyInjectionPackage"), storedNoun.Columns())
}
