//go:build referees

package sandbox

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bouncyCastle is where Debian puts the jars.
var bouncyCastle = []string{"/usr/share/java/bcprov.jar", "/usr/share/java/bcpkix.jar", "/usr/share/java/bcutil.jar"}

// BouncyCastle, which knows attribute certificates, judges ours. Some are
// judged against the wrong base or issuer, or altered, so that a referee who
// accepts anything is found out.
func TestRefereeAttributeCertificate(t *testing.T) {
	for _, jar := range bouncyCastle {
		if _, err := os.Stat(jar); err != nil {
			refereeMissing(t, err)
		}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		refereeMissing(t, err)
	}
	r := newRig(t, Options{Signing: SigningVRO, Certs: 20})
	request := base64.StdEncoding.EncodeToString(r.newRequest("/C=SE/O=Demo/OU=Outer/OU=Inner/CN=Role"))
	issue := func(base string) []byte {
		id := r.post("/certificates/"+base+"/pkcs10-to-attr-cert", "pkcs10", request).header.Get("certId")
		return r.get("/certificates/" + id + "/download").body
	}
	der := func(id string) []byte { return r.get("/certificates/" + id + "/download").body }
	altered := func(cert []byte) []byte {
		return []byte(strings.Replace(string(cert), "Role", "Rule", 1))
	}
	const good = "ok attributes={2.5.4.10=1, 2.5.4.11=2, 2.5.4.3=1, 2.5.4.6=1} extensions=3"
	cases := []struct {
		name               string
		cert, base, issuer []byte
		want               string
	}{
		{"officer", issue("5"), der("5"), der("2"), good},
		{"seeded", issue("10001"), der("10001"), der("2"), good},
		{"leading-zeros", issue("10007"), der("10007"), der("2"), good},
		{"wrong-base", issue("5"), der("6"), der("2"), "refused"},
		{"wrong-issuer", issue("5"), der("5"), der("3"), "refused"},
		{"altered", altered(issue("5")), der("5"), der("2"), "refused"},
	}
	args := []string{"-cp", strings.Join(bouncyCastle, ":"), "../../testdata/referees/bouncycastle/Attribute.java"}
	for _, c := range cases {
		dir := filepath.Join(t.TempDir(), c.name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{"attribute.der": c.cert, "base.der": c.base, "issuer.der": c.issuer} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, dir)
	}
	cmd := exec.Command(java, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, verdict, _ := strings.Cut(strings.TrimSpace(line), " ")
		verdicts[name] = verdict
	}
	for _, c := range cases {
		got := verdicts[c.name]
		if c.want == "refused" && strings.HasPrefix(got, "refused ") {
			continue
		}
		if got != c.want {
			t.Errorf("%s: BouncyCastle says %q, want %q", c.name, got, c.want)
		}
	}
}

// refereeMissing skips, save where nothing may be skipped.
func refereeMissing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skipf("make referees installs it: %v", err)
}
