package top

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// finding is one artefact found in a file: a certificate of a chain, a
// request, a signed message. Members that its kind does not have are absent.
type finding struct {
	File      string      `json:"file"`
	Kind      string      `json:"kind"` // certificate, csr, cms
	Subject   string      `json:"subject,omitempty"`
	Issuer    string      `json:"issuer,omitempty"`
	Serial    pki.Serial  `json:"certificateserialnumber,omitempty"`
	ValidFrom string      `json:"validfrom,omitempty"`
	ValidTo   string      `json:"validto,omitempty"`
	Type      string      `json:"subjectType,omitempty"` // EE or CA
	Names     []string    `json:"names,omitempty"`       // subject alternative names
	KeyUsage  []string    `json:"keyusage,omitempty"`
	Key       string      `json:"key,omitempty"` // "RSA 2048", "EC P-256"
	Algorithm string      `json:"signaturealgorithm,omitempty"`
	AKI       string      `json:"authorityKeyIdentifier,omitempty"`
	SKI       string      `json:"subjectKeyIdentifier,omitempty"`
	SHA256    string      `json:"sha256,omitempty"` // of the DER; of the content for cms
	Encoding  string      `json:"encoding,omitempty"`
	Content   string      `json:"contenttype,omitempty"`
	Size      *int        `json:"contentsize,omitempty"`
	Signers   []cmsSigner `json:"signers,omitempty"`
}

type cmsSigner struct {
	Issuer      string     `json:"issuer,omitempty"`
	Serial      pki.Serial `json:"certificateserialnumber,omitempty"`
	KeyID       string     `json:"subjectKeyIdentifier,omitempty"`
	Digest      string     `json:"digest"`
	Algorithm   string     `json:"signaturealgorithm"`
	SigningTime string     `json:"signingtime,omitempty"`
	Verified    bool       `json:"verified"`
	Problem     string     `json:"problem,omitempty"`
}

func (s cmsSigner) String() string {
	who := s.Issuer + " serial " + s.Serial.String()
	if s.KeyID != "" {
		who = "key " + s.KeyID
	}
	verdict := "signature verified"
	if !s.Verified {
		verdict = "NOT verified: " + s.Problem
	}
	return fmt.Sprintf("%s, %s with %s, %s", who, s.Algorithm, s.Digest, verdict)
}

var findingNoun = output.Noun[finding]{
	Name: "artefact",
	ID:   func(d finding) string { return d.SHA256 },
	Fields: []output.Field[finding]{
		{Name: "kind", Value: func(d finding) string { return d.Kind }},
		{Name: "subject", Value: func(d finding) string { return d.Subject }},
		{Name: "issuer", Value: func(d finding) string { return d.Issuer }},
		{Name: "serial", Value: func(d finding) string { return d.Serial.String() }},
		{Name: "validfrom", Value: func(d finding) string { return d.ValidFrom }},
		{Name: "validto", Value: func(d finding) string { return d.ValidTo }},
		{Name: "type", Value: func(d finding) string { return d.Type }},
		{Name: "names", Value: func(d finding) string { return strings.Join(d.Names, ",") }},
		{Name: "keyusage", Value: func(d finding) string { return strings.Join(d.KeyUsage, ",") }},
		{Name: "key", Value: func(d finding) string { return d.Key }},
		{Name: "algorithm", Value: func(d finding) string { return d.Algorithm }},
		{Name: "aki", Value: func(d finding) string { return d.AKI }},
		{Name: "ski", Value: func(d finding) string { return d.SKI }},
		{Name: "sha256", Value: func(d finding) string { return d.SHA256 }},
		{Name: "content", Value: func(d finding) string { return contentText(d) }},
		{Name: "signers", Value: func(d finding) string { return signersText(d.Signers) }},
		{Name: "file", Value: func(d finding) string { return d.File }},
	},
}

func contentText(d finding) string {
	if d.Size == nil {
		return d.Content
	}
	return fmt.Sprintf("%d bytes, type %s, in %s", *d.Size, d.Content, d.Encoding)
}

func signersText(ss []cmsSigner) string {
	texts := make([]string, len(ss))
	for i, s := range ss {
		texts[i] = s.String()
	}
	return strings.Join(texts, "; ")
}

func newInspectCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect <file>...",
		Short: "Show what is in certificate, request and CMS files",
		Long: `Show what is in a file: certificates and chains (PEM, DER, PKCS#7), certificate
requests, and CMS messages with their signers. It makes no call and needs no
key. - is standard input.`,
		Example: `  cmctl inspect server.csr
  cmctl inspect chain.pem -o json`,
		GroupID: cmdutil.GroupLocal,
		Args:    cmdutil.AtLeastOne("file"),
		RunE:    func(_ *cobra.Command, args []string) error { return runInspect(f, args) },
	}
	return cmdutil.Columns(cmd, findingNoun.Columns())
}

// maxInspect is the most bytes that are read of a file.
const maxInspect = 64 << 20

func runInspect(f *cmdutil.Factory, files []string) error {
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	opt.Details = true
	w := output.NewWriter(findingNoun, opt)
	for _, file := range files {
		if err = inspectFile(f, file, w); err != nil {
			break
		}
	}
	return w.End(err)
}

func inspectFile(f *cmdutil.Factory, file string, w *output.Writer[finding]) error {
	data, err := f.ReadInput(file, maxInspect)
	if err != nil {
		return err
	}
	found, err := inspect(cmdutil.InputName(file), data)
	if err != nil {
		return err
	}
	return w.Write(found...)
}

func inspect(name string, data []byte) ([]finding, error) {
	switch kind := pki.Identify(data); kind {
	case pki.Certificate, pki.Certificates, pki.PKCS7:
		certs, err := pki.ReadCertificates(name, data)
		return certificateFindings(name, certs), err
	case pki.CSR:
		req, err := pki.ReadRequest(name, data)
		if err != nil {
			return nil, err
		}
		c := req.CSR
		return []finding{{
			File: name, Kind: "csr", Subject: pki.DN(c.RawSubject), Key: keyText(c.PublicKey), Algorithm: c.SignatureAlgorithm.String(),
			Names: altNames(c.DNSNames, c.EmailAddresses, c.IPAddresses, c.URIs), SHA256: pki.Fingerprint(req.DER),
		}}, nil
	case pki.CMS:
		return cmsFindings(name, data)
	default:
		return nil, exit.Usagef("certificates, requests, PKCS#7 and CMS messages can be inspected", "%s is %s", name, kind)
	}
}

func certificateFindings(name string, certs []*x509.Certificate) []finding {
	out := make([]finding, len(certs))
	for i, c := range certs {
		typ := "EE"
		if c.IsCA {
			typ = "CA"
		}
		out[i] = finding{
			File: name, Kind: "certificate", Subject: pki.DN(c.RawSubject), Issuer: pki.DN(c.RawIssuer), Serial: pki.SerialOf(c.SerialNumber),
			ValidFrom: pki.FormatTime(c.NotBefore), ValidTo: pki.FormatTime(c.NotAfter), Type: typ,
			Names: altNames(c.DNSNames, c.EmailAddresses, c.IPAddresses, c.URIs), KeyUsage: pki.KeyUsages(c), Key: keyText(c.PublicKey), Algorithm: c.SignatureAlgorithm.String(),
			AKI: hex.EncodeToString(c.AuthorityKeyId), SKI: hex.EncodeToString(c.SubjectKeyId), SHA256: pki.Fingerprint(c.Raw),
		}
	}
	return out
}

func cmsFindings(name string, data []byte) ([]finding, error) {
	pieces, err := pki.Split(data) // PEM, DER or Base64
	if err != nil {
		return nil, exit.Usagef("", "%s: %w", name, err)
	}
	raw := data // Split turns BER into DER, which is what is to be told
	switch p := pieces[0]; {
	case p.Block != nil:
		raw = p.Block.Bytes
	case data[0] != 0x30: // Base64 without armour
		raw = p.DER
	}
	sd, err := cms.Parse(raw)
	if err != nil {
		return nil, exit.Usagef("", "%s: %w", name, err)
	}
	size := len(sd.Content)
	sum := sha256.Sum256(sd.Content)
	d := finding{File: name, Kind: "cms", Content: sd.ContentType.String(), Encoding: "DER", Size: &size, SHA256: hex.EncodeToString(sum[:])}
	if !sd.DER {
		d.Encoding = "BER"
	}
	if sd.Detached {
		d.Content, d.Size, d.SHA256 = "detached", nil, ""
	}
	for _, s := range sd.Signers {
		v := cmsSigner{Issuer: s.Issuer, Serial: s.Serial, KeyID: s.KeyID, Digest: s.Digest, Algorithm: s.Algorithm}
		if !s.SigningTime.IsZero() {
			v.SigningTime = s.SigningTime.UTC().Format(time.RFC3339)
		}
		if err := s.Verify(sd.Content); err != nil {
			v.Problem = err.Error()
		} else {
			v.Verified = true
		}
		d.Signers = append(d.Signers, v)
	}
	return append([]finding{d}, certificateFindings(name, sd.Certificates)...), nil
}

// altNames are the subject alternative names of all kinds.
func altNames(dns, emails []string, ips []net.IP, uris []*url.URL) []string {
	all := append(append([]string(nil), dns...), emails...)
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	for _, u := range uris {
		all = append(all, u.String())
	}
	return all
}

// keyText is a public key's kind and size.
func keyText(pub any) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return "RSA " + strconv.Itoa(k.N.BitLen())
	case *ecdsa.PublicKey:
		return "EC " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "unknown"
}
