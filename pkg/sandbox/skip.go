package sandbox

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"net/http"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// skipPairs is how many key pairs a package holds.
const skipPairs = 2

// secureKeyInjectionPackage makes the key pairs of a device, issues a
// certificate for the first one, and packs them: PKCS#7 SignedData, signed by
// the issuing CA, whose content is
//
//	KeyPairContainers ::= SEQUENCE OF SEQUENCE {
//	    public            SubjectPublicKeyInfo,
//	    encryptedPrivate  EncryptedPrivateKeyInfo }
//
// and whose certificates are the new one and its chain.
func (g *gateway) secureKeyInjectionPackage(c *call) (*request, error) {
	if _, err := chooseForm(c.r, kindPKCS7); err != nil {
		return nil, err
	}
	in, err := readIssue(c, forSKIP)
	if err != nil {
		return nil, err
	}
	csr, err := ca.ParseKeyless(in.pkcs10)
	if err != nil {
		return nil, refuse(codeBadValue, "pkcs10: %v", err)
	}
	return &request{
		fields: in.fields(csr.Raw),
		run: func(_ context.Context, tx *store.Tx) (result, error) {
			content, err := keyPairs(csr)
			if err != nil {
				return result{}, err
			}
			cert, id, err := g.issue(tx, &in, csr)
			if err != nil {
				return result{}, err
			}
			digest, signer, err := g.ca.Issuer(in.proc.issuer).SignCMS(content)
			if err != nil {
				return result{}, err
			}
			pack := signedData{digests: digest, content: content, signers: signer,
				certs: append([][]byte{cert.Raw}, g.chainOf(&in)...)}
			return issued(&answer{status: http.StatusOK, kind: kindPKCS7, body: pack.encode()}, id), nil
		},
	}, nil
}

// keyPairs makes KeyPairContainers, the first of them for the certificate that
// the request is for.
func keyPairs(csr *x509.CertificateRequest) ([]byte, error) {
	var b cryptobyte.Builder
	var failed error
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		other := *csr
		for _, target := range [skipPairs]*x509.CertificateRequest{csr, &other} {
			key, err := makeKey(target)
			if err == nil {
				err = addKeyPair(b, key)
			}
			if err != nil {
				failed = err
				return
			}
		}
	})
	if failed != nil {
		return nil, failed
	}
	return b.Bytes()
}

func addKeyPair(b *cryptobyte.Builder, key *ecdsa.PrivateKey) error {
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	encrypted, err := encryptPKCS8(private, SKIPPassword)
	if err != nil {
		return err
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(public)
		b.AddBytes(encrypted)
	})
	return nil
}
