package pemfile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// What is written is read back by OpenSSL and here, with the password only.
func TestEncode(t *testing.T) {
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	for name, key := range map[string]crypto.Signer{"RSA": rsaKey, "P-384": ecKey, "Ed25519": edKey} {
		for _, password := range []string{"", "pässword 1"} {
			t.Run(name+" "+password, func(t *testing.T) {
				text, err := Encode(key, []byte(password))
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("openssl", "pkey", "-passin", "pass:"+password, "-pubout", "-outform", "PEM")
				cmd.Stdin = bytes.NewReader(text)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				f, err := Read("f", text)
				if err != nil {
					t.Fatal(err)
				}
				if f.Key.Encrypted != (password != "") {
					t.Errorf("encrypted: %t", f.Key.Encrypted)
				}
				var got crypto.PrivateKey
				if password == "" {
					got, err = f.Key.Plain()
				} else {
					if _, err := f.Key.Decrypt([]byte("other")); !errors.Is(err, ErrWrongPassword) {
						t.Errorf("another password: %v", err)
					}
					got, err = f.Key.Decrypt([]byte(password))
				}
				if err != nil || !key.(interface{ Equal(crypto.PrivateKey) bool }).Equal(got) {
					t.Errorf("%T, %v", got, err)
				}
			})
		}
	}
	if text, _ := Encode(ecKey, []byte("x")); !strings.HasPrefix(string(text), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n") {
		t.Errorf("%.40s", text)
	}
}

func TestDescribe(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	text, err := Encode(key, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if got := Describe(block.Bytes, block); got != "PBES2, PBKDF2, hmacWithSHA256, AES-256-CBC, 600000 rounds" {
		t.Error(got)
	}
	old := &pem.Block{Headers: map[string]string{"DEK-Info": "AES-128-CBC,00"}}
	if got := Describe(nil, old); got != "PEM header, AES-128-CBC" {
		t.Error(got)
	}
	if got := Describe([]byte("nonsense"), nil); got != "" {
		t.Error(got)
	}
}
