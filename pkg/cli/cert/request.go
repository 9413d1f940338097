package cert

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// csr is one request and where it comes from. A request for a new key is made
// late, after the question.
type csr struct {
	file    string // "" for --subject
	req     *pki.Request
	subject string // RFC 4514
	names   []string
	fields  cmdutil.NameFields
}

// label is how messages call the request.
func (c *csr) label() string {
	if c.file == "" {
		return "--subject"
	}
	return cmdutil.InputName(c.file)
}

// requests says what a certificate is asked for with: files, or a subject.
type requests struct {
	unsigned  bool // the operation takes requests without a signature
	keyNeeded bool // and needs a public key in them all the same

	files   []string
	subject string
	sans    []string
	key     *keyOptions // nil: the verb makes no key

	name  pki.Name
	alt   pki.AltNames
	asked bool // for a subject, not for files
}

func (r *requests) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.subject, "subject", "", "ask for this `DN` instead of with a request: CN=web.demo.example,O=Demo,C=SE")
	cmd.Flags().StringSliceVar(&r.sans, "san", nil, "alternative `names` for --subject: dns:web.demo.example,ip:192.0.2.1,email:...,uri:...; repeatable")
	if r.key != nil {
		r.key.addFlags(cmd)
	}
}

// maxCSR is the most bytes that are read of a request.
const maxCSR = pki.MaxRequest

// check refuses flags that do not go together, and reads names.
func (r *requests) check() error {
	r.asked = r.subject != "" || len(r.sans) > 0 || r.key != nil && r.key.given()
	switch {
	case r.asked && len(r.files) > 0:
		return exit.Usagef("a request has its own subject and names", "both requests and --subject, --san or --new-key are given")
	case !r.asked && len(r.files) == 0:
		return exit.Usagef("name its file, or describe it with --subject", "no certificate request is given")
	case stdinTwice(r.files):
		return exit.Usagef("", "standard input (-) is named twice")
	case !r.asked:
		return nil
	case r.subject == "" && len(r.sans) == 0:
		return exit.Usagef("", "--new-key needs --subject or --san")
	case r.key != nil && r.key.spec == "" && (!r.unsigned || r.keyNeeded):
		return exit.Usagef("or name a request that is made already", "--subject needs a key: --new-key ec:p256")
	}
	name, err := pki.ParseName(r.subject)
	if err == nil {
		_, err = name.DER()
	}
	if err != nil {
		return exit.Usagef(exit.HintOf(err), "--subject: %w", err)
	}
	r.name = name
	for _, s := range r.sans {
		if err := r.alt.Add(s); err != nil {
			return exit.Usagef(exit.HintOf(err), "--san: %w", err)
		}
	}
	return nil
}

// read reads the requests of the files, or makes the one of a subject; with a
// new key it is made later.
func (r *requests) read(f *cmdutil.Factory) ([]csr, error) {
	if r.asked {
		c, err := r.ofSubject()
		return []csr{c}, err
	}
	out := make([]csr, len(r.files))
	var wrong cmdutil.WrongFiles
	for i, file := range r.files {
		data, err := f.ReadInput(file, maxCSR)
		if err == nil {
			out[i], err = r.parse(file, data)
		}
		if err != nil {
			wrong.Add(err)
		}
	}
	return out, wrong.Err()
}

// parse reads one request; file is "" for one that was made of a subject.
func (r *requests) parse(file string, data []byte) (csr, error) {
	read := pki.ReadRequest
	if r.unsigned {
		read = pki.ReadRequestUnsigned
	}
	req, err := read(cmdutil.InputName(file), data)
	if err != nil {
		return csr{}, err
	}
	c := req.CSR
	return csr{
		file: file, req: req, subject: pki.DN(c.RawSubject), names: pki.AltNames{DNS: c.DNSNames, Emails: c.EmailAddresses, IPs: c.IPAddresses, URIs: c.URIs}.List(),
		fields: cmdutil.NameFields{Stem: stem(file), CN: c.Subject.CommonName},
	}, nil
}

func stdinTwice(files []string) bool {
	i := slices.Index(files, "-")
	return i >= 0 && slices.Contains(files[i+1:], "-")
}

func (r *requests) ofSubject() (csr, error) {
	cn := commonName(r.name)
	if cn == "" && len(r.alt.DNS) > 0 {
		cn = r.alt.DNS[0]
	}
	c := csr{
		subject: r.name.String(), names: r.alt.List(),
		fields: cmdutil.NameFields{Stem: cn, CN: cn},
	}
	if cn == "" {
		c.fields.Stem = "certificate"
	}
	if r.key != nil && r.key.spec != "" {
		return c, nil
	}
	var err error
	c.req, err = pki.NewUnsignedRequest(r.name, r.alt)
	return c, err
}

// commonName is the most specific one.
func commonName(n pki.Name) (cn string) {
	for _, rdn := range n {
		for _, a := range rdn {
			if a.Type == "CN" {
				cn = a.Value
			}
		}
	}
	return cn
}

// stem is the name of an output file: that of the request without ending.
func stem(file string) string {
	base := filepath.Base(file)
	if file == "-" {
		base = "certificate"
	}
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// fieldsOf are the name fields of all requests.
func fieldsOf(list []csr) []cmdutil.NameFields {
	out := make([]cmdutil.NameFields, len(list))
	for i := range list {
		out[i] = list[i].fields
	}
	return out
}
