package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// problem is what tests compare of an error.
type problem struct {
	text, hint string
	code       exit.Code
}

func problemOf(err error) problem {
	if err == nil {
		return problem{}
	}
	return problem{err.Error(), exit.HintOf(err), exit.Of(err)}
}

const name = `token "Officer card" (serial 0123)`

// A PIN goes to the token once, whatever comes of it and however many wait.
func TestOneTry(t *testing.T) {
	low := func(f p11.Flags) func(*fakeSlot) { return func(s *fakeSlot) { s.token.Flags |= f } }
	person := Officer{Present: func() bool { return true }}
	for _, c := range []struct {
		name    string
		pin     string
		officer Officer
		final   bool
		prepare func(*fakeSlot)
		logins  int
		want    problem
	}{
		{"right", testPIN, Officer{}, false, nil, 1, problem{}},
		{"wrong", "9999", Officer{}, false, nil, 1,
			problem{name + " refused the PIN (from a test)", "it was tried once and will not be tried again; correct it", exit.Key}},
		{"wrong, and the token says so", "9999", Officer{}, false, func(s *fakeSlot) { s.loginErr = p11.PINIncorrect; s.token.Flags |= p11.PINCountLow }, 0,
			problem{name + " says that a wrong PIN was tried and few tries are left: nobody is at a terminal, and none was tried",
				"use it once at a terminal with the right PIN, or run with --pin-final-try", exit.Key}},
		{"too long for the token", "123456789", Officer{}, false, nil, 0,
			problem{"the PIN for " + name + " has 9 characters (from a test), and the token takes 4 to 8", "it was not tried; correct it", exit.Key}},
		{"lengths that make no sense", "9", Officer{}, false, func(s *fakeSlot) { s.pin = "9"; s.token.MinPIN, s.token.MaxPIN = 9, 3 }, 1, problem{}},
		{"empty", "", Officer{}, false, nil, 0, problem{"the PIN for " + name + " is empty: it was not tried", "", exit.Key}},
		{"few tries left, at a terminal", testPIN, person, false, low(p11.PINCountLow), 1, problem{}},
		{"few tries left, agreed to", testPIN, Officer{}, true, low(p11.PINCountLow), 1, problem{}},
		{"last try", testPIN, person, false, low(p11.PINCountLow | p11.PINFinalTry), 0,
			problem{name + " says that one more wrong PIN locks it: none was tried", "make sure of the PIN, then run once more with --pin-final-try", exit.Key}},
		{"last try, agreed to", testPIN, Officer{}, true, low(p11.PINFinalTry), 1, problem{}},
		{"locked", testPIN, person, true, low(p11.PINLocked), 0, problem{"the PIN of " + name + " is locked", unlockHint, exit.Key}},
		{"locked, and no flag says so", testPIN, person, false, func(s *fakeSlot) { s.loginErr = p11.PINIsLocked }, 1,
			problem{"the PIN of " + name + " is locked", unlockHint, exit.Key}},
		{"expired", testPIN, person, false, func(s *fakeSlot) { s.loginErr = p11.PINExpired }, 1,
			problem{"the PIN of " + name + " has expired", "change it with the card's own software", exit.Key}},
		{"none yet", testPIN, person, false, func(s *fakeSlot) { s.loginErr = p11.PINNotInitialized }, 1,
			problem{name + " has no PIN yet", "set one with the card's own software", exit.Key}},
		{"another error", testPIN, person, false, func(s *fakeSlot) { s.loginErr = p11.HostMemory }, 1,
			problem{"the login to " + name + " failed: CKR_HOST_MEMORY (0x2)", "", exit.Key}},
		{"logged in already", testPIN, Officer{}, false, func(s *fakeSlot) {
			s.objects[0].hidden, s.objects[2].hidden = false, false
			s.loginErr = p11.AlreadyLoggedIn
		}, 1, problem{}},
		{"no login wanted", testPIN, Officer{}, false, func(s *fakeSlot) {
			s.token.Flags &^= p11.LoginRequired
			s.objects[0].hidden, s.objects[2].hidden = false, false
		}, 0, problem{}},
		{"on the keypad", testPIN, Officer{}, false, low(p11.Keypad), 1, problem{}},
		{"refused on the keypad", testPIN, Officer{}, false, func(s *fakeSlot) { s.token.Flags |= p11.Keypad; s.loginErr = p11.PINIncorrect }, 1,
			problem{"the PIN entered on the reader of " + name + " was refused", "run the command again to enter it again", exit.Key}},
		{"nobody at the keypad", testPIN, Officer{}, false, func(s *fakeSlot) { s.token.Flags |= p11.Keypad; s.loginErr = p11.FunctionCanceled }, 1,
			problem{"the PIN entry on the reader of " + name + " was cancelled or took too long", "", exit.Key}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, slot := card(t)
			if c.prepare != nil {
				c.prepare(slot)
			}
			set := f.set(t, Config{Officer: c.officer, FinalTry: c.final})
			one, err := open(t, set, key1, fixedPIN(c.pin))
			if err != nil {
				t.Fatal(err)
			}
			two, err := open(t, set, key2, fixedPIN(c.pin))
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range together(8, one, two) {
				if got := problemOf(err); got != c.want {
					t.Fatalf("got %+v, want %+v", got, c.want)
				}
			}
			if f.logins != c.logins {
				t.Errorf("%d logins, want %d", f.logins, c.logins)
			}
			for _, secret := range []string{"9999", "123456789"} {
				if strings.Contains(c.want.text+c.want.hint, secret) {
					t.Error("the message tells the PIN")
				}
			}
		})
	}
}

// What a run has learnt holds for the next: a refused PIN is not tried again,
// another one is, and the right one clears the memory.
func TestRefusedPINIsRemembered(t *testing.T) {
	f, slot := card(t)
	state := t.TempDir()
	run := func(pin string) problem {
		t.Helper()
		set := f.set(t, Config{StateDir: state})
		defer set.Close()
		k, err := open(t, set, key1, fixedPIN(pin))
		if err != nil {
			t.Fatal(err)
		}
		return problemOf(sign(k))
	}
	expect := func(pin, text string, logins int) problem {
		t.Helper()
		f.logins = 0
		got := run(pin)
		if !strings.HasPrefix(got.text, text) || text == "" && got.text != "" || f.logins != logins {
			t.Errorf("PIN %s: %+v after %d logins, want %q after %d", pin, got, f.logins, text, logins)
		}
		return got
	}
	expect("9999", name+" refused the PIN", 1)
	again := expect("9999", name+" refused this PIN (from a test) on 20", 0)
	if path := filepath.Join(state, "refused-pins"); !strings.Contains(again.hint, path) {
		t.Errorf("the hint does not tell the file: %s", again.hint)
	}
	expect("8888", name+" refused the PIN", 1)
	expect("9999", name+" refused this PIN", 0)
	expect(testPIN, "", 1)
	slot.pin = "9999" // it was changed since
	expect("9999", "", 1)
}

// Several processes that start together with one wrong PIN burn one try.
func TestProcessesTryOneAfterAnother(t *testing.T) {
	f, _ := card(t)
	state := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		set := f.set(t, Config{StateDir: state})
		k, err := open(t, set, key1, fixedPIN("9999"))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if err := sign(k); exit.Of(err) != exit.Key {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if f.logins != 1 {
		t.Errorf("%d logins", f.logins)
	}
}

func TestPINSourceFails(t *testing.T) {
	f, _ := card(t)
	set := f.set(t, Config{})
	declined := errors.New("no terminal")
	asked := 0
	k, err := open(t, set, key1, func(_ context.Context, who string) (PIN, error) {
		asked++
		if who != name {
			t.Errorf("asked for %s", who)
		}
		return PIN{}, declined
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sign(k); !errors.Is(err, declined) || f.logins != 0 || asked != 1 {
		t.Errorf("%v after %d logins, asked %d times", err, f.logins, asked)
	}
}

// A PIN is for one card: another one in the same slot does not see it.
func TestAnotherCardInTheSlot(t *testing.T) {
	f, slot := card(t)
	set := f.set(t, Config{})
	k := mustOpen(t, set, key1)
	slot.token.Serial = "0124"
	want := problem{"another token took the place of " + name, "put the first one back, and run again", exit.Key}
	if got := problemOf(sign(k)); got != want || f.logins != 0 {
		t.Errorf("got %+v after %d logins", got, f.logins)
	}
}

// Keys that want the PIN for each signature.
func TestPINForEachSignature(t *testing.T) {
	each := func(declared bool) func(*fakeSlot) {
		return func(s *fakeSlot) {
			s.objects[0].each, s.logsOut = true, true
			if s.objects[0].AlwaysAuth = nil; declared {
				yes := true
				s.objects[0].AlwaysAuth = &yes
			}
		}
	}
	for _, c := range []struct {
		name                     string
		prepare                  func(*fakeSlot)
		entries                  int
		plan                     int
		consent                  bool
		signatures               int
		logins, contexts, signed int
		want                     problem
	}{
		{"one", each(true), 0, 0, false, 1, 1, 1, 1, problem{}},
		{"a handshake and a signature need no consent", each(true), 0, 0, false, 2, 1, 2, 2, problem{}},
		{"more do", each(true), 0, 0, false, 3, 1, 2, 2, problem{"the key on " + name + " wants the PIN for each signature, and the 2 PIN entries agreed to were made",
			"consent to more with --pin-entries, above 2", exit.Key}},
		{"--pin-entries", each(true), 5, 0, false, 5, 1, 5, 5, problem{}},
		{"too many planned: none is made", each(true), 4, 5, false, 1, 1, 0, 0, problem{"the key on " + name + " wants the PIN for each signature: 5 PIN entries", "consent with --pin-entries 5", exit.Usage}},
		{"planned and agreed to", each(true), 0, 5, true, 5, 1, 5, 5, problem{}},
		{"not declared: found out once", each(false), 0, 0, false, 2, 2, 2, 2, problem{}},
		{"the key has a PIN of its own", func(s *fakeSlot) { each(true)(s); s.pinEach = "5678" }, 0, 0, false, 1, 1, 1, 0,
			problem{"the key on " + name + " refused the PIN for the signature (from a test)", "the token took it for the login, so the key may have a PIN of its own; it will not be tried again", exit.Key}},
		{"on the keypad", func(s *fakeSlot) { each(true)(s); s.token.Flags |= p11.Keypad }, 0, 0, false, 2, 1, 2, 2, problem{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, slot := card(t)
			c.prepare(slot)
			set := f.set(t, Config{PINEntries: c.entries})
			k := mustOpen(t, set, key1)
			if c.plan > 0 {
				set.Plan(c.plan, c.consent)
			}
			var err error
			made := 0
			for range c.signatures {
				if err = sign(k); err != nil {
					break
				}
				made++
			}
			if got := problemOf(err); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if f.logins != c.logins || f.contexts != c.contexts || made != c.signed {
				t.Errorf("%d logins, %d for signatures, %d signatures; want %d, %d, %d", f.logins, f.contexts, made, c.logins, c.contexts, c.signed)
			}
		})
	}
}

// A PIN that the key refuses is remembered apart: it is the token's still.
func TestKeysOwnPINIsRemembered(t *testing.T) {
	f, slot := card(t)
	yes := true
	slot.objects[0].each, slot.objects[0].AlwaysAuth, slot.pinEach = true, &yes, "5678"
	state := t.TempDir()
	for range 2 {
		set := f.set(t, Config{StateDir: state})
		if err := sign(mustOpen(t, set, key1)); exit.Of(err) != exit.Key {
			t.Errorf("got %v", err)
		}
		set.Close()
	}
	if f.contexts != 1 {
		t.Errorf("%d logins for signatures", f.contexts)
	}
	if err := sign(mustOpen(t, f.set(t, Config{StateDir: state}), key2)); err != nil {
		t.Errorf("the other key: %v", err)
	}
}

func TestOfficerIsTold(t *testing.T) {
	f, slot := card(t)
	slot.token.Flags |= p11.Keypad | p11.PINCountLow
	yes := true
	slot.objects[0].each, slot.objects[0].AlwaysAuth = true, &yes
	var told []string
	tell := func(s string) { told = append(told, s) }
	request := func(s string) func() {
		tell(s)
		done := f.logins + f.contexts
		return func() { tell(fmt.Sprintf("over after %d", f.logins+f.contexts-done)) }
	}
	set := f.set(t, Config{Officer: Officer{Present: func() bool { return true }, Tell: tell, Request: request}})
	if err := sign(mustOpen(t, set, key1)); err != nil {
		t.Fatal(err)
	}
	want := name + " says that a wrong PIN was tried and few tries are left|enter the PIN of " + name + " on the reader|over after 1" +
		"|enter the PIN of " + name + " on the reader, for the signature|over after 1"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestPINEntriesAreTold(t *testing.T) {
	f, slot := card(t)
	yes := true
	slot.objects[0].AlwaysAuth, slot.objects[0].each = &yes, true
	set := f.set(t, Config{})
	k := mustOpen(t, set, key1)
	got := func() [3]bool {
		each, known, login := k.PINEntries()
		return [3]bool{each, known, login}
	}
	if g := got(); g != [3]bool{false, false, true} {
		t.Errorf("before the login: %v", g)
	}
	if err := k.Unlock(context.Background()); err != nil {
		t.Fatal(err)
	}
	if g := got(); g != [3]bool{true, true, false} {
		t.Errorf("after it: %v", g)
	}
	if f.logins != 1 || f.contexts != 0 {
		t.Errorf("%d logins, %d for signatures", f.logins, f.contexts)
	}
}

// The PIN is gone when the run is over.
func TestCloseForgetsThePIN(t *testing.T) {
	f, _ := card(t)
	set := f.set(t, Config{})
	value := []byte(testPIN)
	k, err := open(t, set, key1, func(context.Context, string) (PIN, error) { return PIN{value, "from a test"}, nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := sign(k); err != nil {
		t.Fatal(err)
	}
	set.Close()
	if string(value) != "\x00\x00\x00\x00" {
		t.Error("the PIN is still in memory")
	}
	if f.closed != f.loads || f.sessions != 0 {
		t.Errorf("%d of %d loads closed, %d sessions open", f.closed, f.loads, f.sessions)
	}
	if err := sign(k); exit.Of(err) != exit.Key {
		t.Errorf("a closed key gives %v", err)
	}
	set.Close()
}
