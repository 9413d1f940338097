package sandbox

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// fingerprint names a certificate as requests.jsonl does.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// tlsConfig asks every client for a certificate and lets in those who show one
// of the sandbox's own CAs or a pinned one; a wrong one ends in a TLS alert.
// Showing none is left to the API's door, since fetching a CRL needs none.
func (g *gateway) tlsConfig(server tls.Certificate) *tls.Config {
	hints := x509.NewCertPool()
	for _, i := range g.ca.Issuers() {
		hints.AddCert(i.Cert)
	}
	return &tls.Config{
		Certificates:     []tls.Certificate{server},
		MinVersion:       tls.VersionTLS12,
		MaxVersion:       g.opts.TLSMax,
		ClientAuth:       tls.RequestClientCert,
		ClientCAs:        hints, // sent as hints, as gateways do; the check is below
		Time:             g.opts.Clock,
		VerifyConnection: g.verifyClient,
	}
}

func (g *gateway) verifyClient(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return nil
	}
	leaf := cs.PeerCertificates[0]
	now := g.opts.Clock()
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return errors.New("the client certificate is not valid now")
	}
	if o := g.officers.find(leaf.Raw); o != nil && o.pinned {
		return nil
	}
	return g.issuedHere(leaf, now)
}

// issuedHere checks that one of the sandbox's CAs made the certificate.
func (g *gateway) issuedHere(leaf *x509.Certificate, now time.Time) error {
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	opts.Roots.AddCert(g.ca.Root.Cert)
	for _, i := range g.ca.Issuing {
		opts.Intermediates.AddCert(i.Cert)
	}
	_, err := leaf.Verify(opts)
	return err
}

// clientScheme names the algorithm of the signature with which the client
// proved its key, in OpenSSL's and RFC 8446's words: "rsa_pss_rsae_sha256".
// It is empty without a client certificate and "resumed" in a resumed session,
// where nothing is signed. crypto/tls keeps the value in a field it does not
// export; should a release drop it, the answer is "unknown" and a test fails.
func clientScheme(cs *tls.ConnectionState) string {
	if len(cs.PeerCertificates) == 0 {
		return ""
	}
	if cs.DidResume {
		return "resumed"
	}
	f := reflect.ValueOf(cs).Elem().FieldByName("testingOnlyPeerSignatureAlgorithm")
	if !f.IsValid() || !f.CanUint() || f.Uint() == 0 {
		return "unknown"
	}
	return schemeName(tls.SignatureScheme(f.Uint()))
}

func schemeName(s tls.SignatureScheme) string {
	switch s {
	case tls.PKCS1WithSHA256:
		return "rsa_pkcs1_sha256"
	case tls.PKCS1WithSHA384:
		return "rsa_pkcs1_sha384"
	case tls.PKCS1WithSHA512:
		return "rsa_pkcs1_sha512"
	case tls.PSSWithSHA256:
		return "rsa_pss_rsae_sha256"
	case tls.PSSWithSHA384:
		return "rsa_pss_rsae_sha384"
	case tls.PSSWithSHA512:
		return "rsa_pss_rsae_sha512"
	case tls.ECDSAWithP256AndSHA256:
		return "ecdsa_secp256r1_sha256"
	case tls.ECDSAWithP384AndSHA384:
		return "ecdsa_secp384r1_sha384"
	case tls.ECDSAWithP521AndSHA512:
		return "ecdsa_secp521r1_sha512"
	case tls.Ed25519:
		return "ed25519"
	}
	return fmt.Sprintf("%04x", uint16(s))
}

func versionName(v uint16) string {
	switch v {
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	}
	return fmt.Sprintf("%04x", v)
}
