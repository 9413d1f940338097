package cert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
)

// form is how a certificate is written: its flag value, media type and file
// ending.
type form string

const (
	formPEM form = "pem"
	formDER form = "der"
	formP7B form = "p7b"
)

func (f form) media() string {
	return map[form]string{formPEM: cmapi.MediaPEM, formDER: cmapi.MediaDER, formP7B: cmapi.MediaPKCS7}[f]
}

// target is where certificates go: --format, --out, --out-dir, --force.
type target struct {
	form  form
	out   string
	dir   string
	force bool
}

func (t *target) addFlags(cmd *cobra.Command) {
	t.form = formPEM
	forms := []string{string(formPEM), string(formDER), string(formP7B)}
	cmdutil.EnumFlag(cmd, &t.form, "format", "how a certificate is written", forms, cmdutil.OneOf[form](forms...))
	cmd.Flags().Lookup("format").DefValue = forms[0]
	cmd.Flags().StringVar(&t.out, "out", "", "write to this `file`, 0600")
	cmd.Flags().StringVar(&t.dir, "out-dir", "", "write one file for each into this `folder`")
	cmd.Flags().BoolVar(&t.force, "force", false, "overwrite files that are there already")
}

// check refuses what cannot be written for n certificates.
func (t *target) check(n int, opt output.Options) error {
	switch {
	case t.out != "" && t.dir != "":
		return exit.Usagef("", "--out and --out-dir exclude each other")
	case t.dir != "":
		return cmdutil.CheckDir(t.dir)
	case t.out != "" && n > 1:
		return exit.Usagef("", "--out takes one certificate, %d are named: use --out-dir", n)
	case t.out == "" && t.form != formPEM && n > 1:
		return exit.Usagef("", "several certificates as %s need --out-dir", t.form)
	case t.out == "" && t.form != formPEM && opt.TTY:
		return exit.Usagef("", "%s is binary: use --out, or a pipe", t.form)
	}
	return nil
}

// toFiles says whether certificates go to files; stdout then has the records.
func (t *target) toFiles() bool { return t.out != "" || t.dir != "" }

// create makes the output files, one for each stem, before anything is sent.
func (t *target) create(stems []string) (files []*cmdutil.OutFile, err error) {
	if !t.toFiles() {
		return make([]*cmdutil.OutFile, len(stems)), nil
	}
	paths := []string{t.out}
	if t.dir != "" {
		paths = make([]string, len(stems))
		for i, s := range stems {
			paths[i] = filepath.Join(t.dir, s+"."+string(t.form))
		}
	}
	if err := cmdutil.UniqueNames(paths); err != nil {
		return nil, err
	}
	for _, p := range paths {
		o, err := cmdutil.CreateOut(p, t.force)
		if err != nil {
			discard(files)
			return nil, err
		}
		files = append(files, o)
	}
	return files, nil
}

func discard(files []*cmdutil.OutFile) {
	for _, o := range files {
		o.Discard()
	}
}

// pemText is a certificate as PEM.
func pemText(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// endLine gives PEM text the line end that some gateways leave out, so that
// several can stand behind each other.
func endLine(b []byte) []byte {
	if bytes.HasSuffix(b, []byte("\n")) {
		return b
	}
	return append(b, '\n')
}
