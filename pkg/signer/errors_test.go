package signer_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/signer"
)

const (
	keyHint  = "a private key is wanted: a PEM, DER or PKCS#12 file"
	certHint = "a certificate is wanted: PEM, DER or PKCS#7"
	kinds    = "RSA keys from 2048 bits, P-256, P-384, P-521 and Ed25519 keys are supported"
	pinHint  = "give it with --pin-file or CMCTL_PIN_FILE or CMCTL_PIN"
	once     = "it was tried once; correct it and run the command again"
	together = "name the pair that belongs together"
)

func TestOpenErrors(t *testing.T) {
	b := newBench(t, "rsa2048", "rsa1024", "p256", "other", "p224", "brain", "ed25519")
	b.run("openssl req -new -key p256.key -subj /CN=x -out x.csr")
	b.run("openssl ec -in p256.key -pubout -out pub.pem")
	b.run("openssl pkcs8 -topk8 -in p256.key -passout pass:1234 -out enc.key")
	b.run("openssl pkcs8 -topk8 -in brain.key -passout pass:1234 -out encbrain.key")
	b.run("openssl ec -in p256.key -aes128 -passout pass:1234 -out proc.key")
	b.run("openssl pkcs12 -export -inkey p256.key -in p256.pem -passout pass:1234 -out p256.p12")
	b.run("openssl pkcs12 -export -inkey p256.key -nocerts -passout pass:1234 -out keyonly.p12")
	b.run("openssl pkcs12 -export -nokeys -in p256.pem -passout pass:1234 -out certonly.p12")
	b.run("cat p256.pem other.pem > two.pem; cat p256.key other.key p256.pem > twokeys.pem; mkdir dir; : > empty; echo hello > text")
	b.run("head -c 150 p256.key > cut.key; head -c 100 enc.key > cutenc.key; head -c 200 p256.p12 > cut.p12; cp p256.key locked.key; chmod 0 locked.key; head -c 5000000 /dev/zero > big")
	b.run("openssl crl2pkcs7 -nocrl -certfile p256.pem -out p256.p7b")
	b.write("ssh.key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n")
	b.fixture("java.jks")

	tests := []struct {
		name, cert, key, password string
		err, hint                 string
	}{
		{"nothing named", "", "", "", "no officer certificate and key are named", "name them with --cert and --key, or in the context"},
		{"wrong password, PKCS#8", "p256.pem", "enc.key", "0000", "the password for DIR/enc.key is wrong (from CMCTL_PIN)", once + "; a key on a curve that is not supported looks the same"},
		{"wrong password, Proc-Type", "p256.pem", "proc.key", "0000", "the password for DIR/proc.key is wrong (from CMCTL_PIN)", once + "; a key on a curve that is not supported looks the same"},
		{"wrong password, PKCS#12", "", "p256.p12", "0000", "the password for DIR/p256.p12 is wrong (from CMCTL_PIN)", once},
		{"password with letters PKCS#12 cannot have", "", "p256.p12", "\xff", "the password for DIR/p256.p12 is not UTF-8 text", "save the file it comes from as UTF-8"},
		{"no password, PKCS#8", "p256.pem", "enc.key", "", "DIR/enc.key is encrypted and no password was given", pinHint},
		{"no password, Proc-Type", "p256.pem", "proc.key", "", "DIR/proc.key is encrypted and no password was given", pinHint},
		{"no password, PKCS#12", "", "p256.p12", "", "DIR/p256.p12 is encrypted and no password was given", pinHint},

		{"key file missing", "p256.pem", "none.key", "", "DIR/none.key cannot be read: there is no such file", ""},
		{"certificate file missing", "none.pem", "p256.key", "", "DIR/none.pem cannot be read: there is no such file", ""},
		{"certificate file missing, before the password", "none.pem", "enc.key", "", "DIR/none.pem cannot be read: there is no such file", ""},
		{"directory", "p256.pem", "dir", "", "DIR/dir cannot be read: it is a directory", ""},
		{"empty", "p256.pem", "empty", "", "DIR/empty is empty", keyHint},
		{"empty certificate", "empty", "p256.key", "", "DIR/empty is empty", certHint},
		{"too large", "p256.pem", "big", "", "DIR/big has more than 4194304 bytes, too large for a key or certificate file", ""},
		{"text", "p256.pem", "text", "", "DIR/text is not a key file", keyHint},

		{"CSR as key", "p256.pem", "x.csr", "", "DIR/x.csr is a certificate request (CSR), not a private key", keyHint},
		{"certificate as key", "p256.pem", "other.pem", "", "DIR/other.pem is a certificate and holds no private key", "name the file with the private key too: --key (--sign-key for the signing pair)"},
		{"certificates alone", "two.pem", "", "", "DIR/two.pem is a bundle of certificates and holds no private key", "name the file with the private key too: --key (--sign-key for the signing pair)"},
		{"PKCS#7 as key", "", "p256.p7b", "", "DIR/p256.p7b is a PKCS#7 certificate bundle and holds no private key", "name the file with the private key too: --key (--sign-key for the signing pair)"},
		{"key alone", "", "p256.key", "", "DIR/p256.key is a private key and holds no certificate", "name the file with its certificate too: --cert (--sign-cert for the signing pair)"},
		{"encrypted key alone, before the password", "", "enc.key", "", "DIR/enc.key is an encrypted private key and holds no certificate", "name the file with its certificate too: --cert (--sign-cert for the signing pair)"},
		{"public key", "p256.pem", "pub.pem", "", "DIR/pub.pem is a public key, not a private key", keyHint},
		{"OpenSSH key", "p256.pem", "ssh.key", "", "DIR/ssh.key is an OpenSSH key", "turn a copy of a private key into PEM: ssh-keygen -p -m PKCS8 -f COPY"},
		{"Java keystore", "", "java.jks", "", "DIR/java.jks is a Java keystore (JKS)", "turn it into PKCS#12: keytool -importkeystore -srckeystore JKS -destkeystore P12 -deststoretype PKCS12"},
		{"CSR as certificate", "x.csr", "p256.key", "", "DIR/x.csr is a certificate request (CSR), not a certificate", certHint},
		{"key as certificate", "other.key", "p256.key", "", "DIR/other.key is a private key, not a certificate", certHint},
		{"PKCS#12 as certificate of another key", "p256.p12", "p256.key", "", "DIR/p256.p12 is a PKCS#12 file, and the key is named elsewhere (DIR/p256.key): its password belongs to one file only", "name the PKCS#12 file alone, or a PEM certificate beside the key"},
		{"several keys", "", "twokeys.pem", "", "DIR/twokeys.pem holds several private keys", "keep one key in the file"},
		{"PKCS#12 without certificate", "", "keyonly.p12", "1234", "the PKCS#12 file DIR/keyonly.p12 holds no certificate", "export it again with its certificate"},
		{"PKCS#12 without key", "", "certonly.p12", "1234", "the PKCS#12 file DIR/certonly.p12 holds no private key", "export the officer's key and certificate together; a trust store is not enough"},

		{"key cut off", "p256.pem", "cut.key", "", "DIR/cut.key: a PEM block in it is damaged or cut off", keyHint},
		{"encrypted key cut off", "p256.pem", "cutenc.key", "", "DIR/cutenc.key: a PEM block in it is damaged or cut off", keyHint},
		{"PKCS#12 cut off", "", "cut.p12", "", "DIR/cut.p12 is not a key file", keyHint},

		{"another's key", "p256.pem", "other.key", "", "the private key in DIR/other.key does not belong to the certificate of CN=p256,O=Demo in DIR/p256.pem", together},
		{"another's key, other kind", "p256.pem", "rsa2048.key", "", "the private key in DIR/rsa2048.key does not belong to the certificate of CN=p256,O=Demo in DIR/p256.pem", together},
		{"nobody's key", "two.pem", "ed25519.key", "", "the private key in DIR/ed25519.key belongs to none of the 2 certificates in DIR/two.pem", together},
		{"small RSA", "rsa1024.pem", "rsa1024.key", "", "the RSA key in DIR/rsa1024.key has 1024 bits, which is too small", kinds},
		{"P-224", "p224.pem", "p224.key", "", "the key in DIR/p224.key is on the curve P-224, which is not supported", kinds},
		{"brainpool", "p256.pem", "brain.key", "", "the private key in DIR/brain.key cannot be read: x509: failed to parse EC private key embedded in PKCS#8: x509: unknown elliptic curve", kinds},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := signer.Open(context.Background(), signer.Ref{Cert: b.path(tt.cert), Key: b.path(tt.key)}, password(tt.password), nil)
			if id != nil {
				t.Errorf("opened %+v", describe(id))
			}
			fill := strings.NewReplacer("DIR", b.dir)
			checkErr(t, err, fill.Replace(tt.err), fill.Replace(tt.hint))
		})
	}
	if os.Geteuid() != 0 { // root may read everything
		_, err := signer.Open(context.Background(), signer.Ref{Cert: b.path("p256.pem"), Key: b.path("locked.key")}, signer.Secrets{}, nil)
		checkErr(t, err, b.path("locked.key")+" cannot be read: permission denied", "")
	}
}

// What the libraries cannot decrypt is named, without asking for a password,
// and the line that the hint prints must make a file that opens.
func TestRepack(t *testing.T) {
	b := newBench(t, "rsa2048")
	for _, name := range []string{"gnutls-chain.p12", "java-two.p12"} {
		b.fixture(name)
	}
	const (
		pkcs8  = "openssl pkcs8 -topk8 -passout pass:1234 -in rsa2048.key "
		pkcs12 = "openssl pkcs12 -export -inkey rsa2048.key -in rsa2048.pem -passout pass:1234 "
		legacy = "-provider legacy -provider default "
	)
	tests := []struct {
		name, make, file, password string
		leaf                       string
		err, hint                  string
	}{
		{"PBES1", pkcs8 + legacy + "-v1 PBE-MD5-DES -out md5.key", "md5.key", "1234", "rsa2048",
			"the private key in md5.key is encrypted with PBES1 (MD5, DES), which is not supported",
			"openssl pkcs8 -provider legacy -provider default -topk8 -v2 aes-256-cbc -in md5.key -out md5-new.key"},
		{"PBES1, DER, an odd name", pkcs8 + legacy + "-v1 PBE-SHA1-DES -outform DER -out \"my officer's key\"", "my officer's key", "1234", "rsa2048",
			"the private key in my officer's key is encrypted with PBES1 (SHA-1, DES), which is not supported",
			`openssl pkcs8 -provider legacy -provider default -topk8 -v2 aes-256-cbc -inform DER -in 'my officer'\''s key' -out 'my officer'\''s key-new.key'`},
		{"PKCS#12 encryption of a PEM key", pkcs8 + "-v1 PBE-SHA1-3DES -out sha.key", "sha.key", "1234", "rsa2048",
			"the private key in sha.key is encrypted with PKCS#12 encryption with 3-key 3DES, which is not supported",
			"openssl pkcs8 -topk8 -v2 aes-256-cbc -in sha.key -out sha-new.key"},
		{"hmacWithSHA512", pkcs8 + "-v2 aes-256-cbc -v2prf hmacWithSHA512 -out s512.key", "s512.key", "1234", "rsa2048",
			"the private key in s512.key is encrypted with PBES2 with hmacWithSHA512, which is not supported",
			"openssl pkcs8 -topk8 -v2 aes-256-cbc -in s512.key -out s512-new.key"},
		{"Camellia", pkcs8 + "-v2 camellia-256-cbc -out cam.key", "cam.key", "1234", "rsa2048",
			"the private key in cam.key is encrypted with PBES2 with Camellia-256-CBC, which is not supported",
			"openssl pkcs8 -topk8 -v2 aes-256-cbc -in cam.key -out cam-new.key"},
		{"Camellia in Proc-Type", "openssl rsa -traditional -camellia128 -passout pass:1234 -in rsa2048.key -out proc.key", "proc.key", "1234", "rsa2048",
			"the private key in proc.key is encrypted with CAMELLIA-128-CBC, which is not supported",
			"openssl pkcs8 -topk8 -v2 aes-256-cbc -in proc.key -out proc-new.key"},

		{"PKCS#12 without MAC", pkcs12 + "-nomac -out nomac.p12", "nomac.p12", "1234", "rsa2048",
			"the PKCS#12 file nomac.p12 has no MAC, which is not supported",
			"openssl pkcs12 -aes256 -nomacver -in nomac.p12 -out nomac-new.pem"},
		{"PKCS#12, RC4", pkcs12 + "-legacy -keypbe PBE-SHA1-RC4-128 -certpbe PBE-SHA1-RC4-128 -out rc4.pfx", "rc4.pfx", "1234", "rsa2048",
			"the PKCS#12 file rc4.pfx has PKCS#12 encryption with 128-bit RC4, which is not supported",
			"openssl pkcs12 -aes256 -legacy -in rc4.pfx -out rc4-new.pem"},
		{"PKCS#12, MAC by SHA-384", pkcs12 + "-macalg sha384 -out mac.p12", "mac.p12", "1234", "rsa2048",
			"the PKCS#12 file mac.p12 has a MAC by SHA-384, which is not supported",
			"openssl pkcs12 -aes256 -in mac.p12 -out mac-new.pem"},
		{"PKCS#12, several keys", "true", "java-two.p12", "changeit", "Java Officer",
			"the PKCS#12 file java-two.p12 has 2 private keys, which is not supported",
			"openssl pkcs12 -aes256 -in java-two.p12 -out java-two-new.pem (then leave only the officer's private key in it)"},
		{"PKCS#12, certtool with chain", "true", "gnutls-chain.p12", "1234", "GnuTLS Officer",
			"the PKCS#12 file gnutls-chain.p12 has its contents in 3 parts, as certtool writes a chain, which is not supported",
			"openssl pkcs12 -aes256 -in gnutls-chain.p12 -out gnutls-chain-new.pem"},
	}
	t.Chdir(b.dir)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.run(tt.make)
			cert := "rsa2048.pem"
			if strings.Contains(tt.hint, "pkcs12") {
				cert = ""
			}
			asked := signer.Secrets{Ask: func(context.Context, string) ([]byte, error) {
				t.Error("a password was asked for")
				return nil, nil
			}}
			_, err := signer.Open(context.Background(), signer.Ref{Cert: cert, Key: tt.file}, asked, nil)
			checkErr(t, err, tt.err, "repack it: "+tt.hint)

			// The officer is asked for the passwords; here they are added.
			line, _, _ := strings.Cut(tt.hint, " (")
			b.run(line + " -passin pass:" + tt.password + " -passout pass:" + tt.password)
			if tt.leaf == "Java Officer" {
				b.run("awk '/BEGIN ENC/ && n++ {skip = 1} !skip; /END ENC/ {skip = 0}' java-two-new.pem > x; mv x java-two-new.pem")
			}
			_, key, _ := strings.Cut(line, " -out ")
			key = strings.ReplaceAll(strings.Trim(key, "'"), `'\''`, "'")
			if cert == "" {
				b.run("grep -q ENCRYPTED " + key)
			}
			id, err := signer.Open(context.Background(), signer.Ref{Cert: cert, Key: key}, password(tt.password), nil)
			if err != nil {
				t.Fatal(err)
			}
			if id.Leaf.Subject.CommonName != tt.leaf {
				t.Errorf("the repacked file has %+v", describe(id))
			}
			works(t, id)
		})
	}
}
