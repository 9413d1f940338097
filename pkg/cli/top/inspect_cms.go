package top

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"time"

	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// message shows a CMS message: its signers and certificates, and what it
// carries where that has a reader here.
func (i *inspector) message(p pki.Piece) error {
	kind, content, err := cms.Content(p.DER)
	if err != nil {
		return exit.Usagef("", "%s: %w", i.name, err)
	}
	signed := kind.String() == "1.2.840.113549.1.7.2"
	if signed {
		if err := i.signedData(p); err != nil {
			return err
		}
	}
	if done, err := i.keyPackage(p.DER); done || err != nil {
		return err
	}
	switch {
	case pki.Identify(content) == pki.ToSign:
		return i.toSign(content)
	case !signed:
		return i.unknown(p.DER)
	}
	return nil
}

func (i *inspector) signedData(p pki.Piece) error {
	raw := i.raw // as it is, BER or DER
	switch {
	case p.Block != nil:
		raw = p.Block.Bytes
	case raw[0] != 0x30: // Base64 without armour
		raw = p.DER
	}
	sd, err := cms.Parse(raw)
	if err != nil {
		return exit.Usagef("", "%s: %w", i.name, err)
	}
	size := len(sd.Content)
	sum := sha256.Sum256(sd.Content)
	d := finding{Kind: kindCMS, Content: sd.ContentType.String(), Encoding: "DER", Size: &size, SHA256: hex.EncodeToString(sum[:])}
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
	i.add(d)
	i.certificates(sd.Certificates)
	return nil
}

// toSign shows what a dataToSign of the sandbox asks an officer for.
func (i *inspector) toSign(der []byte) error {
	t, err := pki.ParseDataToSign(der)
	if err != nil {
		return exit.Usagef("", "%s: %w", i.name, err)
	}
	i.add(finding{
		Kind: kindToSign, SHA256: pki.Fingerprint(der), Operation: t.Operation, Time: pki.FormatTime(t.Time), Nonce: t.Nonce, Fields: t.Fields,
	})
	return nil
}

func encodePEM(b *pem.Block) []byte { return pem.EncodeToMemory(b) }
