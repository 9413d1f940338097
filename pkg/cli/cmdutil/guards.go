package cmdutil

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/search"
	"github.com/cmctl/cmctl/pkg/signer"
)

// Guards keep a write away from certificates that are hardly ever meant and
// that much hangs on. Each is lifted by its own flag, none by --yes.
type Guards struct {
	AllowCA      bool
	AllowOfficer bool
	AllowGateway bool
}

const (
	allowCA      = "--allow-ca"
	allowOfficer = "--allow-officer"
	allowGateway = "--allow-gateway"
)

// AddGuardFlags adds the flags that lift them. They have neither variable nor
// config key.
func AddGuardFlags(cmd *cobra.Command, g *Guards) {
	fs := cmd.Flags()
	fs.BoolVar(&g.AllowCA, allowCA[2:], false, "do so to certificates of CAs, too, which --yes does not cover")
	fs.BoolVar(&g.AllowOfficer, allowOfficer[2:], false, "do so to certificates of the officer and of other contexts' officers, too, which --yes does not cover")
	fs.BoolVar(&g.AllowGateway, allowGateway[2:], false, "do so to the gateway's own server certificate, too, which --yes does not cover")
}

// guarded is a certificate that is not to be written.
type guarded struct {
	cert *x509.Certificate
	what string
	flag string
}

// guarding is one check of a plan.
type guarding struct {
	client *cmapi.Client
	has    func(certID string) bool
	bad    problems
	flags  []string
}

// Check refuses a plan that has a guarded certificate. has tells what is in it;
// whatever its length, it takes a few searches: the CAs' certificates are listed,
// the others found by their serials.
func (g Guards) Check(ctx context.Context, f *Factory, has func(certID string) bool) error {
	c, err := f.Client(ctx)
	if err != nil {
		return err
	}
	x := &guarding{client: c, has: has}
	if !g.AllowCA {
		if err := x.authorities(ctx); err != nil {
			return err
		}
	}
	var known []guarded
	if !g.AllowOfficer {
		if known, err = f.officersKnown(ctx); err != nil {
			return err
		}
	}
	if !g.AllowGateway {
		server, err := serverCertificate(ctx, c)
		if err != nil {
			return err
		}
		known = append(known, guarded{server, "the gateway's server certificate", allowGateway})
	}
	if err := x.all(ctx, known); err != nil {
		return err
	}
	x.bad.hint = "leave out what is not meant, such as with --exclude FILE; what is meant takes " + strings.Join(x.flags, " and ") + ", which --yes does not cover"
	return x.bad.err()
}

func (x *guarding) refuse(certID, what, flag, subject string) {
	x.bad.add("", "certificate %s is %s: %s", certID, what, output.Escape(subject))
	if !slices.Contains(x.flags, flag) {
		x.flags = append(x.flags, flag)
	}
}

// authorities refuses the certificates of CAs.
func (x *guarding) authorities(ctx context.Context) error {
	return search.Run(ctx, x.client.Certificates, cmapi.CertificateFilter{SubjectType: []string{"CA"}}, search.Options{}, func(certs []cmapi.Certificate) error {
		for i := range certs {
			if x.has(certs[i].CertID) {
				x.refuse(certs[i].CertID, "that of a CA", allowCA, certs[i].Subject)
			}
		}
		return nil
	})
}

// all refuses certificates that are known, each once.
func (x *guarding) all(ctx context.Context, known []guarded) error {
	seen := map[string]bool{}
	for _, k := range known {
		id := pki.Fingerprint(k.cert.Raw)
		if seen[id] {
			continue
		}
		seen[id] = true
		same, err := withSerial(ctx, x.client, pki.SerialOf(k.cert.SerialNumber))
		if err != nil {
			return err
		}
		for i := range same {
			if !x.has(same[i].CertID) {
				continue
			}
			if is, err := sameCertificate(ctx, x.client, same[i].CertID, k.cert.Raw); err != nil {
				return err
			} else if is {
				x.refuse(same[i].CertID, k.what, k.flag, pki.DN(k.cert.RawSubject))
			}
		}
	}
	return nil
}

// serverCertificate is what the gateway showed in the handshake.
func serverCertificate(ctx context.Context, c *cmapi.Client) (*x509.Certificate, error) {
	if c.Handshake() == nil { // nothing was asked yet
		if _, err := c.Certificates.List(ctx, cmapi.CertificateFilter{SubjectType: []string{"CA"}}, 1, 0); err != nil {
			return nil, err
		}
	}
	state := c.Handshake()
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil, exit.New(exit.Identity, "", "the gateway has shown no certificate")
	}
	return state.PeerCertificates[0], nil
}

// officersKnown are the officer's certificates and those of the other contexts,
// as far as they can be read without another password or PIN.
func (f *Factory) officersKnown(ctx context.Context) ([]guarded, error) {
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	var known []guarded
	add := func(what string, certs ...*x509.Certificate) {
		for _, c := range certs {
			known = append(known, guarded{c, what, allowOfficer})
		}
	}
	if onToken(s.Sign) { // which shows certificates without a PIN
		if _, err := f.Officer(ctx); err != nil {
			return nil, err
		}
	}
	for _, id := range f.officers {
		add("the officer's own", id.Leaf)
	}
	add("the officer's own", readable(s.Sign)...)
	path, _ := config.Path(f.Flag, f.Env)
	file, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	for _, name := range file.Names() {
		other, err := config.Resolve(file, func(flag string) (string, bool) { return name, flag == "context" }, f.Env)
		if err != nil {
			f.debug("context " + name + " is passed over: " + err.Error())
			continue
		}
		what := "that of the officer of context " + name
		add(what, readable(other.TLS)...)
		add(what, readable(other.Sign)...)
	}
	return known, nil
}

func readable(p config.Pair) []*x509.Certificate {
	return signer.Readable(signer.Ref{Cert: p.Cert, Key: p.Key})
}
