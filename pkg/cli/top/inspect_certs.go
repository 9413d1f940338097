package top

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"strconv"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

func (i *inspector) certificates(certs []*x509.Certificate) {
	for _, c := range certs {
		typ := "EE"
		if c.IsCA {
			typ = "CA"
		}
		i.add(finding{
			Kind: kindCertificate, Subject: pki.DN(c.RawSubject), Issuer: pki.DN(c.RawIssuer), Serial: pki.SerialOf(c.SerialNumber),
			ValidFrom: pki.FormatTime(c.NotBefore), ValidTo: pki.FormatTime(c.NotAfter), Type: typ,
			Names:    pki.AltNames{DNS: c.DNSNames, Emails: c.EmailAddresses, IPs: c.IPAddresses, URIs: c.URIs}.List(),
			KeyUsage: pki.KeyUsages(c), Key: keyText(c.PublicKey), Algorithm: c.SignatureAlgorithm.String(),
			AKI: hex.EncodeToString(c.AuthorityKeyId), SKI: hex.EncodeToString(c.SubjectKeyId), SHA256: pki.Fingerprint(c.Raw),
		})
	}
}

// request shows a certificate request; one whose signature is wrong too.
func (i *inspector) request(p pki.Piece) error {
	d := finding{Kind: kindCSR, SHA256: pki.Fingerprint(p.DER)}
	c, err := x509.ParseCertificateRequest(p.DER)
	switch {
	case p.Kind == pki.UnsignedCSR:
		req, err := pki.ReadRequestUnsigned(i.name, p.DER)
		if err != nil {
			return err
		}
		d.Kind, c = kindUnsignedCSR, req.CSR
	case err != nil:
		return exit.Usagef("", "%s: the certificate request cannot be read: %w", i.name, err)
	default:
		d.Algorithm = c.SignatureAlgorithm.String()
		if err := c.CheckSignature(); err != nil {
			d.Problem = "the signature is not right: " + err.Error()
		}
	}
	d.Subject, d.Key = pki.DN(c.RawSubject), keyText(c.PublicKey)
	d.Names = pki.AltNames{DNS: c.DNSNames, Emails: c.EmailAddresses, IPs: c.IPAddresses, URIs: c.URIs}.List()
	i.add(d)
	return nil
}

// attributeCertificates shows those of a piece. Among the certificates beside
// them, if there are any, stands that of the issuer.
func (i *inspector) attributeCertificates(der []byte, beside []*x509.Certificate) error {
	certs, err := pki.ReadAttrCerts(der)
	if err != nil {
		return exit.Usagef("", "%s: %w", i.name, err)
	}
	for _, c := range certs {
		d := finding{
			Kind: kindAttrCert, Issuer: c.Issuer, Serial: c.Serial, ValidFrom: pki.FormatTime(c.NotBefore), ValidTo: pki.FormatTime(c.NotAfter),
			Algorithm: c.Algorithm, AKI: hex.EncodeToString(c.AKI), SHA256: pki.Fingerprint(c.Raw),
			Holder: &holder{c.Holder.Issuer, c.Holder.Serial, c.Holder.Name, c.Holder.Digest},
		}
		for _, a := range c.Attributes {
			d.Attributes = append(d.Attributes, attribute(a))
		}
		for _, ca := range beside {
			if pki.SameName(c.Issuer, pki.DN(ca.RawSubject)) {
				if err := c.CheckSignature(ca); err != nil {
					d.Problem = "the signature is not that of " + pki.DN(ca.RawSubject) + ": " + err.Error()
				}
			}
		}
		i.add(d)
	}
	return nil
}

func (i *inspector) crl(der []byte) error {
	list, err := x509.ParseRevocationList(der)
	if err != nil { // of version 1, for one
		lines, _ := pki.Outline(der)
		i.add(finding{Kind: kindCRL, SHA256: pki.Fingerprint(der), Problem: "it cannot be read: " + err.Error(), Outline: lines})
		return nil
	}
	n := len(list.RevokedCertificateEntries)
	d := finding{
		Kind: kindCRL, Issuer: pki.DN(list.RawIssuer), ValidFrom: pki.FormatTime(list.ThisUpdate), Entries: &n,
		Algorithm: list.SignatureAlgorithm.String(), AKI: hex.EncodeToString(list.AuthorityKeyId), SHA256: pki.Fingerprint(der),
	}
	if !list.NextUpdate.IsZero() {
		d.ValidTo = pki.FormatTime(list.NextUpdate)
	}
	if list.Number != nil {
		d.CRLNumber = list.Number.String()
	}
	i.add(d)
	return nil
}

// bundle shows the certificates of PKCS#7 that nobody signed, attribute
// certificates among them, and what it carries.
func (i *inspector) bundle(p pki.Piece) error {
	done, err := i.keyPackage(p.DER)
	if err != nil {
		return err
	}
	certs, err := pki.ReadCertificates(i.name, p.DER)
	if done && len(certs) == 0 {
		return nil
	}
	attrs, attrErr := pki.ReadAttrCerts(p.DER)
	if attrErr == nil && len(attrs) > 0 {
		if err := i.attributeCertificates(p.DER, certs); err != nil {
			return err
		}
		err = nil // there need be no other certificate beside them
	}
	i.certificates(certs)
	return err
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
