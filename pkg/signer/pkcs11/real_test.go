//go:build cgo

package pkcs11

import (
	"context"
	"crypto"
	"crypto/rsa"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/child"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/host"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"

	miekg "github.com/miekg/pkcs11"
)

// Every kind of key, on two tokens of a real module in a real child, through
// every digest and padding.
func TestSoftHSM(t *testing.T) {
	h := newHSM(t)
	kinds := []string{"rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521"}
	var one []testKey
	for i, k := range kinds {
		one = append(one, testKey{typ: k, id: []byte{byte(i + 1)}, label: "key " + k, certLabel: "cert " + k, cn: k})
	}
	h.token("one", one...)
	h.token("two",
		testKey{typ: "rsa2048", id: []byte{1}, label: "always", cn: "always RSA", always: true},
		testKey{typ: "p256", id: []byte{2}, label: "always", cn: "always EC", always: true},
		testKey{typ: "p384", id: nil, label: "", cn: "no id"},
		testKey{typ: "p256", id: []byte(strings.Repeat("x", 20)), label: "long id", cn: "long id"},
		testKey{typ: "rsa2048", id: []byte{5}, label: "no certificate"},
		testKey{typ: "rsa2048", id: []byte{6}, label: "hidden", cn: "hidden", hiddenCert: true},
		testKey{typ: "rsa2048", id: []byte{7}, label: "strict", cn: "strict", mechanisms: []uint{miekg.CKM_SHA256_RSA_PKCS}},
		testKey{typ: "p256", id: []byte{8}, label: "no public", cn: "no public", certID: []byte{8}, noPublic: true},
		testKey{typ: "p256", id: []byte{9}, label: "not private", cn: "not private", notPrivate: true},
	)
	set := New(Config{Module: h.module, StateDir: t.TempDir(), PINEntries: 100})
	defer set.Close()
	for _, ref := range []string{
		"token=one;id=%01", "token=one;id=%02", "token=one;id=%03", "token=one;id=%04", "token=one;id=%05", "token=one;id=%06",
		"token=one;object=key%20p256", "token=one;object=cert%20p384;type=cert", "token=one;object=key%20rsa2048;type=private",
		"token=two;id=%01", "token=two;id=%02", "token=two;id=" + strings.Repeat("x", 20), "token=two;object=hidden", "token=two;object=no%20public", "token=two;id=%09", "token=two;id=;object=;type=private",
	} {
		t.Run(ref, func(t *testing.T) {
			k, err := open(t, set, "pkcs11:"+ref, fixedPIN(testPIN))
			if err != nil {
				t.Fatal(err)
			}
			for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
				if err := signWith(k, hash); err != nil {
					t.Errorf("%s: %v", hash, err)
				}
				if _, ok := k.Public().(*rsa.PublicKey); !ok {
					continue
				}
				if err := signWith(k, pssOf(hash)); err != nil {
					t.Errorf("PSS with %s: %v", hash, err)
				}
			}
		})
	}
	t.Run("a key that allows one mechanism", func(t *testing.T) {
		k, err := open(t, set, "pkcs11:token=two;id=%07", fixedPIN(testPIN))
		if err != nil {
			t.Fatal(err)
		}
		if err := signMessage(k, crypto.SHA256); err != nil {
			t.Error(err)
		}
		if _, last := k.Used(); last != "CKM_SHA256_RSA_PKCS" {
			t.Errorf("made by %s", last)
		}
	})
	for ref, want := range map[string]string{
		"pkcs11:token=two;id=%05": ` holds no certificate for the key pkcs11:`,
		"pkcs11:token=two":        "pkcs11:token=two fits 9 keys, and cmctl does not guess",
		"pkcs11:token=three":      "no token fits pkcs11:token=three",
	} {
		if _, err := open(t, set, ref, fixedPIN(testPIN)); exit.Of(err) != exit.Key || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// A module that does not load says why, and what is no module does not crash.
func TestNoModule(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	write(t, text, "no library")
	for path, want := range map[string]string{
		filepath.Join(dir, "none.so"): "No such file or directory",
		text:                          "text.so: ",
		dir:                           dir,
		"libc.so.6":                   "it is no PKCS#11 module: it has no C_GetFunctionList",
	} {
		_, err := open(t, New(Config{Module: path}), key1, nil)
		if exit.Of(err) != exit.Key || !strings.Contains(err.Error(), "cannot be loaded: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Eight workers on a real module, with the wrong PIN and the right one.
func TestSoftHSMWithWorkers(t *testing.T) {
	h := newHSM(t)
	h.token("one", testKey{typ: "rsa2048", id: []byte{1}, label: "a", cn: "A"}, testKey{typ: "p256", id: []byte{2}, label: "b", cn: "B"})
	state := t.TempDir()
	set := New(Config{Module: h.module, StateDir: state})
	defer set.Close()
	wrong := func(set *Tokens) *Key {
		t.Helper()
		k, err := open(t, set, "pkcs11:token=one;id=%01", fixedPIN("9999"))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, err := range together(8, wrong(set)) {
		if exit.Of(err) != exit.Key || !strings.Contains(err.Error(), "refused the PIN (from a test); few tries are left") {
			t.Fatalf("got %v", err)
		}
	}
	again := New(Config{Module: h.module, StateDir: state, FinalTry: true})
	defer again.Close()
	if err := sign(wrong(again)); exit.Of(err) != exit.Key || !strings.Contains(err.Error(), "refused this PIN (from a test) on ") {
		t.Errorf("got %v", err)
	}
	right := New(Config{Module: h.module, StateDir: state, FinalTry: true})
	defer right.Close()
	one, err := open(t, right, "pkcs11:token=one;id=%01", fixedPIN(testPIN))
	if err != nil {
		t.Fatal(err)
	}
	two, err := open(t, right, "pkcs11:token=one;id=%02", fixedPIN(testPIN))
	if err != nil {
		t.Fatal(err)
	}
	for _, errs := range [][]error{together(200, one, two), together(600, two)} { // the second ones are quick
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestView(t *testing.T) {
	h := newHSM(t)
	h.token("one", testKey{typ: "rsa2048", id: []byte{1}, label: "a", cn: "A"}, testKey{typ: "p256", id: []byte{2}, label: "b"})
	h.token("two")
	set := New(Config{Module: h.module})
	defer set.Close()
	see := func(ref string, source PINSource) string {
		t.Helper()
		u, err := uri.Parse(ref)
		if err != nil {
			t.Fatal(err)
		}
		views, _, err := set.View(context.Background(), u, source)
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, m := range views {
			for _, tok := range m.Tokens {
				line := tok.Label
				for _, k := range tok.Keys {
					line += "|" + strings.TrimPrefix(k.URI, tok.URI+";") + " " + k.Type
					if k.Shown {
						line += " shown"
					}
					if k.Leaf != nil {
						line += " " + k.Leaf.Subject.CommonName
					}
				}
				out = append(out, line)
			}
		}
		return strings.Join(out, "\n")
	}
	if got := see("pkcs11:token=one", nil); !strings.Contains(got, "|id=%01;type=private RSA-2048 A") || !strings.Contains(got, "|id=%02;type=private P-256") || strings.Contains(got, "shown") {
		t.Errorf("without PIN: %s", got)
	}
	if got := see("pkcs11:", nil); !strings.Contains(got, "two") || !strings.Contains(got, "one|") {
		t.Errorf("everything: %s", got)
	}
	if got := see("pkcs11:", fixedPIN(testPIN)); !strings.Contains(got, "fits 2 tokens") {
		t.Errorf("a PIN for two tokens: %s", got)
	}
	if got := see("pkcs11:token=one;id=%02", fixedPIN(testPIN)); got != "one|id=%02;type=private P-256 shown" {
		t.Errorf("with PIN: %s", got)
	}
	if got := see("pkcs11:token=two", fixedPIN("9999")); got != "two" {
		t.Errorf("a wrong PIN: %s", got)
	}
}

// The module in the child and the module in this process answer alike.
func TestChildIsTransparent(t *testing.T) {
	h := newHSM(t)
	h.token("one", testKey{typ: "p256", id: []byte{1}, label: "a", cn: "A"})
	ctx := context.Background()
	what := func(load p11.Loader) (out []any) {
		m, err := load(ctx, p11.Spec{Path: h.module})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		slots, err := m.Slots(ctx)
		if err != nil || len(slots) == 0 {
			t.Fatal(err)
		}
		s, err := m.OpenSession(ctx, slots[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := m.Objects(ctx, s)
		mechanisms, _ := m.Mechanisms(ctx, slots[0].ID)
		refusal := m.Login(ctx, s, []byte("9999"))
		empty := m.Login(ctx, s, []byte{})
		_, noKey := m.Sign(ctx, s, p11.SignRequest{Key: 77, Mechanism: p11.ECDSA, Data: []byte{1}})
		_, noPIN := m.Sign(ctx, s, p11.SignRequest{Key: 77, Mechanism: p11.ECDSA, Data: []byte{1}, Context: true, PIN: []byte{}})
		return append(out, slots[0].Token.Label, objects, err, mechanisms, refusal, empty.Error(), noKey, noPIN.Error())
	}
	inside, outside := what(host.Load), what(child.Loader(child.Limits{Call: 20 * time.Second}, nil))
	for i := range inside {
		if !reflect.DeepEqual(inside[i], outside[i]) {
			t.Errorf("%d: %v in this process, %v in the child", i, inside[i], outside[i])
		}
	}
	if inside[4] != p11.PINIncorrect || inside[5] != "an empty PIN is never tried" || inside[7] != "an empty PIN is never tried" {
		t.Errorf("%v, %v, %v", inside[4], inside[5], inside[7])
	}
}
