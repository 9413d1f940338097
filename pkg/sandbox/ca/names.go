package ca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strings"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
	"github.com/cmctl/cmctl/pkg/sandbox/store/dn"
)

// Attribute types of names.
var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSurname      = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidSerialNumber = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidCountry      = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrganisation = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidUnit         = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidGivenName    = asn1.ObjectIdentifier{2, 5, 4, 42}
)

type attribute struct {
	oid   asn1.ObjectIdentifier
	value string
}

// encodeName encodes a name in the order given; attributes without a value are
// left out.
func encodeName(list []attribute) ([]byte, error) {
	var name pkix.RDNSequence
	for _, a := range list {
		if a.value == "" {
			continue
		}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: a.oid, Value: a.value}})
	}
	return asn1.Marshal(name)
}

// DN is an encoded name as RFC 1779 text: cn=Demo Issuing CA,o=Demo,c=SE.
func DN(raw []byte) (string, error) {
	name, err := dn.Parse(raw)
	return dn.Text(name), err
}

// Row describes a certificate as the store keeps it, bytes included. IssuerID
// is set when one of the hierarchy's issuers signed it.
func (h *Hierarchy) Row(c *x509.Certificate) store.Cert {
	// crypto/x509 has decoded the name before; it knows fewer types of text.
	issuer, _ := dn.Parse(c.RawIssuer)
	r := store.Cert{
		Serial: hex.EncodeToString(c.SerialNumber.Bytes()), IssuerDN: dn.Text(issuer),
		Type: store.EE, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		AKI: hex.EncodeToString(c.AuthorityKeyId), SKI: hex.EncodeToString(c.SubjectKeyId),
		KeyUsage: usageNames(c), DER: c.Raw,
	}
	setSubject(&r, c.RawSubject)
	if r.Serial == "" {
		r.Serial = "00"
	}
	if c.IsCA {
		r.Type = store.CA
	}
	for _, i := range h.Issuers() {
		if string(c.RawIssuer) == string(i.Cert.RawSubject) && c.CheckSignatureFrom(i.Cert) == nil {
			r.IssuerID = i.ID
		}
	}
	return r
}

// setSubject fills in what the store knows of a subject that was decoded
// before. Of an attribute that is there several times, the most specific one
// is taken.
func setSubject(r *store.Cert, raw []byte) {
	subject, _ := dn.Parse(raw)
	r.Subject = strings.Join(dn.Values(subject), ", ")
	r.CN, r.GivenName, r.Surname = dn.First(subject, oidCommonName.String()), dn.First(subject, oidGivenName.String()), dn.First(subject, oidSurname.String())
	r.Org, r.OU = dn.First(subject, oidOrganisation.String()), dn.First(subject, oidUnit.String())
	r.SubjectSerial, r.Country = dn.First(subject, oidSerialNumber.String()), dn.First(subject, oidCountry.String())
}

// keyUsages and extKeyUsages name the usages as RFC 5280 does.
var (
	keyUsages = []struct {
		name string
		bit  x509.KeyUsage
	}{
		{"digitalSignature", x509.KeyUsageDigitalSignature},
		{"nonRepudiation", x509.KeyUsageContentCommitment},
		{"keyEncipherment", x509.KeyUsageKeyEncipherment},
		{"dataEncipherment", x509.KeyUsageDataEncipherment},
		{"keyAgreement", x509.KeyUsageKeyAgreement},
		{"keyCertSign", x509.KeyUsageCertSign},
		{"cRLSign", x509.KeyUsageCRLSign},
		{"encipherOnly", x509.KeyUsageEncipherOnly},
		{"decipherOnly", x509.KeyUsageDecipherOnly},
	}
	extKeyUsages = []struct {
		name string
		use  x509.ExtKeyUsage
	}{
		{"anyExtendedKeyUsage", x509.ExtKeyUsageAny},
		{"serverAuth", x509.ExtKeyUsageServerAuth},
		{"clientAuth", x509.ExtKeyUsageClientAuth},
		{"codeSigning", x509.ExtKeyUsageCodeSigning},
		{"emailProtection", x509.ExtKeyUsageEmailProtection},
		{"timeStamping", x509.ExtKeyUsageTimeStamping},
		{"OCSPSigning", x509.ExtKeyUsageOCSPSigning},
	}
)

// usageNames lists key usages, then extended ones; those without a name here
// are shown as their OID.
func usageNames(c *x509.Certificate) []string {
	var list []string
	for _, u := range keyUsages {
		if c.KeyUsage&u.bit != 0 {
			list = append(list, u.name)
		}
	}
	for _, use := range c.ExtKeyUsage {
		for _, u := range extKeyUsages {
			if u.use == use {
				list = append(list, u.name)
			}
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		list = append(list, oid.String())
	}
	return list
}

// setUsages is the reverse, for the names that seeded certificates have.
func setUsages(c *x509.Certificate, names []string) {
	for _, name := range names {
		for _, u := range keyUsages {
			if u.name == name {
				c.KeyUsage |= u.bit
			}
		}
		for _, u := range extKeyUsages {
			if u.name == name {
				c.ExtKeyUsage = append(c.ExtKeyUsage, u.use)
			}
		}
	}
}
