package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/cmscheck"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// signWithin is how long a dataToSign can be signed. After that the answer is
// a new one, which is what a caller who fetched it ahead needs.
const signWithin = 10 * time.Minute

// request is a write that was read and checked, and not yet carried out.
type request struct {
	fields []field  // every field but the signature, in the operation's order
	ids    []string // of certificates and registrations asked for

	// run carries it out. What it returns is committed, also when it is an
	// apiError; any other error takes everything back.
	run func(ctx context.Context, tx *store.Tx) (result, error)
}

// result is a write that was carried out.
type result struct {
	answer  *answer
	changed []int64  // certificates, new ones included
	regids  []string // registrations, likewise
}

// write is the one way of every write: read and check, ask for a signature or
// verify it, carry out in one transaction.
func (g *gateway) write(c *call) (*answer, error) {
	req, err := c.op.write(c)
	if err != nil {
		return nil, err
	}
	c.rec.IDs = req.ids
	var nonce []byte
	if g.opts.Signing == SigningCaller {
		if len(c.signatures) == 0 {
			return g.askToSign(c, req), nil
		}
		s, err := g.checkSignature(c, req)
		if err != nil {
			return nil, err
		}
		if age := c.now.Sub(s.time); age > signWithin || age < -time.Minute {
			return g.askToSign(c, req), nil
		}
		nonce = s.nonce
	}
	var res result
	err = g.store.Update(c.ctx, func(tx *store.Tx) error {
		if nonce != nil {
			fresh, err := tx.Use(hex.EncodeToString(nonce))
			if err != nil {
				return err
			}
			if !fresh {
				return refuse(codeBadSignature, "bad signature: it was used before")
			}
		}
		var err error
		res, err = req.run(c.ctx, tx)
		var refused *apiError
		if errors.As(err, &refused) {
			res.answer, err = errorAnswer(refused), nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.changed(&res)
	return res.answer, g.refreshOfficers(c.ctx, res.changed)
}

// refreshOfficers looks at the officers again when a write was about one.
func (g *gateway) refreshOfficers(ctx context.Context, changed []int64) error {
	for _, id := range changed {
		if g.officers.own(id) {
			return g.officers.refresh(ctx, g.store)
		}
	}
	return nil
}

// askToSign is the first answer to a write: HTTP 200 and -19.
func (g *gateway) askToSign(c *call, req *request) *answer {
	data := newSealed(c.op.id, req.fields, c.now).encode(g.sealKey)
	return jsonAnswer(http.StatusOK, codeSignature, struct {
		status
		Data string `json:"dataToSign"`
	}{status{codeSignature, "sign and resend"}, base64.StdEncoding.EncodeToString(data)})
}

// checkSignature verifies the signature and that it is about this request.
func (g *gateway) checkSignature(c *call, req *request) (sealed, error) {
	if len(c.signatures) > 1 {
		return sealed{}, refuse(codeBadSignature, "bad signature: there are %d", len(c.signatures))
	}
	der, err := decodeBase64(c.signatures[0])
	if err != nil {
		return sealed{}, refuse(codeEncoding, "signature is not Base64")
	}
	signed, err := cmscheck.Verify(der)
	if err != nil {
		return sealed{}, refuse(codeBadSignature, "bad signature: %v", err)
	}
	c.rec.Signer = fingerprint(signed.Certificate)
	if c.signer, err = g.checkSigner(signed, c.now); err != nil {
		return sealed{}, refuse(codeBadSignature, "bad signature: %v", err)
	}
	s, err := openSealed(signed.Content, g.sealKey)
	switch {
	case err != nil:
		return s, refuse(codeBadSignature, "bad signature: %v", err)
	case s.operation != c.op.id:
		return s, refuse(codeBadSignature, "bad signature: it is for %s", s.operation)
	case !bytes.Equal(s.fields, encodeFields(req.fields)):
		return s, refuse(codeBadSignature, "bad signature: the fields are not those that were signed")
	}
	return s, nil
}

// checkSigner asks whether the certificate behind a sound signature is that of
// an officer who may sign now. It need not be the one of the TLS session:
// cards hold one key for each.
func (g *gateway) checkSigner(signed *cmscheck.Signed, now time.Time) (*officer, error) {
	o := g.officers.find(signed.Certificate)
	switch {
	case o == nil:
		return nil, errors.New("the signer is no officer of this gateway")
	case now.Before(o.cert.NotBefore) || now.After(o.cert.NotAfter):
		return nil, errors.New("the signer's certificate is not valid now")
	case o.revoked.Load():
		return nil, errors.New("the signer's certificate is revoked")
	case !o.rights:
		return nil, errors.New("the signer lacks the rights of an officer")
	}
	return o, nil
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }
