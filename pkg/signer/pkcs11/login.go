package pkcs11

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/refused"
)

const (
	unlockHint = "it is unlocked with its PUK, by the card's own software or by whoever issued the card; for an HSM, by its security officer"
	tryHint    = "make sure of the PIN, then run once more with --pin-final-try"
)

// login makes the token show its private keys: once, with one PIN from one
// source. Whatever comes of it holds for everyone in this run.
func (t *token) login(ctx context.Context, source PINSource) error {
	switch {
	case t.failed != nil:
		return t.failed
	case t.loggedIn:
		return nil
	}
	state, err := t.state(ctx)
	if err != nil {
		return err
	}
	if !state.Flags.Has(p11.LoginRequired) && !t.mustLogin {
		t.loggedIn = true
		return nil
	}
	if err := t.mayTry(state); err != nil {
		return t.stop(err)
	}
	if state.Flags.Has(p11.Keypad) {
		return t.loginOnKeypad(ctx)
	}
	pin, err := t.thePIN(ctx, source)
	if err != nil {
		return err
	}
	if err := t.fitsLength(pin, state); err != nil {
		return t.stop(err)
	}
	// Of several processes started at once, one tries.
	unlock, err := t.set.memory.Lock(ctx, t.identity())
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.set.cfg.Officer.tell(fmt.Sprintf("a refused PIN could not be remembered: %v", err))
		unlock = func() {}
	}
	defer unlock()
	return t.tryPIN(ctx, pin)
}

// stop ends the use of the token in this run.
func (t *token) stop(err error) error {
	t.failed = err
	return err
}

// state reads the token's flags anew, and makes sure that it is still the same
// token: a PIN is for one card.
func (t *token) state(ctx context.Context) (p11.Token, error) {
	now, err := t.live.Token(ctx, t.place.slot.ID)
	if err != nil {
		return now, t.place.mod.check(t.load, err)
	}
	if identityOf(now) != t.identity() {
		return now, exit.New(exit.Key, "put the first one back, and run again", "another token took the place of %s", t.place.name())
	}
	return now, nil
}

func identityOf(t p11.Token) refused.Token {
	return refused.Token{Manufacturer: t.Manufacturer, Model: t.Model, Serial: t.Serial, Label: t.Label}
}

func (t *token) identity() refused.Token { return identityOf(t.place.slot.Token) }

// mayTry looks at what the token says of the tries that are left.
func (t *token) mayTry(state p11.Token) error {
	final := t.set.cfg.FinalTry
	switch name := t.place.name(); {
	case state.Flags.Has(p11.PINLocked):
		return exit.New(exit.Key, unlockHint, "the PIN of %s is locked", name)
	case state.Flags.Has(p11.PINFinalTry) && !final:
		return exit.New(exit.Key, tryHint, "%s says that one more wrong PIN locks it: none was tried", name)
	case state.Flags.Has(p11.PINCountLow) && !final && !t.pinWorked:
		if !t.set.cfg.Officer.present() {
			return exit.New(exit.Key, "use it once at a terminal with the right PIN, or run with --pin-final-try",
				"%s says that a wrong PIN was tried and few tries are left: nobody is at a terminal, and none was tried", name)
		}
		t.set.cfg.Officer.tell(fmt.Sprintf("%s says that a wrong PIN was tried and few tries are left", name))
	}
	return nil
}

func (t *token) loginOnKeypad(ctx context.Context) error {
	defer t.set.cfg.Officer.request("enter the PIN of " + t.place.name() + " on the reader")()
	err := t.session(ctx, func(s p11.Session) error { return t.live.Login(ctx, s, nil) })
	switch code := p11.Code(err); {
	case err == nil || code == p11.AlreadyLoggedIn:
		t.loggedIn = true
		return nil
	case code.PINRefused():
		return t.stop(exit.New(exit.Key, "run the command again to enter it again", "the PIN entered on the reader of %s was refused", t.place.name()))
	case code == p11.FunctionCanceled:
		return t.stop(exit.New(exit.Key, "", "the PIN entry on the reader of %s was cancelled or took too long", t.place.name()))
	}
	return t.loginFailed(err)
}

// thePIN is the one that the token took before, or the source's.
func (t *token) thePIN(ctx context.Context, source PINSource) (PIN, error) {
	if len(t.pin.Value) > 0 {
		return t.pin, nil
	}
	if source == nil {
		return PIN{}, exit.New(exit.Key, "", "there is no PIN for %s", t.place.name())
	}
	pin, err := source(ctx, t.place.name())
	switch {
	case err != nil:
		return PIN{}, err
	case len(pin.Value) == 0:
		return PIN{}, exit.New(exit.Key, "", "the PIN for %s is empty: it was not tried", t.place.name())
	}
	t.pin = pin
	return pin, nil
}

// fitsLength spares a try for a PIN that cannot be right. Lengths that make no
// sense are not believed.
func (t *token) fitsLength(pin PIN, state p11.Token) error {
	n := uint64(len(pin.Value))
	if state.MaxPIN == 0 || state.MaxPIN > 1<<16 || state.MinPIN > state.MaxPIN || n >= state.MinPIN && n <= state.MaxPIN {
		return nil
	}
	return exit.New(exit.Key, "it was not tried; correct it", "the PIN for %s has %d characters (%s), and the token takes %d to %d",
		t.place.name(), n, pin.Origin, state.MinPIN, state.MaxPIN)
}

// tryPIN is the one place where a PIN goes to a token as user.
func (t *token) tryPIN(ctx context.Context, pin PIN) error {
	if err := t.notRefusedBefore(pin); err != nil {
		return err
	}
	// The officer may have taken a while, and another process may have tried.
	state, err := t.state(ctx)
	if err != nil {
		return err
	}
	if state.Flags.Has(p11.PINLocked) || state.Flags.Has(p11.PINFinalTry) && !t.set.cfg.FinalTry {
		return t.stop(t.mayTry(state))
	}
	err = t.session(ctx, func(s p11.Session) error { return t.live.Login(ctx, s, pin.Value) })
	switch code := p11.Code(err); {
	case err == nil || code == p11.AlreadyLoggedIn:
		t.loggedIn, t.pinWorked = true, true
		if err := t.set.memory.Forget(t.identity()); err != nil {
			t.set.cfg.Officer.debug(fmt.Sprintf("cannot clear the refused PINs: %v", err))
		}
		if state.Flags.Has(p11.PINToBeChanged) {
			t.set.cfg.Officer.tell("the PIN of " + t.place.name() + " is due to be changed")
		}
		return nil
	case code.PINRefused():
		return t.pinRefused(ctx, pin)
	}
	return t.loginFailed(err)
}

// notRefusedBefore looks into the memory of earlier runs.
func (t *token) notRefusedBefore(pin PIN) error {
	at, known, err := t.set.memory.Known(t.identity(), pin.Value)
	path := t.set.memory.Path(t.identity())
	switch {
	case err != nil:
		return t.stop(exit.New(exit.Key, "remove "+path+" if the PIN is right", "whether %s has refused this PIN before cannot be told: %w", t.place.name(), err))
	case known:
		return t.stop(exit.New(exit.Key, "correct the PIN; if it is the token's by now, remove "+path,
			"%s refused this PIN (%s) on %s: it was not tried again", t.place.name(), pin.Origin, at.Format(time.DateTime)))
	}
	return nil
}

// pinRefused remembers the PIN and says how the token stands.
func (t *token) pinRefused(ctx context.Context, pin PIN) error {
	hint := "it was tried once and will not be tried again; correct it"
	if err := t.set.memory.Add(t.identity(), pin.Value, time.Now()); err != nil {
		hint = fmt.Sprintf("it was tried once; correct it before the next run, because it could not be remembered: %v", err)
	}
	left := ""
	if state, err := t.live.Token(ctx, t.place.slot.ID); err == nil {
		switch {
		case state.Flags.Has(p11.PINLocked):
			left, hint = "; the PIN is locked now", unlockHint
		case state.Flags.Has(p11.PINFinalTry):
			left = "; one more wrong PIN locks it"
		case state.Flags.Has(p11.PINCountLow):
			left = "; few tries are left"
		}
	}
	t.forgetPIN()
	return t.stop(exit.New(exit.Key, hint, "%s refused the PIN (%s)%s", t.place.name(), pin.Origin, left))
}

// loginFailed is a login that failed for another reason than a wrong PIN. It
// is not tried again: some modules count a try before they fail.
func (t *token) loginFailed(err error) error {
	switch p11.Code(err) {
	case 0:
		return t.place.mod.check(t.load, err)
	case p11.PINIsLocked:
		return t.stop(exit.New(exit.Key, unlockHint, "the PIN of %s is locked", t.place.name()))
	case p11.PINExpired:
		return t.stop(exit.New(exit.Key, "change it with the card's own software", "the PIN of %s has expired", t.place.name()))
	case p11.PINNotInitialized:
		return t.stop(exit.New(exit.Key, "set one with the card's own software", "%s has no PIN yet", t.place.name()))
	}
	return t.stop(exit.New(exit.Key, "", "the login to %s failed: %w", t.place.name(), err))
}

func (t *token) forgetPIN() {
	clear(t.pin.Value)
	t.pin = PIN{}
}

// FreeEntries are the PIN entries for single signatures that need no consent:
// a TLS handshake and one signed request.
const FreeEntries = 2

// budget counts the PIN entries of keys that want the PIN for each signature.
type budget struct {
	mu      sync.Mutex
	allowed int
	used    int
	planned int // signatures told beforehand, that are still to come
	begun   bool
}

// take is called before each entry. One for a handshake is beside those that
// are planned, which all must have their entry left.
func (b *budget) take(name string, handshake bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	need := b.used + max(b.planned, 1)
	if handshake {
		need = b.used + 1 + b.planned
	}
	switch {
	case need <= b.allowed:
	case b.begun || b.planned == 0:
		return exit.New(exit.Key, fmt.Sprintf("consent to more with --pin-entries, above %d", b.allowed),
			"the key on %s wants the PIN for each signature, and the %d PIN entries agreed to were made", name, b.allowed)
	default:
		return tooFew(name, need)
	}
	b.used++
	if b.planned > 0 && !handshake {
		b.begun = true
		b.planned--
	}
	return nil
}

func tooFew(name string, need int) error {
	return exit.Usagef(fmt.Sprintf("consent with --pin-entries %d", need), "the key on %s wants the PIN for each signature: %d PIN entries", name, need)
}

// Agreed is an error when the signatures that are planned want more PIN entries
// than were agreed to, as far as the token has told by now; handshake says that
// one for TLS is to come besides.
func (k *Key) Agreed(handshake bool) error {
	if each, _, _ := k.PINEntries(); !each {
		return nil
	}
	b := &k.tok.set.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	need := b.used + b.planned
	if handshake && b.used == 0 {
		need++
	}
	if need > b.allowed {
		return tooFew(k.Token(), need)
	}
	return nil
}

// Plan says beforehand how many signatures a run will make. With consent, so
// many PIN entries are allowed; without, a key that wants the PIN for each
// signature is refused before the first when --pin-entries allows fewer.
func (t *Tokens) Plan(signatures int, consent bool) {
	b := &t.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.planned, b.begun = signatures, false
	if consent {
		b.allowed = max(b.allowed, b.used+signatures+1) // a handshake may come again
	}
}

// contextPIN is the PIN to log in with for one signature; nil is for the
// keypad. mu is held.
func (t *token) contextPIN(ctx context.Context, handshake bool) ([]byte, error) {
	if err := t.set.budget.take(t.place.name(), handshake); err != nil {
		return nil, err
	}
	if t.place.slot.Token.Flags.Has(p11.Keypad) {
		return nil, nil
	}
	pin, err := t.thePIN(ctx, t.source)
	if err != nil {
		return nil, err
	}
	if t.contextWorked {
		return pin.Value, nil
	}
	if at, known, err := t.set.memory.Known(t.contextIdentity(), pin.Value); err != nil || known {
		path := t.set.memory.Path(t.contextIdentity())
		return nil, t.stop(exit.New(exit.Key, "correct the PIN; if it is the key's by now, remove "+path,
			"the key on %s refused this PIN (%s) on %s: it was not tried again", t.place.name(), pin.Origin, at.Format(time.DateTime)))
	}
	return pin.Value, nil
}

// contextIdentity keeps the PINs that keys refuse apart from those that the
// token refuses: on some cards they are two.
func (t *token) contextIdentity() refused.Token {
	id := t.identity()
	id.Label += " (PIN for signatures)"
	return id
}

// contextFailed is a login for one signature that failed. mu is held.
func (t *token) contextFailed(err error) error {
	keypad := t.place.slot.Token.Flags.Has(p11.Keypad)
	switch code := p11.Code(err); {
	case code.PINRefused() && keypad:
		return t.stop(exit.New(exit.Key, "run the command again to enter it again", "the PIN entered on the reader of %s was refused", t.place.name()))
	case code.PINRefused():
		hint := "the token took it for the login, so the key may have a PIN of its own; it will not be tried again"
		if err := t.set.memory.Add(t.contextIdentity(), t.pin.Value, time.Now()); err != nil {
			hint = fmt.Sprintf("correct it before the next run, because it could not be remembered: %v", err)
		}
		return t.stop(exit.New(exit.Key, hint, "the key on %s refused the PIN for the signature (%s)", t.place.name(), t.pin.Origin))
	case code == p11.FunctionCanceled:
		return t.stop(exit.New(exit.Key, "", "the PIN entry on the reader of %s was cancelled or took too long", t.place.name()))
	}
	return t.loginFailed(err)
}
