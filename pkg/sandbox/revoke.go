package sandbox

import (
	"context"
	"net/http"
	"strconv"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// revokeCertificate revokes or, with reason 6, puts on hold.
func (g *gateway) revokeCertificate(c *call) (*request, error) {
	ids, err := readIDs(c)
	if err != nil {
		return nil, err
	}
	text, ok, err := c.form.text("reason")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse(codeMissing, "missing field: reason")
	}
	reason, err := strconv.Atoi(text)
	if err != nil || !mayRevokeFor(reason) {
		return nil, refuse(codeBadValue, "reason: %q is not one of 0, 1, 3, 4, 5, 6, 9", text)
	}
	return &request{
		fields: append([]field{textField("reason", strconv.Itoa(reason))}, idFields(ids)...),
		ids:    ids,
		run: forEachID(ids, func(tx *store.Tx, cert *store.Cert) *apiError {
			held := cert.Revoked && cert.Reason == store.Hold
			switch {
			case cert.Revoked && !held:
				return refuse(codeAlreadyRevoked, "already revoked")
			case held && reason == store.Hold:
				return refuse(codeAlreadyOnHold, "already on hold")
			}
			return nil
		}, func(tx *store.Tx, id int64) error { return tx.Revoke(id, reason, c.now) }),
	}, nil
}

// reinstateCertificate lifts holds.
func (g *gateway) reinstateCertificate(c *call) (*request, error) {
	ids, err := readIDs(c)
	if err != nil {
		return nil, err
	}
	return &request{
		fields: idFields(ids),
		ids:    ids,
		run: forEachID(ids, func(tx *store.Tx, cert *store.Cert) *apiError {
			if !cert.Revoked || cert.Reason != store.Hold {
				return refuse(codeNotOnHold, "not on hold")
			}
			return nil
		}, func(tx *store.Tx, id int64) error { return tx.Reinstate(id, c.now) }),
	}, nil
}

func readIDs(c *call) ([]string, error) {
	ids, err := c.form.texts("certid")
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, refuse(codeMissing, "missing field: certid")
	}
	for _, id := range ids {
		if id == "" {
			return nil, refuse(codeBadValue, "certid: empty")
		}
	}
	return ids, nil
}

func idFields(ids []string) []field {
	var out []field
	for _, id := range ids {
		out = append(out, textField("certid", id))
	}
	return out
}

// forEachID carries a change out on every certificate that check lets pass and
// lists the others, in the order asked for.
func forEachID(ids []string, check func(*store.Tx, *store.Cert) *apiError, change func(*store.Tx, int64) error) func(context.Context, *store.Tx) (result, error) {
	return func(_ context.Context, tx *store.Tx) (result, error) {
		var res result
		var failed []itemError
		for _, text := range ids {
			id, refused, err := lookUp(tx, text, check)
			if err != nil {
				return res, err
			}
			if refused != nil {
				failed = append(failed, itemError{CertID: text, Code: refused.code, Message: refused.msg, Server: refused.msg})
				continue
			}
			if err := change(tx, id); err != nil {
				return res, err
			}
			res.changed = append(res.changed, id)
		}
		if failed != nil {
			return res, &apiError{codeGeneral, strconv.Itoa(len(failed)) + " of " + strconv.Itoa(len(ids)) + " certificates failed", failed}
		}
		res.answer = jsonAnswer(http.StatusOK, codeOK, done)
		return res, nil
	}
}

// lookUp finds a certificate by its id and asks whether it may be changed.
func lookUp(tx *store.Tx, text string, check func(*store.Tx, *store.Cert) *apiError) (int64, *apiError, error) {
	id, ok := parseID(text)
	if !ok {
		return 0, refuse(codeNoCertificate, "certificate missing"), nil
	}
	cert, found, err := tx.Get(id)
	switch {
	case err != nil:
		return 0, nil, err
	case !found:
		return 0, refuse(codeNoCertificate, "certificate missing"), nil
	case cert.Domain != "":
		return 0, refuse(codeNotVisible, "not visible from domain"), nil
	case cert.Locked:
		return 0, refuse(codeAccessDenied, "access denied"), nil
	}
	return id, check(tx, &cert), nil
}
