package pkcs11

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// token is one token in use: its module's load, its sessions, its login.
type token struct {
	set   *Tokens
	place place

	mu       sync.Mutex // for login and recovery; the fields below, up to the blank line
	live     p11.Module
	load     int // which load of the module live is; 0: none yet
	loggedIn bool
	failed   error // for good: a refused PIN stops everyone
	pin      PIN
	source   PINSource

	pinWorked     bool // the token has taken the PIN in this run
	mustLogin     bool // against what the token's flags say
	contextWorked bool // a key has taken the PIN for a signature

	pool pool
	turn sync.RWMutex // held for writing by whoever has the token alone
	fast atomic.Bool  // the token signs quickly enough for several at once
}

// slowSignature is where signatures go one by one: a card works on one at a
// time, and those that wait in the module would count as hung.
const slowSignature = 250 * time.Millisecond

// token gives the run's token at a place.
func (t *Tokens) token(p place) *token {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tok := range t.tokens {
		if tok.place.mod == p.mod && tok.place.slot.ID == p.slot.ID && tok.identity() == identityOf(p.slot.Token) {
			return tok
		}
	}
	tok := &token{set: t, place: p}
	tok.pool.init(p.slot.Token.MaxSessions)
	t.tokens = append(t.tokens, tok)
	return tok
}

// forget wipes the PIN at the end of a run.
func (t *token) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetPIN()
	t.failed = errClosed
}

// ready makes sure that the module is loaded, the token there, and a login made
// where one is wanted. mu is held.
func (t *token) ready(ctx context.Context, login bool) error {
	if t.failed != nil {
		return t.failed
	}
	if t.live == nil {
		if err := t.connect(ctx); err != nil {
			return err
		}
	}
	if login {
		return t.login(ctx, t.source)
	}
	return nil
}

// connect finds the token in a load of its module.
func (t *token) connect(ctx context.Context) error {
	live, load, err := t.place.mod.get(ctx)
	if err != nil {
		return err
	}
	if t.load != 0 && load != t.load { // slots may have other numbers now
		slot, err := t.slotNow(ctx, live, load)
		if err != nil {
			return err
		}
		t.place.slot = slot
	}
	t.live, t.load, t.loggedIn = live, load, false
	t.pool.reset(load)
	return nil
}

// goneError is a token that is not there at the moment.
type goneError struct{ name string }

func (e *goneError) Error() string       { return e.name + " was removed" }
func (e *goneError) ExitCode() exit.Code { return exit.Key }
func (e *goneError) Hint() string        { return "put it back and run again" }

func (t *token) slotNow(ctx context.Context, live p11.Module, load int) (p11.Slot, error) {
	slots, err := live.Slots(ctx)
	if err != nil {
		return p11.Slot{}, t.place.mod.check(load, err)
	}
	for _, s := range slots {
		if s.Fault == 0 && identityOf(s.Token) == t.identity() {
			return s, nil
		}
	}
	return p11.Slot{}, &goneError{t.place.name()}
}

// session does something in a session. mu is held, and no session is.
func (t *token) session(ctx context.Context, do func(p11.Session) error) error {
	s, err := t.borrow(ctx, t.live, t.load)
	if err != nil {
		switch code := p11.Code(err); {
		case code == p11.SessionCount:
			return exit.New(exit.Key, "close the program that uses it", "%s has no session left: another program uses it", t.place.name())
		case removed(code):
			return &goneError{t.place.name()}
		case code == 0:
			return t.place.mod.check(t.load, err)
		}
		return exit.New(exit.Key, "", "no session with %s: %w", t.place.name(), err)
	}
	err = do(s)
	if t.giveBack(t.live, t.load, s, err != nil) {
		t.loggedIn = false
	}
	return err
}

// objects reads what the token shows now. mu is held.
func (t *token) objects(ctx context.Context) ([]*object, error) {
	var raw []p11.Object
	err := t.session(ctx, func(s p11.Session) (err error) {
		raw, err = t.live.Objects(ctx, s)
		return err
	})
	switch code := p11.Code(err); {
	case err == nil:
		return read(raw), nil
	case removed(code):
		return nil, &goneError{t.place.name()}
	case code == 0:
		return nil, t.place.mod.check(t.load, err)
	}
	return nil, exit.New(exit.Key, "", "the objects of %s cannot be read: %w", t.place.name(), err)
}

// lost gives up the load of the module and everything in it. mu is held.
func (t *token) lost() {
	t.place.mod.drop(t.load)
	t.live, t.loggedIn = nil, false
	t.pool.reset(0)
}

// pool are the open sessions of a token: as many as sign at once, as few as
// the token has.
type pool struct {
	permits chan struct{} // one for each signature at once

	mu   sync.Mutex
	load int // sessions of another load are dead
	idle []p11.Session
	open int
}

// atOnce is the most signatures at once.
const atOnce = 8

func (p *pool) init(most uint64) {
	n := atOnce
	if most > 0 && most < atOnce {
		n = int(most)
	}
	p.permits = make(chan struct{}, n)
	for range n {
		p.permits <- struct{}{}
	}
}

func (p *pool) reset(load int, first ...p11.Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.load, p.idle, p.open = load, first, len(first)
}

// borrow waits for a session of the load. Who gets none beside those that are
// open gives up a permit for good: the token has no more.
func (t *token) borrow(ctx context.Context, live p11.Module, load int) (p11.Session, error) {
	p := &t.pool
	for {
		select {
		case <-p.permits:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		p.mu.Lock()
		if p.load != load {
			p.mu.Unlock()
			p.permits <- struct{}{}
			return 0, p11.SessionHandleInvalid
		}
		if n := len(p.idle); n > 0 {
			s := p.idle[n-1]
			p.idle = p.idle[:n-1]
			p.mu.Unlock()
			return s, nil
		}
		s, err := live.OpenSession(ctx, t.place.slot.ID)
		if err == nil {
			p.open++
			p.mu.Unlock()
			return s, nil
		}
		spare := p.open > 0 && p11.Code(err) != 0 && !removed(p11.Code(err))
		p.mu.Unlock()
		if !spare {
			p.permits <- struct{}{}
			return 0, err
		}
		t.set.cfg.Officer.debug(fmt.Sprintf("%s gives no further session: %v", t.place.name(), err))
	}
}

// giveBack returns a session; a spoilt one, which may have an operation left
// open in it, is closed. With the last one the token's login ends.
func (t *token) giveBack(live p11.Module, load int, s p11.Session, spoilt bool) (last bool) {
	p := &t.pool
	p.mu.Lock()
	switch {
	case p.load != load: // closed with the module
	case spoilt:
		p.open--
		last = p.open == 0
		if err := live.CloseSession(context.Background(), s); err != nil {
			t.set.cfg.Officer.debug(fmt.Sprintf("%s does not close a session: %v", t.place.name(), err))
		}
	default:
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	p.permits <- struct{}{}
	return last
}

// removed tells the return values of a token that is gone.
func removed(code p11.RV) bool {
	switch code {
	case p11.DeviceRemoved, p11.TokenNotPresent, p11.TokenNotRecognized, p11.SlotIDInvalid:
		return true
	}
	return false
}
