package pkcs11

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// at gives an error instead of the n-th signature.
func at(n int, err error) func(int) error {
	return func(i int) error {
		if i == n {
			return err
		}
		return nil
	}
}

// What is lost on the way is found again: the PIN that the token took before
// is entered once more, and the signature made.
func TestLosses(t *testing.T) {
	for _, c := range []struct {
		name          string
		onSign        func(*fakeSlot) func(int) error
		loads, logins int
		want          problem
	}{
		{"session closed", func(*fakeSlot) func(int) error { return at(2, p11.SessionClosed) }, 2, 2, problem{}},
		{"session invalid", func(*fakeSlot) func(int) error { return at(2, p11.SessionHandleInvalid) }, 2, 2, problem{}},
		{"handle invalid", func(*fakeSlot) func(int) error { return at(2, p11.KeyHandleInvalid) }, 2, 2, problem{}},
		{"an operation left open", func(*fakeSlot) func(int) error { return at(2, p11.OperationActive) }, 2, 2, problem{}},
		{"logged out", func(*fakeSlot) func(int) error { return at(2, p11.NotLoggedIn) }, 1, 2, problem{}},
		{"removed and back", func(*fakeSlot) func(int) error { return at(2, p11.DeviceRemoved) }, 2, 2, problem{}},
		{"a general error once", func(*fakeSlot) func(int) error { return at(2, p11.GeneralError) }, 2, 2, problem{}},
		{"a general error for ever", func(*fakeSlot) func(int) error {
			return func(n int) error {
				if n > 1 {
					return p11.GeneralError
				}
				return nil
			}
		}, 2, 2, problem{name + " did not sign: CKR_GENERAL_ERROR (0x5)", "", exit.Key}},
		{"sessions lost for ever", func(*fakeSlot) func(int) error {
			return func(n int) error {
				if n > 1 {
					return p11.SessionClosed
				}
				return nil
			}
		}, 4, 4, problem{name + " did not sign: CKR_SESSION_CLOSED (0xb0)", "", exit.Key}},
		{"removed", func(s *fakeSlot) func(int) error {
			return func(n int) error {
				if n == 2 {
					s.gone = true
					return p11.GeneralError // as a card says first
				}
				return nil
			}
		}, 2, 1, problem{name + " was removed", "put it back and run again", exit.Key}},
		{"another card", func(s *fakeSlot) func(int) error {
			return func(n int) error {
				if n == 2 {
					s.token.Serial = "0124"
					return p11.DeviceRemoved
				}
				return nil
			}
		}, 2, 1, problem{name + " was removed", "put it back and run again", exit.Key}},
		{"another error", func(*fakeSlot) func(int) error { return at(2, p11.RV(0x80000001)) }, 1, 1,
			problem{name + " did not sign: return value 0x80000001", "", exit.Key}},
		{"the module hangs", func(*fakeSlot) func(int) error { return at(2, &p11.HungError{Call: "C_Sign"}) }, 1, 1,
			problem{"the PKCS#11 module /fake.so hangs: C_Sign did not return", "was the card pulled, or the reader? it was ended; put the card back and run again", exit.Key}},
		{"the module crashes", func(*fakeSlot) func(int) error { return at(2, &p11.EndedError{How: "it crashed (SIGSEGV)"}) }, 1, 1,
			problem{"the PKCS#11 module /fake.so failed: it crashed (SIGSEGV)", "run with --debug to see what the module says; a newer version of it may help", exit.Key}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, slot := card(t)
			set := f.set(t, Config{})
			k := mustOpen(t, set, key1)
			if err := sign(k); err != nil {
				t.Fatal(err)
			}
			slot.onSign = c.onSign(slot)
			if got := problemOf(sign(k)); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if f.loads != c.loads || f.logins != c.logins {
				t.Errorf("%d loads, %d logins; want %d, %d", f.loads, f.logins, c.loads, c.logins)
			}
			if c.want.text == "" {
				if err := sign(k); err != nil {
					t.Errorf("the next signature: %v", err)
				}
			}
			set.Close()
			if f.sessions != 0 || f.closed != f.loads {
				t.Errorf("%d sessions left, %d of %d loads closed", f.sessions, f.closed, f.loads)
			}
		})
	}
}

// Of eight workers that lose the token together, one loads it anew.
func TestLossWithManyWorkers(t *testing.T) {
	f, slot := card(t)
	set := f.set(t, Config{})
	k, other := mustOpen(t, set, key1), mustOpen(t, set, key2)
	if err := sign(k); err != nil {
		t.Fatal(err)
	}
	slot.delay = time.Millisecond
	slot.onSign = func(n int) error {
		if n >= 5 && n < 9 {
			return p11.DeviceRemoved
		}
		return nil
	}
	for _, err := range together(40, k, other) {
		if err != nil {
			t.Error(err)
		}
	}
	if f.loads > 5 || f.logins != f.loads {
		t.Errorf("%d loads, %d logins", f.loads, f.logins)
	}
}

func TestOfficerPutsTheCardBack(t *testing.T) {
	f, slot := card(t)
	var asked []string
	officer := Officer{Present: func() bool { return true }, Wait: func(_ context.Context, what string) error {
		if asked = append(asked, what); len(asked) == 2 {
			slot.gone = false
		}
		return nil
	}}
	set := f.set(t, Config{Officer: officer})
	k := mustOpen(t, set, key1)
	slot.onSign = func(n int) error {
		if n == 2 {
			slot.gone = true
			return p11.DeviceRemoved
		}
		return nil
	}
	for _, err := range together(8, k) {
		if err != nil {
			t.Error(err)
		}
	}
	if got := strings.Join(asked, "|"); got != name+" was removed: put it back|"+name+" was removed: put it back" {
		t.Errorf("asked %q", got)
	}
}

func TestOfficerGivesUp(t *testing.T) {
	f, slot := card(t)
	declined := errors.New("no")
	officer := Officer{Present: func() bool { return true }, Wait: func(context.Context, string) error { return declined }}
	k := mustOpen(t, f.set(t, Config{Officer: officer}), key1)
	slot.onSign = func(int) error {
		slot.gone = true
		return p11.DeviceRemoved
	}
	if err := sign(k); !errors.Is(err, declined) {
		t.Errorf("got %v", err)
	}
}

// As many sessions as the token has, and no more than sign at once.
func TestSessions(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*fakeSlot)
		most    int
	}{
		{"many", func(*fakeSlot) {}, atOnce},
		{"one, and the token says so", func(s *fakeSlot) { s.token.MaxSessions = 1 }, 1},
		{"one, and the token does not say so", func(s *fakeSlot) { s.max = 1 }, 1},
		{"three", func(s *fakeSlot) { s.max = 3 }, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, slot := card(t)
			c.prepare(slot)
			set := f.set(t, Config{})
			k, other := mustOpen(t, set, key1), mustOpen(t, set, key2)
			if err := sign(k); err != nil {
				t.Fatal(err)
			}
			slot.delay = 5 * time.Millisecond
			for _, err := range together(60, k, other) {
				if err != nil {
					t.Fatal(err)
				}
			}
			if f.most != c.most || f.logins != 1 {
				t.Errorf("%d sessions, %d logins; want %d, 1", f.most, f.logins, c.most)
			}
		})
	}
}

// With the one session of a token its login ends, when an error spoils it.
func TestOneSessionSpoilt(t *testing.T) {
	f, slot := card(t)
	slot.token.MaxSessions = 1
	k := mustOpen(t, f.set(t, Config{}), key1)
	slot.onSign = at(2, p11.RV(0x80000001))
	for n, want := range []bool{true, false, true} {
		if err := sign(k); (err == nil) != want {
			t.Errorf("signature %d: %v", n+1, err)
		}
	}
	if f.logins != 2 {
		t.Errorf("%d logins", f.logins)
	}
}

func TestNoSessionLeft(t *testing.T) {
	f, slot := card(t)
	slot.max = -1
	want := problem{name + " has no session left: another program uses it", "close the program that uses it", exit.Key}
	_, err := open(t, f.set(t, Config{}), key1, nil)
	if got := problemOf(err); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A slow card has its signatures one by one.
func TestSlowTokenIsNotCrowded(t *testing.T) {
	f, slot := card(t)
	k := mustOpen(t, f.set(t, Config{}), key1)
	slot.delay = slowSignature + 20*time.Millisecond
	for _, err := range together(3, k) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if f.most != 1 {
		t.Errorf("%d sessions at once", f.most)
	}
}

// A key that the token shows without a PIN needs none.
func TestKeyWithoutPIN(t *testing.T) {
	f, slot := card(t)
	no := false
	slot.objects[0].hidden, slot.objects[0].Private = false, &no
	k := mustOpen(t, f.set(t, Config{}), key1)
	if err := sign(k); err != nil || f.logins != 0 {
		t.Errorf("%v after %d logins", err, f.logins)
	}
	// Shown, but not usable: the PIN is asked for after all.
	slot.objects[0].hidden = false
	f, slot = card(t)
	slot.objects[0].Private = &no
	slot.objects[0].hidden = false
	slot.onSign = at(1, p11.NotLoggedIn)
	if err := sign(mustOpen(t, f.set(t, Config{}), key1)); err != nil || f.logins != 1 {
		t.Errorf("%v after %d logins", err, f.logins)
	}
}

// A signature under way is finished when the run is interrupted.
func TestInterrupted(t *testing.T) {
	f, slot := card(t)
	set := f.set(t, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	k := mustOpen(t, set, key1)
	k.run = ctx
	slot.onSign = func(int) error { cancel(); return nil }
	if err := sign(k); err != nil {
		t.Error(err)
	}
}
