package cert

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/pki"
)

type issueP12Options struct {
	issuing
	passwordFile string
	generate     string

	password  string
	generated *cmdutil.OutFile // for the password made here, until it is written
	came      bool             // a PKCS#12 came under the password
}

func newIssueP12Cmd(f *cmdutil.Factory) *cobra.Command {
	o := &issueP12Options{issuing: issuing{
		f: f, verb: "issue-p12", describe: "make a key and issue", noun: "certificate", requests: requests{unsigned: true}, target: target{form: formP12},
	}}
	cmd := &cobra.Command{
		Use:   "issue-p12 {<csr>... | --subject <dn>}",
		Short: "Issue certificates with keys made by the server, as PKCS#12",
		Long: `Issue a certificate with a key that the server makes, for each PKCS#10 request
or for --subject, and write it as PKCS#12. Only subject and names of a request
count; it may be unsigned. The file is the only copy of the key: it is written
0600, and only after it was opened with its password.

The password is the first line of --password-file, or made and written to a new
file with --generate-password, or asked for twice. It is the same for all files
of one call. When an answer is lost the key is lost with it: the certificate is
looked for, and named so that it can be revoked.
` + templateLong,
		Example: `  cmctl cert issue-p12 --subject "CN=Demo User,O=Demo,C=SE" --generate-password user.pass --out user.p12
  cmctl cert issue-p12 user.csr --password-file user.pass --out user.p12 --procedure "PKCS#12 Procedure"
  cmctl cert issue-p12 users/*.csr --password-file batch.pass --out-dir keys --name-template "{cn}-{certid}"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.requests.files = args
			err := o.run(cmd.Context())
			o.forgetPassword()
			return err
		},
	}
	o.check, o.secret, o.issue = o.checkPassword, o.getPassword, o.issueOne
	o.alone, o.settle = true, func(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest, sent time.Time) (*issued, error) {
		return nil, runner.KeyedSince(ctx, c.req.CSR.Subject.CommonName, in.ValidFrom, sent)
	}
	o.holds = func(data []byte, serial pki.Serial) bool {
		leaf, err := ops.OpenP12(data, []byte(o.password))
		return err == nil && pki.SerialOf(leaf.SerialNumber).Equal(serial)
	}
	cmd.Flags().StringVar(&o.passwordFile, "password-file", "", "`file` whose first line is the password of the PKCS#12, - for standard input (API: password)")
	cmd.Flags().StringVar(&o.generate, "generate-password", "", "make a password and write it to this new `file`, 0600")
	o.target.addFileFlags(cmd)
	o.addFlags(cmd)
	return cmdutil.Columns(cmdutil.Operations(cmd, "issueCertificatePkcs10ToPkcs12"), storedNoun.Columns())
}

func (o *issueP12Options) checkPassword() error {
	if o.passwordFile != "" && o.generate != "" {
		return exit.Usagef("", "--password-file and --generate-password exclude each other")
	}
	if o.passwordFile == "-" {
		for _, f := range o.requests.files {
			if f == "-" {
				return exit.Usagef("", "standard input (-) is named for a request and for --password-file")
			}
		}
	}
	return nil
}

// getPassword gets the password before anything is sent. A dry run neither makes
// one nor asks for it.
func (o *issueP12Options) getPassword(ctx context.Context) (err error) {
	switch {
	case o.generate != "" && o.f.Resuming() && exists(o.generate):
		o.came = true // what came before is under it
		o.password, err = o.f.SecretFile("--generate-password", o.generate)
	case o.generate != "":
		if o.generated, err = o.f.Files().Create(o.generate, false); err != nil {
			return exit.Usagef("it is never written over another file: give a new name", "--generate-password: %w", err)
		}
		if !o.dryRun {
			o.password = cmdutil.NewPassword()
		}
	case o.passwordFile != "":
		o.password, err = o.f.SecretFile("--password-file", o.passwordFile)
	case o.dryRun:
	default:
		o.password, err = o.f.AskNewSecret(ctx, "Password for the PKCS#12", "--password-file or --generate-password")
	}
	if err == nil && strings.ContainsFunc(o.password, func(r rune) bool { return r > 0xffff }) {
		err = exit.Usagef("PKCS#12 has no way to write it", "the password has a character above U+FFFF in it")
	}
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// forgetPassword takes a password that was made here away again when nothing
// came under it.
func (o *issueP12Options) forgetPassword() {
	o.generated.Discard()
	if o.generate != "" && o.generated == nil && o.password != "" && !o.came {
		_ = os.Remove(o.generate)
	}
}

func (o *issueP12Options) issueOne(ctx context.Context, runner *ops.Runner, c *csr, in cmapi.IssueRequest) (*issued, error) {
	if file := o.generated; file != nil { // the password is safe before a key under it can come
		if err := file.Commit([]byte(o.password + "\n")); err != nil {
			return nil, err
		}
		o.generated = nil
		o.f.Notice("the password is in %s", file.Path)
	}
	got, err := runner.IssueP12(ctx, c.req, in, []byte(o.password))
	o.came = o.came || err == nil || errors.As(err, new(*ops.UnusableError))
	if err != nil {
		return nil, err
	}
	return &issued{got.Bytes, stored{CertID: got.CertID, Serial: pki.SerialOf(got.Leaf.SerialNumber), Subject: pki.DN(got.Leaf.RawSubject)}}, nil
}
