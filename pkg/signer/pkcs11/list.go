package pkcs11

import (
	"context"
	"crypto"
	"crypto/x509"
	"slices"
	"sync"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// ModuleView is a module as `cmctl key list` shows it.
type ModuleView struct {
	Path        string
	Description string
	Err         error // it cannot be used
	Tokens      []TokenView
}

// TokenView is a token and what it shows.
type TokenView struct {
	Label, Manufacturer, Model, Serial string
	Slot                               uint64
	Reader                             string
	URI                                string
	State                              []string // what the officer should know, in words
	LoggedIn                           bool
	Mechanisms                         []string
	Err                                error // it cannot be read
	Keys                               []KeyView
}

// KeyView is a key, or a certificate whose key the token does not show.
type KeyView struct {
	ID         []byte
	Label      string
	Type       string
	Shown      bool  // the token shows the private key
	PINEach    *bool // it wants the PIN for each signature; nil: not told
	CanSign    bool
	Public     crypto.PublicKey // nil: not told
	Leaf       *x509.Certificate
	URI        string
	Schemes    []string // of TLS, by IANA's names
	Mechanisms []string
}

// View shows what fits a URI, or everything. A URI that names a token which is
// not there is an error. With source the tokens are logged
// in to, which shows private keys; only when one token alone fits.
func (t *Tokens) View(ctx context.Context, u *uri.URI, source PINSource) ([]ModuleView, []string, error) {
	list, skipped, err := t.modulesFor(u)
	if err != nil {
		return nil, nil, err
	}
	views := make([]ModuleView, len(list))
	places := make([][]place, len(list))
	others := make([][]place, len(list))
	errs := make([]error, len(list))
	var wait sync.WaitGroup
	for i, m := range list {
		wait.Go(func() {
			views[i] = ModuleView{Path: m.spec.Path}
			slots, err := m.slots(ctx)
			views[i].Err, views[i].Description, errs[i] = err, m.info.Description, err
			for _, s := range slots {
				p := place{m, s}
				fits := p.fits(u)
				if fits || s.Fault != 0 {
					places[i] = append(places[i], p)
				}
				if !fits {
					others[i] = append(others[i], p)
				}
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, nil, context.Cause(ctx)
	}
	switch all := fitting(places); {
	case len(all) == 0 && namesToken(u):
		return nil, nil, t.notFound(u, list, slices.Concat(others...), errs, skipped)
	case len(all) > 1 && source != nil:
		return nil, nil, tooMany(u, all)
	}
	for i := range places {
		wait.Go(func() {
			for _, p := range places[i] {
				views[i].Tokens = append(views[i].Tokens, t.viewToken(ctx, p, u, source))
			}
		})
	}
	wait.Wait()
	return views, skipped, nil
}

// namesToken tells whether a URI has an attribute of a token, its slot or its
// library, and is not about modules or keys alone.
func namesToken(u *uri.URI) bool {
	return u.Token != nil || u.Manufacturer != nil || u.Serial != nil || u.Model != nil || u.SlotID != nil || u.SlotDescription != nil ||
		u.SlotManufacturer != nil || u.LibraryDescription != nil || u.LibraryManufacturer != nil || u.LibraryVersion != nil
}

func fitting(places [][]place) (all []place) {
	for _, list := range places {
		for _, p := range list {
			if p.slot.Fault == 0 {
				all = append(all, p)
			}
		}
	}
	return all
}

func (t *Tokens) viewToken(ctx context.Context, p place, u *uri.URI, source PINSource) TokenView {
	info := p.slot.Token
	v := TokenView{
		Label: info.Label, Manufacturer: info.Manufacturer, Model: info.Model, Serial: info.Serial,
		Slot: p.slot.ID, Reader: p.slot.Description, URI: p.uri().String(), State: state(info.Flags),
	}
	if p.slot.Fault != 0 {
		v.Err = p.slot.Fault
		v.URI = ""
		return v
	}
	tok := t.token(p)
	tok.mu.Lock()
	defer tok.mu.Unlock()
	if source != nil && tok.source == nil {
		tok.source = source
	}
	if v.Err = tok.ready(ctx, source != nil || tok.loggedIn); v.Err != nil {
		return v
	}
	v.LoggedIn = tok.loggedIn && info.Flags.Has(p11.LoginRequired)
	mechanisms, err := tok.live.Mechanisms(ctx, p.slot.ID)
	if err == nil {
		v.Mechanisms = mechanismList(mechanisms)
	}
	objects, err := tok.objects(ctx)
	if err != nil {
		v.Err = err
		return v
	}
	pairs := group(objects)
	for _, x := range pairs {
		if matches(x, u, false) {
			v.Keys = append(v.Keys, viewKey(choice{p, x}, pairs, mechanisms))
		}
	}
	return v
}

func viewKey(c choice, among []*pair, mechanisms []uint64) KeyView {
	x := c.pair
	k := KeyView{
		ID: x.id(), Label: x.label(), Type: keyType(x.pub, x.private), Shown: x.private != nil, CanSign: x.signs(),
		Public: x.pub, Leaf: newest(x.certificates()), URI: c.uri(among).String(),
	}
	if k.Type == "" {
		k.Type = keyType(x.pub, x.public)
	}
	var allowed []uint64
	if x.private != nil {
		k.PINEach, allowed = x.private.AlwaysAuth, x.private.Mechanisms
	}
	have := methodsFor(mechanisms, allowed)
	if x.pub != nil {
		for _, s := range tlsSchemes(x.pub, have) {
			k.Schemes = append(k.Schemes, schemeName(s))
		}
	}
	k.Mechanisms = mechanismList(allowed)
	return k
}

func mechanismList(numbers []uint64) (names []string) {
	for _, m := range numbers {
		names = append(names, mechanismName(m))
	}
	return names
}

// The words for a PIN that cannot be used, or perhaps not for long.
const (
	pinLocked   = "PIN locked"
	pinFinalTry = "last PIN try"
	pinCountLow = "few PIN tries left"
	pinToChange = "PIN to be changed"
)

// PINTroubles are the words of a token's state that tell of trouble with its
// PIN, the worst first.
func PINTroubles() []string { return []string{pinLocked, pinFinalTry, pinCountLow, pinToChange} }

// state puts a token's flags into words, the worst first.
func state(f p11.Flags) (words []string) {
	for _, s := range []struct {
		flag p11.Flags
		word string
	}{
		{p11.PINLocked, pinLocked}, {p11.PINFinalTry, pinFinalTry}, {p11.PINCountLow, pinCountLow},
		{p11.PINToBeChanged, pinToChange}, {p11.Keypad, "PIN on the reader"}, {p11.WriteProtected, "read-only"},
	} {
		if f.Has(s.flag) {
			words = append(words, s.word)
		}
	}
	if !f.Has(p11.LoginRequired) {
		words = append(words, "no PIN")
	}
	return words
}
