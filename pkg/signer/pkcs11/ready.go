package pkcs11

import (
	"context"
	"errors"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// use is what a signature needs.
type use struct {
	live   p11.Module
	load   int
	handle p11.ObjectHandle
	always bool
}

// ready logs in and finds the private key, unless that was done.
func (k *Key) ready(ctx context.Context) (use, error) {
	t := k.tok
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		u, err := k.readyNow(ctx)
		var gone *goneError
		if !errors.As(err, &gone) || !t.set.cfg.Officer.present() || t.set.cfg.Officer.Wait == nil {
			return u, err
		}
		if err := t.set.cfg.Officer.Wait(ctx, gone.name+" was removed: put it back"); err != nil {
			return use{}, err
		}
		t.lost()
		t.place.mod.again()
	}
}

func (k *Key) readyNow(ctx context.Context) (use, error) {
	t := k.tok
	k.mu.Lock()
	open, load := k.open, k.load
	k.mu.Unlock()
	if err := t.ready(ctx, !open); err != nil {
		return use{}, err
	}
	if load != t.load {
		if err := k.resolve(ctx, !open); err != nil {
			return use{}, err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return use{t.live, t.load, k.handle, k.always}, nil
}

// resolve finds the private key's object, now that the token shows it.
func (k *Key) resolve(ctx context.Context, loggedIn bool) error {
	objects, err := k.tok.objects(ctx)
	if err != nil {
		return err
	}
	pairs := group(objects)
	var choices []choice
	for _, x := range pairs {
		if x.private != nil && k.want.fits(x, loggedIn) {
			choices = append(choices, choice{k.tok.place, x})
		}
	}
	c, ok := one(choices)
	switch {
	case len(choices) == 0:
		return none(k.want, k.tok.place, pairs, loggedIn)
	case !ok:
		return ambiguous(k.want.key, choices)
	case c.pair.pub != nil && !equal(c.pair.pub, k.pub):
		return exit.New(exit.Key, "name the pair that belongs together", "the key %s does not belong to the certificate of %s",
			c.uri(pairs), k.leaf.Subject)
	}
	k.take(c.pair.private, k.tok.load)
	return nil
}
