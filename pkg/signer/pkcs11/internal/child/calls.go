package child

import (
	"context"
	"encoding/json"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// request is an exchange in JSON.
func (c *Client) request(ctx context.Context, name string, op byte, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return err
	}
	defer clear(payload)
	login, ok := in.(loginRequest)
	answer, err := c.exchange(ctx, name, c.limits.of(ok && login.PIN == nil), op, payload)
	if err != nil || out == nil {
		return err
	}
	return unmarshal(op, answer, out)
}

// Info is p11.Module's, and so are those that follow.
func (c *Client) Info(ctx context.Context) (i p11.Info, err error) {
	err = c.request(ctx, "C_GetInfo", opInfo, nil, &i)
	return i, err
}

// Slots is p11.Module's.
func (c *Client) Slots(ctx context.Context) (s []p11.Slot, err error) {
	err = c.request(ctx, "C_GetSlotList", opSlots, nil, &s)
	return s, err
}

// Token is p11.Module's.
func (c *Client) Token(ctx context.Context, slot uint64) (t p11.Token, err error) {
	err = c.request(ctx, "C_GetTokenInfo", opToken, slotRequest{slot}, &t)
	return t, err
}

// Mechanisms is p11.Module's.
func (c *Client) Mechanisms(ctx context.Context, slot uint64) (m []uint64, err error) {
	err = c.request(ctx, "C_GetMechanismList", opMechanisms, slotRequest{slot}, &m)
	return m, err
}

// OpenSession is p11.Module's.
func (c *Client) OpenSession(ctx context.Context, slot uint64) (s p11.Session, err error) {
	err = c.request(ctx, "C_OpenSession", opOpen, slotRequest{slot}, &s)
	return s, err
}

// CloseSession is p11.Module's.
func (c *Client) CloseSession(ctx context.Context, s p11.Session) error {
	return c.request(ctx, "C_CloseSession", opClose, sessionRequest{s}, nil)
}

// Login is p11.Module's.
func (c *Client) Login(ctx context.Context, s p11.Session, pin []byte) error {
	return c.request(ctx, "C_Login", opLogin, loginRequest{s, pin}, nil)
}

// Objects is p11.Module's.
func (c *Client) Objects(ctx context.Context, s p11.Session) (o []p11.Object, err error) {
	err = c.request(ctx, "C_FindObjects", opObjects, sessionRequest{s}, &o)
	return o, err
}

// Sign is p11.Module's.
func (c *Client) Sign(ctx context.Context, s p11.Session, r p11.SignRequest) ([]byte, error) {
	payload := encodeSign(s, r)
	if r.PIN != nil {
		defer clear(payload)
	}
	return c.exchange(ctx, "C_Sign", c.limits.of(r.Context && r.PIN == nil), opSign, payload)
}
