package cert

import (
	"context"
	"encoding/pem"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer"
	"github.com/cmctl/cmctl/pkg/signer/pemfile"
)

// keyOptions make a key here and a request for it: --new-key and how its file
// is written.
type keyOptions struct {
	spec         signer.KeySpec
	out          string
	passwordFile string
	unencrypted  bool

	password string
	keyFile  *cmdutil.OutFile
	csrFile  *cmdutil.OutFile
}

func (k *keyOptions) addFlags(cmd *cobra.Command) {
	cmdutil.EnumFlag(cmd, &k.spec, "new-key", "make a key for --subject and --san, write it and its request, then ask", signer.KeySpecs(), signer.ParseKeySpec)
	cmd.Flags().StringVar(&k.out, "key-out", "", "`file` for the new key, 0600, and beside it, ending in .csr, its request; by default beside the certificate")
	cmd.Flags().StringVar(&k.passwordFile, "key-password-file", "", "`file` whose first line is the password for the new key; asked for when absent")
	cmd.Flags().BoolVar(&k.unencrypted, "key-unencrypted", false, "write the new key in the clear")
}

// given says whether a flag of a new key is.
func (k *keyOptions) given() bool {
	return k.spec != "" || k.out != "" || k.passwordFile != "" || k.unencrypted
}

// create makes the files for key and request, before anything is sent.
func (k *keyOptions) create(files *cmdutil.OutFiles, t *target, fields cmdutil.NameFields) error {
	switch {
	case k.spec == "" && k.given():
		return exit.Usagef("", "--key-out, --key-password-file and --key-unencrypted are for --new-key")
	case k.spec == "":
		return nil
	case k.unencrypted && k.passwordFile != "":
		return exit.Usagef("", "--key-unencrypted and --key-password-file exclude each other")
	}
	key := k.out
	switch {
	case key != "":
	case t.out != "":
		key = withEnding(t.out, ".key")
	case t.dir != "":
		early := cmdutil.NameFields{Stem: fields.Stem, CN: fields.CN}
		key = filepath.Join(t.dir, cmdutil.DefaultNameTemplate.Name(early)+".key")
	default:
		return exit.Usagef("", "where is the new key to go? Give --key-out, --out or --out-dir")
	}
	request := withEnding(key, ".csr")
	all := []string{key, request}
	if t.toFiles() {
		all = append(all, t.paths([]cmdutil.NameFields{fields})...)
	}
	if err := cmdutil.UniqueNames(all); err != nil {
		return exit.Usagef("give the key another name with --key-out", "%w", err)
	}
	var err error
	if k.keyFile, err = files.Create(key, t.force); err != nil {
		return err
	}
	k.csrFile, err = files.Create(request, t.force)
	return err
}

func withEnding(path, ending string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ending
}

// askPassword gets the password that the key is encrypted with. A dry run asks
// for none.
func (k *keyOptions) askPassword(ctx context.Context, f *cmdutil.Factory, dryRun bool) (err error) {
	switch {
	case k.spec == "" || k.unencrypted:
	case k.passwordFile != "":
		k.password, err = f.SecretFile("--key-password-file", k.passwordFile)
	case dryRun:
	default:
		k.password, err = f.AskNewSecret(ctx, "Password for the new key", "--key-password-file or --key-unencrypted")
	}
	return err
}

// make makes the key and its request and writes both, before anything is sent:
// a certificate whose key was not kept is worth nothing.
func (k *keyOptions) make(name pki.Name, alt pki.AltNames) (*pki.Request, error) {
	key, err := k.spec.Generate()
	if err != nil {
		return nil, err
	}
	req, err := pki.NewRequest(name, alt, key)
	if err != nil {
		return nil, err
	}
	text, err := pemfile.Encode(key, []byte(k.password))
	if err != nil {
		return nil, err
	}
	defer clear(text)
	if err := k.keyFile.Commit(text); err != nil {
		return nil, err
	}
	return req, k.csrFile.Commit(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: req.DER}))
}

func (k *keyOptions) discard() {
	k.keyFile.Discard()
	k.csrFile.Discard()
}
