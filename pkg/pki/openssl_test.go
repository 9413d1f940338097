package pki_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bench is a folder with files that openssl makes while the tests run.
type bench struct {
	t   *testing.T
	dir string
}

func newBench(t *testing.T) bench { return bench{t, t.TempDir()} }

// openssl runs one command line in the folder. No argument of these tests
// holds a blank, except subjects, which write it as %20.
func (b bench) openssl(line string) []byte {
	b.t.Helper()
	args := strings.Fields(line)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "%20", " ")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = b.dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("openssl %s: %v\n%s", line, err, stderr.String())
	}
	return out
}

func (b bench) read(name string) []byte {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

func (b bench) write(name string, data []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// artefacts makes one file of every kind. ca.pem signed leaf.pem.
func artefacts(t *testing.T) bench {
	t.Helper()
	b := newBench(t)
	for _, line := range []string{
		"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /C=SE/CN=Demo%20CA -days 10",
		"req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -out leaf.csr -subj /C=SE/CN=leaf",
		"x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 0x0a -days 10 -out leaf.pem",
		"x509 -in leaf.pem -outform DER -out leaf.der",
		"req -in leaf.csr -outform DER -out csr.der",
		"req -in leaf.csr -text -out text.csr",
		"req -in leaf.csr -verify -noout",
		"crl2pkcs7 -nocrl -certfile leaf.pem -certfile ca.pem -out bundle.p7b",
		"crl2pkcs7 -nocrl -certfile leaf.pem -certfile ca.pem -outform DER -out bundle.p7c",
		"cms -sign -in leaf.csr -signer leaf.pem -inkey leaf.key -certfile ca.pem -nodetach -binary -outform DER -out signed.cms",
		"cms -sign -in leaf.csr -signer leaf.pem -inkey leaf.key -certfile ca.pem -nodetach -binary -stream -outform DER -out ber.cms",
		"cms -sign -in leaf.csr -signer leaf.pem -inkey leaf.key -nocerts -nodetach -binary -outform DER -out bare.cms",
		"cms -encrypt -in leaf.csr -outform DER -out enveloped.cms leaf.pem",
		"pkcs12 -export -inkey leaf.key -in leaf.pem -passout pass:1234 -out leaf.p12",
		"ec -in leaf.key -out sec1.key",
		"ec -in leaf.key -outform DER -out sec1.der",
		"pkcs8 -topk8 -nocrypt -in leaf.key -outform DER -out pkcs8.der",
		"pkcs8 -topk8 -in leaf.key -passout pass:1234 -out enc.key",
		"pkcs8 -topk8 -in leaf.key -passout pass:1234 -outform DER -out enc.der",
		"ec -in leaf.key -aes128 -passout pass:1234 -out proctype.key",
		"ec -in leaf.key -pubout -out pub.pem",
		"ec -in leaf.key -pubout -outform DER -out pub.der",
		"genrsa -out rsa.key 2048",
		"rsa -in rsa.key -traditional -outform DER -out rsa.der",
		"rsa -in rsa.key -RSAPublicKey_out -outform DER -out rsapub.der",
		"x509 -in leaf.pem -trustout -addtrust clientAuth -out trusted.pem",
	} {
		b.openssl(line)
	}
	b.write("ca.txt", nil)
	b.write("ca.cnf", []byte("[ca]\ndefault_ca=d\n[d]\ndatabase=ca.txt\ndefault_md=sha256\ndefault_crl_days=1\n"))
	b.openssl("ca -gencrl -config ca.cnf -keyfile ca.key -cert ca.pem -out crl.pem")
	b.openssl("crl -in crl.pem -outform DER -out crl.der")
	return b
}
