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

// form is how an answer is written: its flag value, media type and file
// ending.
type form string

const (
	formPEM form = "pem"
	formDER form = "der"
	formP7B form = "p7b"
	formP12 form = "p12" // a PKCS#12 file, which nothing else can be
	formP7M form = "p7m" // a SKIP package
)

func (f form) media() string {
	return map[form]string{formPEM: cmapi.MediaPEM, formDER: cmapi.MediaDER, formP7B: cmapi.MediaPKCS7}[f]
}

// holdsKeys tells the forms that never go to standard output.
func (f form) holdsKeys() bool { return f == formP12 || f == formP7M }

// target is where answers go: --format, --out, --out-dir, --force and, for
// what is issued, --name-template.
type target struct {
	form     form
	out      string
	dir      string
	force    bool
	template string
}

func (t *target) addFlags(cmd *cobra.Command) {
	t.form = formPEM
	forms := []string{string(formPEM), string(formDER), string(formP7B)}
	cmdutil.EnumFlag(cmd, &t.form, "format", "how a certificate is written", forms, cmdutil.OneOf[form](forms...))
	cmd.Flags().Lookup("format").DefValue = forms[0]
	t.addFileFlags(cmd)
}

func (t *target) addFileFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.out, "out", "", "write to this `file`, 0600")
	cmd.Flags().StringVar(&t.dir, "out-dir", "", "write one file for each into this `folder`")
	cmd.Flags().BoolVar(&t.force, "force", false, "overwrite files that are there already")
}

func (t *target) addTemplateFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.template, "name-template", "", "names of the files in --out-dir, without ending: text with {stem}, {cn}, {certid}, {serial}; {stem} by default")
}

// check refuses what cannot be written for n answers.
func (t *target) check(n int, opt output.Options) error {
	switch {
	case t.out != "" && t.dir != "":
		return exit.Usagef("", "--out and --out-dir exclude each other")
	case t.template != "" && t.dir == "":
		return exit.Usagef("", "--name-template is for --out-dir")
	case t.dir != "":
		if err := cmdutil.CheckDir(t.dir); err != nil {
			return err
		}
		return t.names().Check()
	case t.out != "" && n > 1:
		return exit.Usagef("", "--out takes one certificate, %d are named: use --out-dir", n)
	case t.out == "" && t.form.holdsKeys():
		return exit.Usagef("", "what holds keys goes to a file: give --out or --out-dir")
	case t.out == "" && t.form != formPEM && n > 1:
		return exit.Usagef("", "several certificates as %s need --out-dir", t.form)
	case t.out == "" && t.form != formPEM && opt.TTY:
		return exit.Usagef("", "%s is binary: use --out, or a pipe", t.form)
	}
	return nil
}

func (t *target) names() cmdutil.NameTemplate {
	if t.template == "" {
		return cmdutil.DefaultNameTemplate
	}
	return cmdutil.NameTemplate(t.template)
}

// toFiles says whether answers go to files; stdout then has the records.
func (t *target) toFiles() bool { return t.out != "" || t.dir != "" }

// create makes the output files, one for each answer, before anything is sent.
// wanted says which are to be made; nil: all. Of those that were sent for, an
// earlier run may have written the file and not come to say so.
func (t *target) create(out *cmdutil.OutFiles, fields []cmdutil.NameFields, wanted, sent func(int) bool) (files []*cmdutil.OutFile, err error) {
	if !t.toFiles() {
		return make([]*cmdutil.OutFile, len(fields)), nil
	}
	paths := t.paths(fields)
	if err := cmdutil.UniqueNames(paths); err != nil {
		return nil, err
	}
	for i := range fields {
		var o *cmdutil.OutFile
		if wanted != nil && !wanted(i) {
			files = append(files, nil)
			continue
		}
		switch {
		case paths != nil && sent != nil && sent(i):
			o, err = out.CreateLate(paths[i], t.force)
		case paths != nil:
			o, err = out.Create(paths[i], t.force)
		default:
			o, err = out.CreateIn(t.dir, t.force)
		}
		if err != nil {
			discard(files)
			return nil, err
		}
		files = append(files, o)
	}
	return files, nil
}

// paths are the files' names; nil when they come out later.
func (t *target) paths(fields []cmdutil.NameFields) []string {
	if t.out == "" && t.names().Late() {
		return nil
	}
	paths := make([]string, len(fields))
	for i, f := range fields {
		paths[i] = t.path(f)
	}
	return paths
}

func (t *target) path(f cmdutil.NameFields) string {
	if t.out != "" {
		return t.out
	}
	return filepath.Join(t.dir, t.names().Name(f)+"."+string(t.form))
}

// commit writes one answer to its file.
func (t *target) commit(file *cmdutil.OutFile, f cmdutil.NameFields, data []byte) error {
	if t.dir != "" && t.names().Late() {
		return file.CommitAs(t.path(f), data)
	}
	return file.Commit(data)
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
