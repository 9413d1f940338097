package pkcs11

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/modules"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

func parsed(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Which key and which certificate a URI means, and whether the PIN is wanted
// to find out.
func TestOpen(t *testing.T) {
	rsaKey, rsaKey2, ec, ec2 := keyRSA(), keyRSA2(), keyEC(), keyEC2()
	ec256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hideCert := func(o *fakeObject) *fakeObject { o.hidden = true; return o }
	noSign := func(o *fakeObject) *fakeObject { no := false; o.Sign = &no; return o }
	padded := func(o *fakeObject) *fakeObject { o.Value = append(o.Value, 0, 0, 0); return o }
	opaque := func(o *fakeObject) *fakeObject { // tells nothing of its public half
		o.Modulus, o.Exponent, o.ECPoint = nil, nil, nil
		return o
	}
	rawPoint := func(o *fakeObject) *fakeObject { o.ECPoint = o.ECPoint[len(o.ECPoint)-65:]; return o }
	type objects = []*fakeObject
	for _, c := range []struct {
		name    string
		objects objects
		uri     string
		certs   []*x509.Certificate
		leaf    string // of the key that is opened, and signs
		logins  int    // before the first signature
		err     string // its first line, of opening or signing
	}{
		{"by id", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey), private(3, "\x02", "k", ec), cert(t, 4, "\x02", "c", "Two", ec)},
			"pkcs11:id=%02", nil, "Two", 0, ""},
		{"by the key's label, which shows after the login", objects{private(1, "\x01", "one", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey), private(3, "\x02", "two", ec), cert(t, 4, "\x02", "c", "Two", ec)},
			"pkcs11:object=two;type=private", nil, "Two", 1, ""},
		{"by the certificate's label", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "one", "One", rsaKey), private(3, "\x02", "k", ec), cert(t, 4, "\x02", "two", "Two", ec)},
			"pkcs11:object=two", nil, "Two", 0, ""},
		{"the certificate's own URI", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:object=c;type=cert", nil, "One", 0, ""},
		{"the public key's URI", objects{private(1, "\x01", "k", rsaKey), public(5, "\x01", "p", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:object=p;type=public", nil, "One", 0, ""},
		{"the only key", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:", nil, "One", 0, ""},
		{"a label with padding", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c  \x00", "One", rsaKey)}, "pkcs11:object=c", nil, "One", 0, ""},

		{"several keys", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey), private(3, "\x02", "k", ec), cert(t, 4, "\x02", "c", "Two", ec)},
			"pkcs11:token=Officer%20card", nil, "", 1, "pkcs11:token=Officer%20card fits 2 keys, and cmctl does not guess"},
		{"several certificates, one key", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey), cert(t, 4, "\x02", "c", "A friend", ec)},
			"pkcs11:token=Officer%20card", nil, "One", 1, ""},
		{"the same label twice", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey), private(3, "\x02", "k", ec), cert(t, 4, "\x02", "c", "Two", ec)},
			"pkcs11:object=k", nil, "", 1, "pkcs11:object=k fits 2 keys, and cmctl does not guess"},
		{"the same id twice, the label tells", objects{private(1, "\x01", "one", rsaKey), cert(t, 2, "\x01", "one", "One", rsaKey), private(3, "\x01", "two", ec), cert(t, 4, "\x01", "two", "Two", ec)},
			"pkcs11:id=%01;object=two", nil, "Two", 0, ""},
		{"the same id twice", objects{private(1, "\x01", "", rsaKey), cert(t, 2, "\x01", "", "One", rsaKey), private(3, "\x01", "", rsaKey2), cert(t, 4, "\x01", "", "Two", rsaKey2)},
			"pkcs11:id=%01", nil, "", 1, "pkcs11:id=%01 fits 2 keys, and cmctl does not guess"},
		{"the same key stored twice", objects{private(1, "\x01", "a", rsaKey), private(3, "\x02", "b", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:token=Officer%20card", nil, "One", 0, ""},
		{"a key that does not sign is none", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey), noSign(private(3, "\x02", "k", ec)), cert(t, 4, "\x02", "c", "Two", ec)},
			"pkcs11:", nil, "One", 1, ""},

		{"no ids: by public key", objects{private(1, "", "", rsaKey), cert(t, 2, "", "", "One", rsaKey)}, "pkcs11:token=Officer%20card", nil, "One", 0, ""},
		{"no ids, and EC without point: it may be another", objects{private(1, "", "", ec), public(5, "", "", ec), cert(t, 2, "", "", "One", ec), private(3, "", "", rsaKey)}, "pkcs11:id=;object=;type=private", nil, "", 0,
			"pkcs11:id=;object=;type=private fits 2 keys, and cmctl does not guess"},
		{"no ids, EC without point, one key", objects{private(1, "", "", ec), cert(t, 2, "", "", "One", ec)}, "pkcs11:", nil, "One", 0, ""},
		{"no ids, EC without point, two keys", objects{private(1, "", "a", ec), private(3, "", "b", ec2), cert(t, 2, "", "", "One", ec), cert(t, 4, "", "", "Two", ec2)}, "pkcs11:object=a", nil, "", 1,
			name + " holds no certificate for the key pkcs11:serial=0123;token=Officer%20card;object=a;type=private"},
		{"ids that differ: by public key", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x77", "c", "One", rsaKey)}, "pkcs11:id=%01", nil, "One", 1, ""},
		{"ids that mislead", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "Not its own", rsaKey2), cert(t, 3, "\x02", "c", "One", rsaKey)}, "pkcs11:id=%01", nil, "", 0,
			"the key pkcs11:serial=0123;token=Officer%20card;id=%01;object=k;type=private does not belong to the certificate of CN=Not its own"},
		{"EC without point: by id", objects{private(1, "\x01", "k", ec), cert(t, 2, "\x01", "c", "One", ec)}, "pkcs11:id=%01", nil, "One", 0, ""},
		{"EC without point, the public key tells", objects{private(1, "\x01", "k", ec), public(5, "\x01", "k", ec), cert(t, 2, "\x77", "c", "One", ec)}, "pkcs11:id=%01", nil, "One", 0, ""},
		{"EC, the point not wrapped", objects{private(1, "\x01", "k", ec), rawPoint(public(5, "\x01", "k", ec)), cert(t, 2, "\x77", "c", "One", ec)}, "pkcs11:id=%01", nil, "One", 0, ""},
		{"an id that an RSA and an EC key share", objects{private(1, "\x01", "r", rsaKey), private(3, "\x01", "e", ec), cert(t, 4, "\x01", "e", "Two", ec)}, "pkcs11:object=e", nil, "Two", 0, ""},
		{"another key under the id: the signature tells", objects{opaque(private(1, "\x01", "k", rsaKey2)), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:id=%01", nil, "", 0,
			`a signature by ` + name + ` does not fit the certificate of CN=One: the key on the token is another`},
		{"20-byte ids", objects{private(1, strings.Repeat("\xab", 20), "", ec), cert(t, 2, strings.Repeat("\xab", 20), "", "One", ec)}, "pkcs11:id=" + strings.Repeat("%AB", 20), nil, "One", 0, ""},
		{"everything hidden before the login", objects{private(1, "\x01", "k", rsaKey), hideCert(cert(t, 2, "\x01", "c", "One", rsaKey))}, "pkcs11:id=%01", nil, "One", 1, ""},
		{"a certificate with padding", objects{private(1, "\x01", "k", rsaKey), padded(cert(t, 2, "\x01", "c", "One", rsaKey))}, "pkcs11:id=%01", nil, "One", 0, ""},
		{"a certificate that is none", objects{private(1, "\x01", "k", rsaKey), {Object: p11.Object{Class: 1, Value: []byte{1}}}, cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:id=%01", nil, "One", 0, ""},

		{"no certificate", objects{private(1, "\x01", "k", rsaKey)}, "pkcs11:id=%01", nil, "", 1, name + " holds no certificate for the key pkcs11:serial=0123;token=Officer%20card;id=%01;type=private"},
		{"no certificate, but one from a file", objects{private(1, "\x01", "k", rsaKey)}, "pkcs11:id=%01", []*x509.Certificate{parsed(t, certificate(t, "File", rsaKey.Public()))}, "File", 1, ""},
		{"the certificate from a file comes first", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:id=%01", []*x509.Certificate{parsed(t, certificate(t, "File", rsaKey.Public()))}, "File", 0, ""},
		{"a file's certificate finds its key", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey), private(3, "\x02", "k", rsaKey2), cert(t, 4, "\x02", "c", "Two", rsaKey2)},
			"pkcs11:", []*x509.Certificate{parsed(t, certificate(t, "File", rsaKey2.Public()))}, "File", 0, ""},
		{"a file's certificate, EC without point", objects{private(1, "\x01", "k", ec)}, "pkcs11:id=%01", []*x509.Certificate{parsed(t, certificate(t, "File", ec.Public()))}, "File", 1, ""},
		{"a file's certificate of another key", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:id=%01", []*x509.Certificate{parsed(t, certificate(t, "File", ec2.Public()))}, "", 1,
			name + " has no key that fits pkcs11:id=%01 and belongs to the certificate"},
		{"a file's certificate marked as a CA's, EC without point", objects{private(1, "\x02", "k", ec)}, "pkcs11:id=%02", []*x509.Certificate{ownCA(t, ec)}, "Own", 1, ""},
		{"a file with certificate and chain, EC without point", objects{private(1, "\x02", "k", ec)}, "pkcs11:id=%02",
			[]*x509.Certificate{ownCA(t, rsaKey), parsed(t, certificate(t, "File", ec.Public()))}, "File", 1, ""},
		{"a file's RSA certificate rules an EC key out", objects{private(1, "\x01", "r", rsaKey), private(3, "\x02", "e", ec)}, "pkcs11:token=Officer%20card",
			[]*x509.Certificate{parsed(t, certificate(t, "File", rsaKey.Public()))}, "File", 1, ""},
		{"a file's EC certificate rules other curves out", objects{private(1, "\x01", "a", ec2), private(3, "\x02", "b", ec)}, "pkcs11:token=Officer%20card",
			[]*x509.Certificate{parsed(t, certificate(t, "File", ec.Public()))}, "File", 1, ""},
		{"a file's EC certificate and two keys that may be its", objects{private(1, "\x01", "a", ec256), private(3, "\x02", "b", ec)}, "pkcs11:token=Officer%20card",
			[]*x509.Certificate{parsed(t, certificate(t, "File", ec.Public()))}, "", 1, "pkcs11:token=Officer%20card fits 2 keys, and cmctl does not guess"},
		{"a file's certificate of another curve", objects{private(1, "\x01", "k", ec2)}, "pkcs11:id=%01", []*x509.Certificate{parsed(t, certificate(t, "File", ec.Public()))}, "", 1,
			name + " has no key that fits pkcs11:id=%01 and belongs to the certificate"},
		{"a file's certificate of another key of the curve: the signature tells", objects{private(1, "\x01", "k", ec256)}, "pkcs11:id=%01", []*x509.Certificate{parsed(t, certificate(t, "File", ec.Public()))}, "", 1,
			"a signature by " + name + " does not fit the certificate of CN=File: the key on the token is another"},
		{"a certificate without key", objects{cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:id=%01", nil, "", 0, name + " has no key that fits pkcs11:id=%01: it has none"},
		{"no such id", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:id=%09", nil, "", 1, name + " has no key that fits pkcs11:id=%09"},
		{"a type that is no key", objects{private(1, "\x01", "k", rsaKey), cert(t, 2, "\x01", "c", "One", rsaKey)}, "pkcs11:id=%01;type=data", nil, "", 1, name + " has no key that fits pkcs11:id=%01;type=data"},
		{"an empty token", nil, "pkcs11:", nil, "", 1, name + " has no key that fits pkcs11: (any): it has none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, slot := card(t)
			slot.objects = c.objects
			set := f.set(t, Config{})
			u, err := uri.Parse(c.uri)
			if err != nil {
				t.Fatal(err)
			}
			k, err := set.Open(context.Background(), Request{Key: u, Certs: c.certs, PIN: fixedPIN(testPIN)})
			if f.logins != c.logins {
				t.Errorf("%d logins to open it, want %d", f.logins, c.logins)
			}
			leaf := ""
			if err == nil {
				if err = sign(k); err == nil {
					leaf = k.Leaf().Subject.CommonName
				}
			}
			text := ""
			if err != nil {
				text, _, _ = strings.Cut(err.Error(), "\n")
				if exit.Of(err) != exit.Key {
					t.Errorf("code %d", exit.Of(err))
				}
			}
			if leaf != c.leaf || text != c.err {
				t.Errorf("got %q, error %q; want %q, %q", leaf, text, c.leaf, c.err)
			}
			if f.logins > 1 {
				t.Errorf("%d logins", f.logins)
			}
		})
	}
}

// Of several certificates of one key the one that is valid longest counts.
func TestRenewedCertificate(t *testing.T) {
	old, renewed := parsed(t, certificate(t, "Old", keyRSA().Public())), parsed(t, certificate(t, "Renewed", keyRSA().Public()))
	renewed.NotAfter = renewed.NotAfter.AddDate(1, 0, 0)
	for _, list := range [][]*x509.Certificate{{old, renewed}, {renewed, old}} {
		if got := newest(list); got != renewed {
			t.Errorf("took %s", got.Subject)
		}
	}
}

func TestFind(t *testing.T) {
	two := func(t *testing.T) (*fake, *fakeSlot, *fakeSlot) {
		f, one := card(t)
		_, other := card(t)
		other.id, other.token.Label, other.token.Model = 6, "Signature", "B"
		blank := &fakeSlot{id: 9}
		f.slots = append(f.slots, other, blank)
		return f, one, other
	}
	for _, c := range []struct {
		uri   string
		token string // that is found; empty: an error
		err   string
	}{
		{"pkcs11:token=Signature;id=%01", "Signature", ""},
		{"pkcs11:slot-id=5;id=%01", "Officer card", ""},
		{"pkcs11:slot-id=6;id=%01", "Signature", ""},
		{"pkcs11:model=SW%00TPM%20%20;id=%01", "Officer card", ""},
		{"pkcs11:model=B;manufacturer=Makers;serial=0123;id=%01", "Signature", ""},
		{"pkcs11:token=Signature;library-description=Fake;library-manufacturer=Makers;library-version=3.1;slot-description=Reader;slot-manufacturer=;id=%01", "Signature", ""},
		{"pkcs11:serial=0123;id=%01", "", "pkcs11:serial=0123;id=%01 fits 2 keys, and cmctl does not guess"},
		{"pkcs11:token=signature", "", "no token fits pkcs11:token=signature"},
		{"pkcs11:library-version=3.2", "", "no token fits pkcs11:library-version=3.2"},
		{"pkcs11:library-description=x", "", "no token fits pkcs11:library-description=x"},
		{"pkcs11:slot-id=9", "", "no token fits pkcs11:slot-id=9"},
		{"pkcs11:token=", "", "no token fits pkcs11:token="},
	} {
		t.Run(c.uri, func(t *testing.T) {
			f, _, _ := two(t)
			k, err := open(t, f.set(t, Config{}), c.uri, fixedPIN(testPIN))
			got, text := "", ""
			if err == nil {
				got = k.tok.place.slot.Token.Label
			} else {
				text, _, _ = strings.Cut(err.Error(), "\n")
			}
			if got != c.token || text != c.err {
				t.Errorf("got %q, %q; want %q, %q", got, text, c.token, c.err)
			}
			if f.logins != 0 {
				t.Error("a PIN was tried")
			}
		})
	}
	t.Run("two tokens that hide everything", func(t *testing.T) {
		f, one, other := two(t)
		one.objects, other.objects = one.objects[:1], other.objects[:1]
		_, err := open(t, f.set(t, Config{}), "pkcs11:id=%01", fixedPIN(testPIN))
		want := problem{"pkcs11:id=%01 fits 2 tokens, and none shows the key without a PIN\n  pkcs11:serial=0123;token=Officer%20card\n  pkcs11:serial=0123;token=Signature",
			"name one of them: add its token or serial to the URI", exit.Key}
		if got := problemOf(err); got != want || f.logins != 0 {
			t.Errorf("got %+v after %d logins", got, f.logins)
		}
	})
	t.Run("what is there is told", func(t *testing.T) {
		f, one, _ := two(t)
		one.token.Label, one.token.Serial = "", "0000"
		_, err := open(t, f.set(t, Config{}), "pkcs11:token=x", nil)
		want := problem{"no token fits pkcs11:token=x\n  there is pkcs11:model=SW%00TPM;manufacturer=Makers\n  there is pkcs11:serial=0123;token=Signature",
			"correct the URI, or put the right card in; `cmctl key list` shows what is there", exit.Key}
		if got := problemOf(err); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// The pairs of one token share its login, and the first one's PIN.
func TestOneLoginForTwoPairs(t *testing.T) {
	f, _ := card(t)
	set := f.set(t, Config{})
	one := mustOpen(t, set, key1)
	two, err := open(t, set, "pkcs11:serial=0123;id=%02", func(context.Context, string) (PIN, error) {
		return PIN{}, errors.New("asked twice")
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range together(16, one, two) {
		if err != nil {
			t.Error(err)
		}
	}
	if f.logins != 1 || f.loads != 1 {
		t.Errorf("%d logins, %d loads", f.logins, f.loads)
	}
}

func TestCertificateNamedApart(t *testing.T) {
	f, slot := card(t)
	slot.objects = append(slot.objects, cert(t, 7, "\x07", "Other", "Renewed", keyRSA()))
	set := f.set(t, Config{})
	key, _ := uri.Parse(key1)
	named, _ := uri.Parse("pkcs11:token=Officer%20card;object=Other")
	k, err := set.Open(context.Background(), Request{Key: key, Cert: named, PIN: fixedPIN(testPIN)})
	if err != nil || k.Leaf().Subject.CommonName != "Renewed" {
		t.Fatalf("%v", err)
	}
	missing, _ := uri.Parse("pkcs11:token=Officer%20card;object=None")
	_, err = set.Open(context.Background(), Request{Key: key, Cert: missing, PIN: fixedPIN(testPIN)})
	if got := problemOf(err); got.text != "no certificate on a token fits pkcs11:token=Officer%20card;object=None" || got.code != exit.Key {
		t.Errorf("got %+v", got)
	}
	if err := sign(k); err != nil {
		t.Error(err)
	}
}

// Several modules: one that fails does not stop the others, unless the token
// is nowhere.
func TestSeveralModules(t *testing.T) {
	f, _ := card(t)
	set := f.set(t, Config{})
	set.cfg.Module = ""
	dir := t.TempDir()
	write(t, dir+"/good.module", "module: /good.so")
	write(t, dir+"/bad.module", "module: /bad.so")
	set.finder = modules.Finder{System: []string{dir}}
	set.load = func(ctx context.Context, spec p11.Spec) (p11.Module, error) {
		if spec.Path == "/bad.so" {
			return nil, &p11.HungError{Call: "C_Initialize"}
		}
		return f.load(ctx, spec)
	}
	if err := sign(mustOpen(t, set, key1)); err != nil {
		t.Error(err)
	}
	_, err := open(t, set, "pkcs11:token=x", nil)
	want := "no token fits pkcs11:token=x\n  there is pkcs11:serial=0123;token=Officer%20card?module-path=/good.so\n  the PKCS#11 module bad hangs: C_Initialize did not return"
	if got := problemOf(err); got.text != want {
		t.Errorf("got %+v", got)
	}
	set.finder = modules.Finder{}
	_, err = open(t, set, "pkcs11:token=x", nil)
	if got := problemOf(err); got.text != "no PKCS#11 module is named, and none is registered with p11-kit" || got.code != exit.Key {
		t.Errorf("got %+v", got)
	}
	set.supported = false
	_, err = open(t, set, key1, nil)
	if got := problemOf(err); got.hint != MissingHint || got.code != exit.Key {
		t.Errorf("got %+v", got)
	}
}

func TestModuleThatDoesNotStart(t *testing.T) {
	for _, c := range []struct {
		err  error
		want problem
	}{
		{&p11.LoadError{Reason: "wrong ELF class"}, problem{"the PKCS#11 module /fake.so cannot be loaded: wrong ELF class",
			"name the module of the token's maker: CMCTL_PKCS11_MODULE, the context's module, or module-path in the URI", exit.Key}},
		{p11.ArgumentsBad, problem{"the PKCS#11 module /fake.so does not start: CKR_ARGUMENTS_BAD (0x7)",
			"NSS wants to know its database: register it with p11-kit and x-init-reserved, or add ?x-init-reserved=... to the URI", exit.Key}},
		{p11.GeneralError, problem{"the PKCS#11 module /fake.so does not start: CKR_GENERAL_ERROR (0x5)", "", exit.Key}},
	} {
		f, _ := card(t)
		f.err = c.err
		set := f.set(t, Config{})
		for range 2 { // it is not tried twice
			_, err := open(t, set, key1, nil)
			if got := problemOf(err); got != c.want || f.loads != 1 {
				t.Errorf("got %+v after %d loads, want %+v", got, f.loads, c.want)
			}
		}
	}
}
