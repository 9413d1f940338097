package cert

import (
	"context"
	"crypto/x509"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

type downloadOptions struct {
	f *cmdutil.Factory

	ids    []string
	target target
	chain  bool
	depth  int
}

func newDownloadCmd(f *cmdutil.Factory) *cobra.Command {
	o := &downloadOptions{f: f}
	cmd := &cobra.Command{
		Use:   "download <certid>...",
		Short: "Fetch certificates",
		Long: `Fetch certificates, named by certid (digits) or by serial number (0x...,
dec:..., or with colons), as PEM, DER or PKCS#7.

PEM goes to standard output unless --out or --out-dir is given; with -o json the
record goes there, with the PEM in it. Files are written whole or not at all.`,
		Example: `  cmctl cert download 10003
  cmctl cert download 10003 --chain --out chain.pem
  cmctl cert download 10003 10004 --format der --out-dir certs`,
		Args: cmdutil.AtLeastOne("certid"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ids = args
			depth := cmd.Flags().Changed("depth")
			switch {
			case o.chain && depth:
				return exit.Usagef("", "--chain is the whole chain, --depth a part of it: give one")
			case (o.chain || depth) && o.target.form != formPEM:
				return exit.Usagef("", "--chain and --depth are for --format pem; p7b holds the chain that the gateway puts in")
			case o.depth < 1:
				return exit.Usagef("", "--depth %d: expected 1 or more; --chain is the whole chain", o.depth)
			case o.chain:
				o.depth = 0
			}
			return runDownload(cmd.Context(), o)
		},
	}
	o.target.addFlags(cmd)
	cmd.Flags().BoolVar(&o.chain, "chain", false, "the whole chain, the certificate first")
	cmd.Flags().IntVar(&o.depth, "depth", 1, "the first `N` certificates of the chain")
	return cmdutil.Columns(cmdutil.Operations(cmd, "downloadCertificate"), storedNoun.Columns())
}

func runDownload(ctx context.Context, o *downloadOptions) error {
	entries, err := cmdutil.ParseArgs(o.ids, cmdutil.AsUnset)
	if err != nil {
		return err
	}
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	if err := o.target.check(len(entries), opt); err != nil {
		return err
	}
	if !o.target.toFiles() && o.target.form != formPEM && o.f.FormatGiven() {
		return exit.Usagef("", "a record holds PEM: --format %s with -o needs --out or --out-dir", o.target.form)
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	items, err := cmdutil.Resolve(ctx, o.f, client, entries)
	if err != nil {
		return err
	}
	names := make([]cmdutil.NameFields, len(items))
	for i, it := range items {
		names[i].Stem = it.Key
	}
	files, err := o.target.create(o.f.Files(), names, nil, nil)
	if err != nil {
		return err
	}
	defer discard(files)
	return fetchAll(ctx, o, client, items, files, opt)
}

// fetchAll downloads one after the other over one connection.
func fetchAll(ctx context.Context, o *downloadOptions, client *cmapi.Client, items []ops.Item, files []*cmdutil.OutFile, opt output.Options) error {
	records := o.target.toFiles() || o.f.FormatGiven()
	w := output.NewWriter(storedNoun, opt)
	var missing []error
	var err error
	for i, it := range items {
		var blob *cmapi.Blob
		blob, err = client.Certificates.Download(ctx, it.Key, o.target.form.media(), o.depth)
		if exit.Of(err) == exit.NotFound {
			missing, err = append(missing, notFound(it.Key, err)), nil
			continue
		}
		if err == nil {
			err = o.put(it, blob, files[i], records, w, opt)
		}
		if err != nil {
			break
		}
	}
	if records {
		err = w.End(err)
	}
	if err != nil {
		return err
	}
	return missingError(missing, len(items))
}

func (o *downloadOptions) put(it ops.Item, blob *cmapi.Blob, file *cmdutil.OutFile, records bool, w *output.Writer[stored], opt output.Options) error {
	data := blob.Bytes
	if o.target.form == formPEM {
		data = endLine(data)
	}
	rec := stored{CertID: it.Key}
	if c := one(it.Key, data); c != nil {
		rec.Serial, rec.Subject = pki.SerialOf(c.SerialNumber), pki.DN(c.RawSubject)
	}
	if file != nil {
		if err := file.Commit(data); err != nil {
			return err
		}
		rec.File = file.Path
	}
	if records {
		if file == nil && o.target.form == formPEM {
			rec.PEM = string(data)
		}
		return w.Write(rec)
	}
	_, err := output.Raw(opt.Out).Write(data)
	return err
}

// one is the end entity among downloaded certificates; nil for what is no
// X.509, such as an attribute certificate: its bytes are kept all the same.
func one(name string, data []byte) *x509.Certificate {
	certs, err := pki.ReadCertificates(name, data)
	if err != nil {
		return nil
	}
	for _, c := range certs {
		if !c.IsCA {
			return c
		}
	}
	return certs[0]
}
