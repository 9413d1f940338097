//go:build cgo

package signer_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
)

// softHSM makes a token with the key and certificate of p256 as id 01, and the
// key of rsa2048 alone as id 02.
func softHSM(t *testing.T, b *bench) (module string) {
	t.Helper()
	for _, p := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(p); err == nil {
			module = p
		}
	}
	if module == "" {
		t.Fatal("SoftHSM 2 is not installed: apt-get install softhsm2")
	}
	if err := os.Mkdir(b.path("tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.write("softhsm2.conf", "directories.tokendir = "+b.path("tokens")+"\nlog.level = ERROR\n")
	t.Setenv("SOFTHSM2_CONF", b.path("softhsm2.conf"))
	b.run("softhsm2-util --init-token --free --label card --so-pin 87654321 --pin 1234")
	tool := "pkcs11-tool --module " + module + " --token-label card --login --pin 1234 --write-object "
	for _, k := range []struct{ name, id string }{{"p256", "01"}, {"rsa2048", "02"}} {
		b.run("openssl pkcs8 -topk8 -nocrypt -in " + k.name + ".key -outform DER -out " + k.name + ".p8")
		b.run(tool + k.name + ".p8 --type privkey --label key --id " + k.id)
	}
	b.run("openssl x509 -in p256.pem -outform DER -out p256.cer")
	b.run(tool + "p256.cer --type cert --label cert --id 01")
	return module
}

// Files and tokens go together in every way; a secret stays with its own.
func TestOpenToken(t *testing.T) {
	b := newBench(t, "p256", "rsa2048", "p384")
	module := softHSM(t, b)
	b.write("pin", "1234\r\n")
	b.write("wrong", "9999\n")
	b.run("openssl pkcs8 -topk8 -in p256.key -passout pass:9753 -out locked.key")
	none := signer.Secrets{}
	pin := signer.Secrets{Sources: []signer.Source{{Origin: "--pin-file", File: b.path("pin")}}}
	typed := func(prompt, value string) signer.Secrets {
		return signer.Secrets{Ask: func(_ context.Context, p string) ([]byte, error) {
			if !strings.HasPrefix(p, prompt) {
				return nil, errors.New("asked: " + p)
			}
			return []byte(value), nil
		}}
	}
	for _, c := range []struct {
		name, cert, key string
		secrets         signer.Secrets
		want            identity
		err             string
	}{
		{"key alone", "", "pkcs11:token=card;id=%01", pin, identity{"p256", "", nil}, ""},
		{"certificate alone", "pkcs11:token=card;object=cert;type=cert", "", pin, identity{"p256", "", nil}, ""},
		{"both the same", "pkcs11:token=card;id=%01", "pkcs11:token=card;id=%01", pin, identity{"p256", "", nil}, ""},
		{"certificate and key by two URIs", "pkcs11:object=cert", "pkcs11:token=card;object=key;id=%01", pin, identity{"p256", "", nil}, ""},
		{"certificate in a file", "rsa2048.pem", "pkcs11:token=card;id=%02", pin, identity{"rsa2048", "", nil}, ""},
		{"certificate in a file finds its key", "rsa2048.pem", "pkcs11:token=card", pin, identity{"rsa2048", "", nil}, ""},
		{"key in a file", "pkcs11:token=card;id=%01", "p256.key", none, identity{"p256", "", nil}, ""},
		{"locked key in a file: the password is the file's", "pkcs11:token=card;id=%01", "locked.key", typed("Password for ", "9753"), identity{"p256", "", nil}, ""},
		{"key of another certificate", "p384.pem", "pkcs11:token=card;id=%02", pin, identity{}, "has no key that fits pkcs11:token=card;id=%02"},
		{"key in a file, of another certificate", "pkcs11:token=card;id=%01", "p384.key", none, identity{}, "does not belong to the certificate of CN=p256"},
		{"typed", "", "pkcs11:token=card;id=%01", typed(`PIN for token "card" (serial `, "1234"), identity{"p256", "", nil}, ""},
		{"typed nothing", "", "pkcs11:token=card;id=%01", typed("PIN for ", ""), identity{}, " wants its PIN and the PIN given was empty; it was not tried"},
		{"nobody to ask", "", "pkcs11:token=card;id=%01", none, identity{}, " wants its PIN and no PIN was given"},
		{"pin-source", "", "pkcs11:token=card;id=%01?pin-source=" + b.path("pin"), none, identity{"p256", "", nil}, ""},
		{"pin-source, file:", "", "pkcs11:token=card;id=%01?pin-source=file:" + b.path("pin"), none, identity{"p256", "", nil}, ""},
		{"--pin-file before pin-source", "", "pkcs11:token=card;id=%01?pin-source=" + b.path("wrong"), pin, identity{"p256", "", nil}, ""},
		{"pin-source before the officer", "", "pkcs11:token=card;id=%01?pin-source=" + b.path("pin"), typed("nothing", ""), identity{"p256", "", nil}, ""},
		{"pin-source that is not there", "", "pkcs11:token=card;id=%01?pin-source=/none", none, identity{}, "was to come from /none (pin-source of the URI): there is no such file"},
		{"an attribute of others", "", "pkcs11:token=card;id=%01?x-color=red", pin, identity{"p256", "", []string{"the PKCS#11 URI's x-color is not known and does nothing"}}, ""},
		{"a broken URI", "", "pkcs11:tken=card", pin, identity{}, `the PKCS#11 URI has an unknown attribute "tken"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tokens := pkcs11.New(pkcs11.Config{Module: module})
			defer tokens.Close()
			id, err := signer.Open(context.Background(), signer.Ref{Cert: b.path(c.cert), Key: b.path(c.key)}, c.secrets, tokens)
			if err == nil {
				err = id.Unlock(context.Background())
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || exit.Of(err) != exit.Key && c.name != "a broken URI" {
					t.Errorf("error %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(id); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			works(t, id)
		})
	}
}

// A token opened for one identity alone is closed with it.
func TestTokenOfItsOwn(t *testing.T) {
	b := newBench(t, "p256", "rsa2048")
	module := softHSM(t, b)
	pin := signer.Secrets{Sources: []signer.Source{{Origin: "CMCTL_PIN", Value: "1234"}}}
	id, err := signer.Open(context.Background(), signer.Ref{Key: "pkcs11:id=%01?module-path=" + module}, pin, nil)
	if err != nil {
		t.Fatal(err)
	}
	works(t, id) // closes it
	if _, err := id.Key.Sign(nil, make([]byte, 32), crypto.SHA256); exit.Of(err) != exit.Key {
		t.Errorf("a closed key gives %v", err)
	}
}

// A handshake with a key on a token, in both versions of TLS.
func TestTLSFromToken(t *testing.T) {
	b := newBench(t, "p256", "rsa2048")
	module := softHSM(t, b)
	server, err := tls.LoadX509KeyPair(b.path("p256.pem"), b.path("p256.key"))
	if err != nil {
		t.Fatal(err)
	}
	pin := signer.Secrets{Sources: []signer.Source{{Origin: "CMCTL_PIN", Value: "1234"}}}
	for _, ref := range []signer.Ref{{Key: "pkcs11:token=card;id=%01"}, {Key: "pkcs11:token=card;id=%02", Cert: b.path("rsa2048.pem")}} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(filepath.Base(ref.Key)+" "+tls.VersionName(version), func(t *testing.T) {
				tokens := pkcs11.New(pkcs11.Config{Module: module})
				defer tokens.Close()
				id, err := signer.Open(context.Background(), ref, pin, tokens)
				if err != nil {
					t.Fatal(err)
				}
				here, there := net.Pipe()
				gateway := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAnyClientCert, MinVersion: version})
				heard := make(chan error, 1)
				go func() { heard <- gateway.Handshake() }()
				client := tls.Client(here, &tls.Config{Certificates: []tls.Certificate{id.TLSCertificate()}, MaxVersion: version, InsecureSkipVerify: true}) //nolint:gosec // whose certificate it is does not matter here
				if err := client.Handshake(); err != nil {
					t.Fatal(err)
				}
				if err := <-heard; err != nil {
					t.Fatal(err)
				}
				if got := gateway.ConnectionState().PeerCertificates[0]; !got.Equal(id.Leaf) {
					t.Errorf("the gateway saw %s", got.Subject)
				}
				if n, _ := id.OnToken().Used(); n != 1 {
					t.Errorf("%d signatures", n)
				}
			})
		}
	}
}
