package signer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bench is a folder in which openssl makes key files while the tests run.
type bench struct {
	t   *testing.T
	dir string
}

// newBench makes root.pem, ca.pem under it with ca.key, and for every kind of
// key KIND.key (PKCS#8) and KIND.pem under the CA.
func newBench(t *testing.T, kinds ...string) *bench {
	t.Helper()
	b := &bench{t, t.TempDir()}
	b.write("ca.ext", "basicConstraints=critical,CA:true\n")
	b.run("openssl ecparam -name prime256v1 -genkey -noout -out root.key")
	b.run("openssl req -x509 -key root.key -out root.pem -subj '/CN=Demo Root' -days 10")
	b.run("openssl ecparam -name prime256v1 -genkey -noout -out ca.key")
	b.run("openssl req -new -key ca.key -subj '/CN=Demo CA' | openssl x509 -req -CA root.pem -CAkey root.key -set_serial 2 -days 10 -extfile ca.ext -out ca.pem")
	for i, kind := range kinds {
		b.run("openssl genpkey " + genpkey[kind] + " -out " + kind + ".key")
		b.run("openssl req -new -key " + kind + ".key -subj /O=Demo/CN=" + kind + " | openssl x509 -req -CA ca.pem -CAkey ca.key -set_serial " + string(rune('3'+i)) + " -days 10 -out " + kind + ".pem")
	}
	return b
}

var genpkey = map[string]string{
	"rsa1024": "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
	"rsa2048": "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
	"rsa3072": "-algorithm RSA -pkeyopt rsa_keygen_bits:3072",
	"rsa4096": "-algorithm RSA -pkeyopt rsa_keygen_bits:4096",
	"p224":    "-algorithm EC -pkeyopt ec_paramgen_curve:P-224",
	"p256":    "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
	"other":   "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
	"p384":    "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
	"p521":    "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
	"ed25519": "-algorithm ED25519",
	"brain":   "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1",
}

// run runs a line in a shell in the folder.
func (b *bench) run(line string) string {
	b.t.Helper()
	cmd := exec.Command("sh", "-c", "umask 077; set -e; "+line)
	cmd.Dir = b.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

func (b *bench) path(name string) string {
	if name == "" || filepath.IsAbs(name) || strings.Contains(name, ":") {
		return name
	}
	return filepath.Join(b.dir, name)
}

func (b *bench) write(name, data string) {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), []byte(data), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// fixture copies a file that only Java or GnuTLS can make into the folder.
func (b *bench) fixture(name string) {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "keys", name))
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(name, string(data))
}
