package cms

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/smallstep/pkcs7"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
)

// minRSA is the shortest RSA key that signs.
const minRSA = 2048

const otherKeyHint = "sign with an RSA key from 2048 bits or a P-256, P-384 or P-521 key: --sign-cert and --sign-key; another key may serve for TLS"

// Signer signs with one key. It is safe for use by several goroutines if the
// key is.
type Signer struct {
	key    crypto.Signer
	leaf   *x509.Certificate
	digest asn1.ObjectIdentifier
	hash   crypto.Hash
	certs  []byte // the certificates set, encoded and sorted once
	isRSA  bool
}

// NewSigner binds a key to its certificate and the chain above it (which may
// be empty). A digest of 0 is SHA-256. Every key that cannot sign is refused
// here, before anything is sent: Ed25519, weak RSA, other curves, a key that
// is not that of the certificate.
func NewSigner(key crypto.Signer, leaf *x509.Certificate, chain []*x509.Certificate, digest crypto.Hash) (*Signer, error) {
	if key == nil || leaf == nil {
		return nil, exit.New(exit.Key, "", "there is no key or no certificate to sign with")
	}
	if digest == 0 {
		digest = crypto.SHA256
	}
	oid, ok := digestOIDs[digest]
	if !ok {
		return nil, exit.Usagef("choose sha256, sha384 or sha512", "the digest %s is not for signing", digest)
	}
	if err := checkKey(key.Public()); err != nil {
		return nil, err
	}
	if pub, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(key.Public()) {
		return nil, exit.New(exit.Key, "", "the signing key does not belong to the certificate of %s", leaf.Subject)
	}
	certs, err := certificateSet(append([]*x509.Certificate{leaf}, chain...))
	if err != nil {
		return nil, err
	}
	_, isRSA := key.Public().(*rsa.PublicKey)
	return &Signer{key: key, leaf: leaf, digest: oid, hash: digest, certs: certs, isRSA: isRSA}, nil
}

var digestOIDs = map[crypto.Hash]asn1.ObjectIdentifier{
	crypto.SHA256: pkcs7.OIDDigestAlgorithmSHA256,
	crypto.SHA384: pkcs7.OIDDigestAlgorithmSHA384,
	crypto.SHA512: pkcs7.OIDDigestAlgorithmSHA512,
}

// ParseDigest reads the value of `sign-digest`: sha256, sha384 or sha512,
// where case and hyphens do not count. Empty is sha256.
func ParseDigest(s string) (crypto.Hash, error) {
	switch strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), "-", "") {
	case "", "sha256":
		return crypto.SHA256, nil
	case "sha384":
		return crypto.SHA384, nil
	case "sha512":
		return crypto.SHA512, nil
	}
	return 0, exit.Usagef("choose sha256, sha384 or sha512", "unknown digest %q", s)
}

func checkKey(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA {
			return exit.New(exit.Key, otherKeyHint, "an RSA key of %d bits is too small to sign with", bits)
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() && k.Curve != elliptic.P521() {
			return exit.New(exit.Key, otherKeyHint, "a key on the curve %s cannot sign here", k.Params().Name)
		}
	case ed25519.PublicKey:
		return exit.New(exit.Key, otherKeyHint, "an Ed25519 key cannot sign requests: gateways do not read such CMS signatures")
	default:
		return exit.New(exit.Key, otherKeyHint, "a key of type %T cannot sign here", pub)
	}
	return nil
}

// certificateSet encodes the [0] IMPLICIT CertificateSet. DER wants a SET OF
// in the order of the encodings, so the leaf may come after its CA.
func certificateSet(certs []*x509.Certificate) ([]byte, error) {
	raw := make([][]byte, len(certs))
	for i, c := range certs {
		raw[i] = c.Raw
	}
	slices.SortFunc(raw, bytes.Compare)
	raw = slices.CompactFunc(raw, bytes.Equal)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		for _, der := range raw {
			b.AddBytes(der)
		}
	})
	return b.Bytes()
}

// SignCMS makes a SignedData in DER around content: attached, with content
// type, message digest and signing time as signed attributes.
func (s *Signer) SignCMS(ctx context.Context, content []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sd, err := pkcs7.NewSignedData(content)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the content to sign: %w", err)
	}
	sd.SetDigestAlgorithm(s.digest)
	// AddSigner, not AddSignerChain: that verifies the chain anew each time
	// and keeps it in the order given.
	if err := sd.AddSigner(s.leaf, blank{s.key.Public()}, pkcs7.SignerInfoConfig{}); err != nil {
		return nil, fmt.Errorf("cannot encode the signature: %w", err)
	}
	raw := sd.GetSignedData()
	raw.Certificates.Raw = s.certs
	// The signature is over the attributes as a SET OF. SignMessage, because
	// some tokens want to hash by themselves.
	attributes, err := asn1.MarshalWithParams(raw.SignerInfos[0].AuthenticatedAttributes, "set")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the signature: %w", err)
	}
	if raw.SignerInfos[0].EncryptedDigest, err = crypto.SignMessage(s.key, rand.Reader, attributes, s.hash); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.As(err, new(exit.Coder)) {
			return nil, err // it knows best what is wrong and what to do
		}
		return nil, exit.New(exit.Key, "", "the key of %s did not sign: %w", s.leaf.Subject, err)
	}
	if s.isRSA {
		// RFC 4055: the parameters of RSA algorithms are NULL, not absent.
		raw.SignerInfos[0].DigestEncryptionAlgorithm.Parameters = asn1.NullRawValue
	}
	// Not sd.Finish: it would encode the certificates again, unsorted.
	inner, err := asn1.Marshal(*raw)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the signature: %w", err)
	}
	return contentInfo(inner)
}

// blank stands for the key while the library fills in all but the signature.
type blank struct{ pub crypto.PublicKey }

func (b blank) Public() crypto.PublicKey { return b.pub }

func (blank) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return []byte{}, nil }

func contentInfo(signedData []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, len(signedData)+32))
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(pkcs7.OIDSignedData)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddBytes(signedData)
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, errors.Join(errors.New("cannot encode the signature"), err)
	}
	return der, nil
}
