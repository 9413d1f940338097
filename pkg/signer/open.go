package signer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"path/filepath"
	"slices"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pemfile"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
	"github.com/cmctl/cmctl/pkg/signer/pkcs12"
)

const (
	keyHint      = "a private key is wanted: a PEM, DER or PKCS#12 file"
	nameKeyHint  = "name the file with the private key too: --key (--sign-key for the signing pair)"
	nameCertHint = "name the file with its certificate too: --cert (--sign-cert for the signing pair)"
	kindsHint    = "RSA keys from 2048 bits, P-256, P-384, P-521 and Ed25519 keys are supported"
)

// Open opens the key and finds its certificate. Every error is one of the
// officer's key (exit.Key), except for a broken URI (exit.Usage) and what
// Secrets.Ask returns, which is passed on as it is. tokens are those of the
// run, which pairs on one token share; nil opens a token for this identity
// alone.
func Open(ctx context.Context, ref Ref, secrets Secrets, tokens *pkcs11.Tokens) (*Identity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch {
	case ref.Cert == "" && ref.Key == "":
		return nil, exit.New(exit.Key, "name them with --cert and --key, or in the context", "no officer certificate and key are named")
	case uri.Is(ref.Cert) || uri.Is(ref.Key):
		return openToken(ctx, ref, secrets, tokens)
	case ref.Cert == "":
		ref.Cert = ref.Key
	case ref.Key == "":
		ref.Key = ref.Cert
	}

	// Both files are read before a password is asked for: who typed it should
	// not learn afterwards that the other file is missing.
	data, exposed, err := readFile(ref.Key)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	same := filepath.Clean(ref.Cert) == filepath.Clean(ref.Key)
	if !same {
		if certs, err = readCertificates(ref); err != nil {
			return nil, err
		}
	}
	key, beside, err := readKey(ctx, ref, data, secrets)
	if err != nil {
		return nil, err
	}
	if same {
		certs = beside
	}
	id, err := assemble(ref, key, certs, beside)
	if err != nil {
		return nil, err
	}
	if exposed != 0 {
		id.Warnings = append(id.Warnings, exposedWarning(ref.Key, exposed))
	}
	return id, nil
}

// readCertificates reads the certificate file of a pair that names two.
func readCertificates(ref Ref) ([]*x509.Certificate, error) {
	data, _, err := readFile(ref.Cert)
	if err != nil {
		return nil, err
	}
	if pki.Identify(data) == pki.PKCS12 {
		return nil, exit.New(exit.Key, "name the PKCS#12 file alone, or a PEM certificate beside the key",
			"%s is a PKCS#12 file, and the key is named elsewhere (%s): its password belongs to one file only", ref.Cert, ref.Key)
	}
	certs, err := pki.ReadCertificates(ref.Cert, data)
	if err != nil {
		return nil, exit.New(exit.Key, exit.HintOf(err), "%w", err)
	}
	return certs, nil
}

// readKey opens the key file and returns the certificates beside the key.
func readKey(ctx context.Context, ref Ref, data []byte, secrets Secrets) (crypto.PrivateKey, []*x509.Certificate, error) {
	switch kind := pki.Identify(data); kind {
	case pki.PKCS12:
		return readPKCS12(ctx, ref.Key, data, secrets)
	case pki.PrivateKey, pki.EncryptedPrivateKey, pki.Certificate, pki.Certificates, pki.PKCS7, pki.CMS:
		return readPEM(ctx, ref, data, secrets)
	case pki.Unknown:
		if _, err := pki.Split(data); err != nil && bytes.Contains(data, []byte("-----BEGIN")) {
			return nil, nil, exit.New(exit.Key, keyHint, "%s: %w", ref.Key, err)
		}
		return nil, nil, exit.New(exit.Key, keyHint, "%s is not a key file", ref.Key)
	case pki.OpenSSHKey:
		return nil, nil, exit.New(exit.Key, "turn a copy of a private key into PEM: ssh-keygen -p -m PKCS8 -f COPY", "%s is an OpenSSH key", ref.Key)
	case pki.JavaKeyStore:
		return nil, nil, exit.New(exit.Key, "turn it into PKCS#12: keytool -importkeystore -srckeystore JKS -destkeystore P12 -deststoretype PKCS12", "%s is a Java keystore (JKS)", ref.Key)
	case pki.Empty:
		return nil, nil, exit.New(exit.Key, keyHint, "%s is empty", ref.Key)
	default:
		return nil, nil, exit.New(exit.Key, keyHint, "%s is %s, not a private key", ref.Key, kind)
	}
}

func readPKCS12(ctx context.Context, name string, data []byte, secrets Secrets) (crypto.PrivateKey, []*x509.Certificate, error) {
	f, err := pkcs12.Read(name, data)
	if err != nil {
		return nil, nil, err
	}
	s, err := secrets.get(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer clear(s.value)
	key, certs, err := f.Open(s.value)
	if errors.Is(err, pkcs12.ErrWrongPassword) {
		return nil, nil, wrongPassword(name, s, "")
	}
	return key, certs, err
}

func readPEM(ctx context.Context, ref Ref, data []byte, secrets Secrets) (crypto.PrivateKey, []*x509.Certificate, error) {
	f, err := pemfile.Read(ref.Key, data)
	if err != nil {
		return nil, nil, err
	}
	if f.Key == nil {
		return nil, nil, exit.New(exit.Key, nameKeyHint, "%s is %s and holds no private key", ref.Key, pki.Identify(data))
	}
	if filepath.Clean(ref.Cert) == filepath.Clean(ref.Key) && len(f.Certificates) == 0 {
		return nil, nil, exit.New(exit.Key, nameCertHint, "%s is %s and holds no certificate", ref.Key, pki.Identify(data))
	}
	if !f.Key.Encrypted {
		key, err := f.Key.Plain()
		if err != nil {
			return nil, nil, exit.New(exit.Key, kindsHint, "the private key in %s cannot be read: %w", ref.Key, err)
		}
		return key, f.Certificates, nil
	}
	s, err := secrets.get(ctx, ref.Key)
	if err != nil {
		return nil, nil, err
	}
	defer clear(s.value)
	key, err := f.Key.Decrypt(s.value)
	switch {
	case errors.Is(err, pemfile.ErrWrongPassword):
		// The library does not tell a key it cannot parse from a wrong password.
		return nil, nil, wrongPassword(ref.Key, s, "; a key on a curve that is not supported looks the same")
	case err != nil:
		return nil, nil, exit.New(exit.Key, kindsHint, "the private key in %s cannot be read: %w", ref.Key, err)
	}
	return key, f.Certificates, nil
}

func wrongPassword(name string, s secret, also string) error {
	return exit.New(exit.Key, "it was tried once; correct it and run the command again"+also, "the password for %s is wrong (%s)", name, s.origin)
}

// assemble finds the certificate of the key in certs, and its chain there and
// among the certificates beside the key.
func assemble(ref Ref, private crypto.PrivateKey, certs, beside []*x509.Certificate) (*Identity, error) {
	key, err := usable(ref.Key, private)
	if err != nil {
		return nil, err
	}
	var leaf *x509.Certificate
	for _, c := range certs {
		if !belongs(c, key.Public()) {
			continue
		}
		// A renewed certificate for the same key is the one to use.
		if leaf == nil || c.NotAfter.After(leaf.NotAfter) {
			leaf = c
		}
	}
	if leaf == nil {
		return nil, notTheKey(ref, certs)
	}
	return &Identity{Key: key, Leaf: leaf, Chain: chain(leaf, slices.Concat(certs, beside))}, nil
}

func belongs(c *x509.Certificate, pub crypto.PublicKey) bool {
	own, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && own.Equal(pub)
}

func notTheKey(ref Ref, certs []*x509.Certificate) error {
	const hint = "name the pair that belongs together"
	if len(certs) == 1 {
		return exit.New(exit.Key, hint, "the private key in %s does not belong to the certificate of %s in %s", ref.Key, pki.DN(certs[0].RawSubject), ref.Cert)
	}
	return exit.New(exit.Key, hint, "the private key in %s belongs to none of the %d certificates in %s", ref.Key, len(certs), ref.Cert)
}

// chain follows the issuers of leaf through the pool, whatever its order.
func chain(leaf *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	var above []*x509.Certificate
	for c := leaf; !bytes.Equal(c.RawIssuer, c.RawSubject); {
		i := slices.IndexFunc(pool, func(ca *x509.Certificate) bool {
			// Not CheckSignatureFrom: whether the CA is fit is the gateway's to judge.
			return bytes.Equal(ca.RawSubject, c.RawIssuer) && !ca.Equal(leaf) && !slices.ContainsFunc(above, ca.Equal) &&
				ca.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
		})
		if i < 0 {
			break
		}
		c = pool[i]
		above = append(above, c)
	}
	return above
}

// usable refuses keys that serve neither TLS nor signing.
func usable(name string, private crypto.PrivateKey) (crypto.Signer, error) {
	switch k := private.(type) {
	case *rsa.PrivateKey:
		if bits := k.N.BitLen(); bits < 2048 {
			return nil, exit.New(exit.Key, kindsHint, "the RSA key in %s has %d bits, which is too small", name, bits)
		}
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return k, nil
		}
		return nil, exit.New(exit.Key, kindsHint, "the key in %s is on the curve %s, which is not supported", name, k.Params().Name)
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, exit.New(exit.Key, kindsHint, "the key in %s is of a kind that is not supported (%T)", name, private)
}

// Readable are the certificates of a pair that files show to anyone: no secret
// is asked for and no token touched. Those of CAs beside them are left out.
func Readable(ref Ref) []*x509.Certificate {
	name := ref.Cert
	if name == "" {
		name = ref.Key
	}
	if name == "" || uri.Is(name) {
		return nil
	}
	data, _, err := readFile(name)
	if err != nil {
		return nil
	}
	certs, err := pki.ReadCertificates(name, data)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(certs, func(c *x509.Certificate) bool { return c.IsCA })
}
