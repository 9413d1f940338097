package signer_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer"
)

// password is a source with the password of nearly all test files.
func password(value string) signer.Secrets {
	return signer.Secrets{Sources: []signer.Source{{Origin: "--pin-file"}, {Origin: "CMCTL_PIN", Value: value}}}
}

// identity is what tests compare of a signer.Identity.
type identity struct {
	Leaf     string
	Chain    string
	Warnings []string
}

func describe(id *signer.Identity) identity {
	if id == nil {
		return identity{}
	}
	var chain []string
	for _, c := range id.Chain {
		chain = append(chain, c.Subject.CommonName)
	}
	return identity{id.Leaf.Subject.CommonName, strings.Join(chain, ", "), id.Warnings}
}

// works signs with the key and checks it with the certificate.
func works(t *testing.T, id *signer.Identity) {
	t.Helper()
	algorithm := map[x509.PublicKeyAlgorithm]x509.SignatureAlgorithm{
		x509.RSA: x509.SHA256WithRSA, x509.ECDSA: x509.ECDSAWithSHA256, x509.Ed25519: x509.PureEd25519,
	}[id.Leaf.PublicKeyAlgorithm]
	message, opts := []byte("message"), crypto.SHA256
	digest := message
	if algorithm == x509.PureEd25519 {
		opts = crypto.Hash(0)
	} else {
		h := opts.New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	signature, err := id.Key.Sign(rand.Reader, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Leaf.CheckSignature(algorithm, message, signature); err != nil {
		t.Errorf("the key does not fit the certificate: %v", err)
	}
	if err := id.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	kinds := []string{"rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521", "ed25519"}
	b := newBench(t, kinds...)
	type test struct {
		name, make, cert, key, password string
		want                            identity
	}
	var tests []test
	for _, kind := range kinds {
		tests = append(tests,
			test{kind + " PKCS#8", "", kind + ".pem", kind + ".key", "", identity{kind, "", nil}},
			test{kind + " PKCS#12", "openssl pkcs12 -export -inkey " + kind + ".key -in " + kind + ".pem -passout pass:1234 -out " + kind + ".p12", "", kind + ".p12", "1234", identity{kind, "", nil}})
	}
	rsa, ec := identity{"rsa2048", "", nil}, identity{"p256", "", nil}
	const (
		pkcs8  = "openssl pkcs8 -topk8 -passout pass:1234 -in rsa2048.key "
		pkcs12 = "openssl pkcs12 -export -inkey rsa2048.key -in rsa2048.pem -passout pass:1234 "
	)
	tests = append(tests, []test{
		{"PKCS#1", "openssl rsa -traditional -in rsa2048.key -out k", "rsa2048.pem", "k", "", rsa},
		{"PKCS#1 DER", "openssl rsa -traditional -in rsa2048.key -outform DER -out k", "rsa2048.pem", "k", "", rsa},
		{"PKCS#8 DER", "openssl pkcs8 -topk8 -nocrypt -in rsa2048.key -outform DER -out k", "rsa2048.pem", "k", "", rsa},
		{"SEC1", "openssl ec -in p256.key -out k", "p256.pem", "k", "", ec},
		{"SEC1 with parameters", "openssl ecparam -name prime256v1 -out k; openssl ec -in p256.key >> k", "p256.pem", "k", "", ec},
		{"SEC1 DER", "openssl ec -in p256.key -outform DER -out k", "p256.pem", "k", "", ec},
		{"DER certificate", "openssl x509 -in rsa2048.pem -outform DER -out c", "c", "rsa2048.key", "", rsa},
		{"PKCS#7 certificates", "openssl crl2pkcs7 -nocrl -certfile ca.pem -certfile rsa2048.pem -outform DER -out c", "c", "rsa2048.key", "", identity{"rsa2048", "Demo CA", nil}},
		{"CRLF", "sed 's/$/\\r/' rsa2048.key > k; sed 's/$/\\r/' rsa2048.pem > c", "c", "k", "", rsa},

		{"encrypted PKCS#8", pkcs8 + "-out k", "rsa2048.pem", "k", "1234", rsa},
		{"encrypted PKCS#8 DER", pkcs8 + "-outform DER -out k", "rsa2048.pem", "k", "1234", rsa},
		{"encrypted PKCS#8, hmacWithSHA1", pkcs8 + "-v2 aes128 -v2prf hmacWithSHA1 -out k", "rsa2048.pem", "k", "1234", rsa},
		{"encrypted PKCS#8, 3DES", pkcs8 + "-v2 des3 -out k", "rsa2048.pem", "k", "1234", rsa},
		{"encrypted PKCS#8, scrypt", pkcs8 + "-scrypt -out k", "rsa2048.pem", "k", "1234", rsa},
		{"encrypted PKCS#8, EC", "openssl pkcs8 -topk8 -passout pass:1234 -in p256.key -out k", "p256.pem", "k", "1234", ec},
		{"Proc-Type, AES", "openssl rsa -traditional -aes256 -passout pass:1234 -in rsa2048.key -out k", "rsa2048.pem", "k", "1234", rsa},
		{"Proc-Type, 3DES", "openssl ec -des3 -passout pass:1234 -in p256.key -out k", "p256.pem", "k", "1234", ec},

		{"one file, certificate named", "cat rsa2048.pem rsa2048.key > both", "both", "", "", rsa},
		{"one file, key named", "", "", "both", "", rsa},
		{"one file, named twice", "", "both", "both", "", rsa},
		{"one file, key first and encrypted", pkcs8 + "-out k; cat k ca.pem rsa2048.pem > both2", "", "both2", "1234", identity{"rsa2048", "Demo CA", nil}},
		{"chain in order", "cat rsa2048.pem ca.pem root.pem > c", "c", "rsa2048.key", "", identity{"rsa2048", "Demo CA, Demo Root", nil}},
		{"chain in disorder, with strangers", "cat root.pem p256.pem ca.pem rsa2048.pem root.pem > c", "c", "rsa2048.key", "", identity{"rsa2048", "Demo CA, Demo Root", nil}},
		{"chain with a gap", "cat rsa2048.pem root.pem > c", "c", "rsa2048.key", "", rsa},
		{"chain beside the key", "cat rsa2048.key ca.pem > k", "rsa2048.pem", "k", "", identity{"rsa2048", "Demo CA", nil}},

		{"PKCS#12 with chain", "cat ca.pem root.pem > chain; " + pkcs12 + "-certfile chain -out p", "", "p", "1234", identity{"rsa2048", "Demo CA, Demo Root", nil}},
		{"PKCS#12 named as certificate", "", "p", "", "1234", identity{"rsa2048", "Demo CA, Demo Root", nil}},
		{"PKCS#12, certificate elsewhere", "", "rsa2048.pem", "p", "1234", identity{"rsa2048", "Demo CA, Demo Root", nil}},
		{"PKCS#12, RC2 and 3DES", pkcs12 + "-legacy -out p", "", "p", "1234", rsa},
		{"PKCS#12, 3DES", pkcs12 + "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -out p", "", "p", "1234", rsa},
		{"PKCS#12, certificate not encrypted", pkcs12 + "-certpbe NONE -out p", "", "p", "1234", rsa},
		{"PKCS#12, key not encrypted", pkcs12 + "-keypbe NONE -out p", "", "p", "1234", rsa},
		{"PKCS#12, other letters", "openssl pkcs12 -export -inkey rsa2048.key -in rsa2048.pem -passout pass:åß€ -out p", "", "p", "åß€", rsa},
		{"PKCS#12, Java", "", "", "java.p12", "changeit", identity{"Java Officer", "", nil}},
		{"PKCS#12, old Java", "", "", "java-legacy.p12", "changeit", identity{"Java Officer", "", nil}},
		{"PKCS#12, Java with chain", "", "", "java-chain.p12", "changeit", identity{"Java Officer", "Java CA", nil}},
		{"PKCS#12, GnuTLS", "", "", "gnutls.p12", "1234", identity{"GnuTLS Officer", "", nil}},

		{"readable by others", "cp rsa2048.key open.key; chmod 644 open.key", "rsa2048.pem", "open.key", "",
			identity{"rsa2048", "", []string{"the private key file " + b.path("open.key") + " can be read by others (mode 0644): chmod 600 it"}}},
		{"certificate readable by others", "cp rsa2048.pem open.pem; chmod 644 open.pem", "open.pem", "rsa2048.key", "", rsa},
	}...)
	for _, name := range []string{"java.p12", "java-legacy.p12", "java-chain.p12", "gnutls.p12"} {
		b.fixture(name)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.make != "" {
				b.run(tt.make)
			}
			secrets := password(tt.password)
			if tt.password == "" {
				// What is not encrypted must not even look for a password.
				secrets = signer.Secrets{Sources: []signer.Source{{Origin: "--pin-file", File: "/nonexistent"}}, Ask: func(context.Context, string) ([]byte, error) {
					t.Error("a password was asked for")
					return nil, errors.New("asked")
				}}
			}
			id, err := signer.Open(context.Background(), signer.Ref{Cert: b.path(tt.cert), Key: b.path(tt.key)}, secrets, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(id); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			works(t, id)
		})
	}
}

func TestRenewedCertificate(t *testing.T) {
	b := newBench(t, "p256")
	b.run("openssl req -new -key p256.key -subj /CN=renewed | openssl x509 -req -CA ca.pem -CAkey ca.key -set_serial 77 -days 20 -out renewed.pem")
	for _, order := range []string{"p256.pem renewed.pem", "renewed.pem p256.pem"} {
		b.run("cat " + order + " > c")
		id, err := signer.Open(context.Background(), signer.Ref{Cert: b.path("c"), Key: b.path("p256.key")}, signer.Secrets{}, nil)
		if err != nil || id.Leaf.Subject.CommonName != "renewed" {
			t.Errorf("%s: %+v, %v", order, describe(id), err)
		}
	}
}

func TestTLSCertificate(t *testing.T) {
	b := newBench(t, "p256")
	b.run("cat p256.pem ca.pem > c")
	id, err := signer.Open(context.Background(), signer.Ref{Cert: b.path("c"), Key: b.path("p256.key")}, signer.Secrets{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := tls.Certificate{Certificate: [][]byte{id.Leaf.Raw, id.Chain[0].Raw}, PrivateKey: id.Key, Leaf: id.Leaf}
	if got := id.TLSCertificate(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCheckTime(t *testing.T) {
	from, to := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 2, 0, 0, 0, 0, time.UTC)
	id := &signer.Identity{Leaf: &x509.Certificate{RawSubject: []byte{0x30, 0}, NotBefore: from, NotAfter: to}}
	id.Leaf.RawSubject = []byte("0\x0d1\x0b0\x09\x06\x03U\x04\x03\x13\x02me")
	for _, now := range []time.Time{from, from.AddDate(0, 6, 0), to} {
		if err := id.CheckTime(now); err != nil {
			t.Errorf("at %v: %v", now, err)
		}
	}
	checkErr(t, id.CheckTime(from.Add(-time.Second)), "the certificate of CN=me is not valid before 2026-03-02T00:00:00Z", "check the clock of this computer, or use another certificate")
	checkErr(t, id.CheckTime(to.Add(time.Second)), "the certificate of CN=me expired on 2027-03-02T00:00:00Z", "check the clock of this computer, or use another certificate")
}

// checkErr compares an error of the officer's key as a whole.
func checkErr(t *testing.T, err error, want, hint string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	type told struct {
		text, hint string
		code       exit.Code
	}
	if got, want := (told{err.Error(), exit.HintOf(err), exit.Of(err)}), (told{want, hint, exit.Key}); got != want {
		t.Errorf("error\n%+v, want\n%+v", got, want)
	}
}
