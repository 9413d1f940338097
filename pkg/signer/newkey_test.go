package signer

import (
	"crypto/x509"
	"testing"
)

func TestKeySpecs(t *testing.T) {
	for _, spec := range KeySpecs() {
		k, err := ParseKeySpec(spec)
		if err != nil {
			t.Fatal(err)
		}
		if spec == "rsa:4096" {
			continue // slow, and no other code than rsa:3072
		}
		key, err := k.Generate()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x509.MarshalPKIXPublicKey(key.Public()); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if k, err := ParseKeySpec("EC:P-384"); err != nil || k != "ec:p384" {
		t.Errorf("%s, %v", k, err)
	}
	for _, bad := range []string{"", "rsa", "rsa:1024", "rsa:03072", "ec:p224", "dsa:2048"} {
		if k, err := ParseKeySpec(bad); err == nil {
			t.Errorf("%q is %s", bad, k)
		}
	}
	if _, err := KeySpec("dsa").Generate(); err == nil {
		t.Error("a key of an unknown kind")
	}
}
