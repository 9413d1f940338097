package pkcs11

import (
	"errors"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// The most that is done about a signature that fails.
const (
	mostLosses = 3 // of the token or its sessions
	mostLogins = 3
)

// judge says what to do about a signature that failed: try again, or what is
// wrong.
func (k *Key) judge(u use, err error, losses, logins *int) (again bool, _ error) {
	t := k.tok
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil {
		return false, t.failed
	}
	code := p11.Code(err)
	var context *p11.ContextError
	switch {
	case code == 0 && errors.As(err, new(exit.Coder)):
		return false, err
	case code == 0:
		// Someone else gave up this load because the token was lost?
		if *losses++; t.place.mod.dropped(u.load) && *losses <= mostLosses {
			k.lost(u)
			return true, nil
		}
		return false, t.place.mod.check(u.load, err)
	case errors.As(err, &context) && !removed(code) && code != p11.NotLoggedIn:
		return false, t.contextFailed(err)
	case code == p11.NotLoggedIn:
		if *logins++; *logins > mostLogins {
			break
		}
		k.loggedOut(u, *logins > 1)
		return true, nil
	case removed(code), stale(code):
		if *losses++; *losses > mostLosses {
			break
		}
		k.lost(u)
		return true, nil
	case code == p11.DeviceError || code == p11.GeneralError || code == p11.FunctionFailed:
		// What a card says first when it is pulled; looking again tells.
		if *losses++; *losses > 1 {
			break
		}
		k.lost(u)
		return true, nil
	case mechanismTrouble(code):
		return false, err
	}
	return false, exit.New(exit.Key, "", "%s did not sign: %w", t.place.name(), err)
}

// lost gives up the load in which a signature failed.
func (k *Key) lost(u use) {
	if k.tok.load == u.load {
		k.tok.lost()
	}
}

// loggedOut is a signature for which the token wants a login: the login was
// lost, or the key wants the PIN each time, whatever its attributes say.
func (k *Key) loggedOut(u use, again bool) {
	t := k.tok
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.open:
		k.open = false
		t.mustLogin = true
	case again || !k.known && k.count.Load() == 0:
		k.always, k.known = true, true
	}
	if t.load == u.load { // some modules log the whole token out then
		t.loggedIn = false
		k.load = 0
	}
}

// forgetHandle makes the next signature look for the key's object anew: a
// private object's handle ends with the login.
func (k *Key) forgetHandle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.load = 0
}

// stale tells the return values of handles that are good no more.
func stale(code p11.RV) bool {
	switch code {
	case p11.SessionHandleInvalid, p11.SessionClosed, p11.KeyHandleInvalid, p11.ObjectHandleInvalid, p11.NotInitialized, p11.OperationActive, p11.OperationNotInit:
		return true
	}
	return false
}
