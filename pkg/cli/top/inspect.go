// Package top holds the commands that stand directly under cmctl: inspect,
// version and completion, and the help topics.
package top

import (
	"bytes"
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/terminal"
)

type inspectOptions struct {
	f *cmdutil.Factory

	files        []string
	passwordFile string
}

// NewInspectCmd makes `cmctl inspect`.
func NewInspectCmd(f *cmdutil.Factory) *cobra.Command {
	o := &inspectOptions{f: f}
	cmd := &cobra.Command{
		Use:   "inspect <file>...",
		Short: "Show what is in certificate, request, key and CMS files",
		Long: `Show what is in a file: certificates and chains (PEM, DER, PKCS#7), certificate
requests, attribute certificates, CRLs, CMS messages with their signers, PKCS#12
files, device key packages (SKIP), private keys (their kind only), the sandbox's
dataToSign, and an outline of other ASN.1. It makes no call and needs no key.
- is standard input.

A PKCS#12 file needs its password: the first line of --password-file, or asked
for. The same file tells whether it opens the private keys of a package or an
encrypted key. No secret is shown.`,
		Example: `  cmctl inspect server.csr
  cmctl inspect chain.pem -o json
  cmctl inspect user.p12 --password-file user.pass`,
		GroupID: cmdutil.GroupLocal,
		Args:    cmdutil.AtLeastOne("file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = args
			return runInspect(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.passwordFile, "password-file", "", "`file` whose first line is the password of what is encrypted")
	return cmdutil.Columns(cmd, findingNoun.Columns())
}

// maxInspect is the most bytes that are read of a file.
const maxInspect = 64 << 20

func runInspect(ctx context.Context, o *inspectOptions) error {
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	password := ""
	if o.passwordFile != "" {
		if o.passwordFile == "-" && slices.Contains(o.files, "-") {
			return exit.Usagef("", "standard input (-) is named for a file and for --password-file")
		}
		if password, err = o.f.SecretFile("--password-file", o.passwordFile); err != nil {
			return err
		}
	}
	opt.Details = true
	w := output.NewWriter(findingNoun, opt)
	for _, file := range o.files {
		var data []byte
		if data, err = o.f.ReadInput(file, maxInspect); err != nil {
			break
		}
		i := &inspector{name: cmdutil.InputName(file), password: []byte(password)}
		i.ask = func() ([]byte, error) {
			return o.f.Prompter().Secret(ctx, terminal.Question{Text: "Password for " + i.name, Flag: "--password-file"})
		}
		if err = i.file(data); err == nil {
			err = w.Write(i.found...)
		}
		if err != nil {
			break
		}
	}
	return w.End(err)
}

// inspector looks into one file.
type inspector struct {
	name     string
	password []byte                 // nil: none was given
	ask      func() ([]byte, error) // for what shows nothing without a password
	raw      []byte                 // the file
	found    []finding
}

func (i *inspector) add(d finding) {
	d.File = i.name
	i.found = append(i.found, d)
}

// file finds the artefacts of a file in their order.
func (i *inspector) file(data []byte) error {
	const hint = "certificates, requests, keys, PKCS#7, PKCS#12, CMS messages and other ASN.1 can be inspected"
	switch kind := pki.Identify(data); kind {
	case pki.Empty, pki.OpenSSHKey, pki.JavaKeyStore:
		return exit.Usagef(hint, "%s is %s", i.name, kind)
	}
	pieces, err := pki.Split(data)
	switch {
	case err != nil && bytes.Contains(data, []byte("-----BEGIN")):
		return exit.Usagef(hint, "%s: %w", i.name, err)
	case err != nil:
		return exit.Usagef(hint, "%s is %s", i.name, pki.Unknown)
	}
	i.raw = data
	for _, p := range pieces {
		if err := i.piece(p); err != nil {
			return err
		}
	}
	if len(i.found) == 0 {
		return exit.Usagef(hint, "%s is %s", i.name, pki.Unknown)
	}
	return nil
}

func (i *inspector) piece(p pki.Piece) error {
	switch p.Kind {
	case pki.Certificate:
		certs, err := pki.ReadCertificates(i.name, p.DER)
		i.certificates(certs)
		return err
	case pki.CSR, pki.UnsignedCSR:
		return i.request(p)
	case pki.AttributeCertificate:
		return i.attributeCertificates(p.DER, nil)
	case pki.CRL:
		return i.crl(p.DER)
	case pki.PKCS7:
		return i.bundle(p)
	case pki.CMS:
		return i.message(p)
	case pki.PKCS12:
		return i.pkcs12(p.DER)
	case pki.PrivateKey, pki.EncryptedPrivateKey:
		return i.privateKey(p)
	case pki.PublicKey:
		i.publicKey(p.DER)
		return nil
	case pki.ToSign:
		return i.toSign(p.DER)
	}
	return i.unknown(p.DER)
}

// unknown outlines ASN.1 that has no reader here.
func (i *inspector) unknown(der []byte) error {
	lines, err := pki.Outline(der)
	if err != nil {
		return exit.Usagef("", "%s is %s: %w", i.name, pki.Unknown, err)
	}
	i.add(finding{Kind: kindASN1, SHA256: pki.Fingerprint(der), Outline: lines})
	return nil
}
