package clitest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// hears is a test that only hears how a script ends.
type hears struct {
	testing.TB
	heard *strings.Builder
}

func (h hears) Run(_ string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() { defer close(done); f(h) }() // Fatal ends the goroutine
	<-done
}
func (h hears) Parallel()         {}
func (h hears) Verbose() bool     { return false }
func (h hears) Log(...any)        {}
func (h hears) FailNow()          { runtime.Goexit() }
func (h hears) Skip(args ...any)  { h.Fatal(args...) }
func (h hears) Fatal(args ...any) { fmt.Fprintln(h.heard, args...); runtime.Goexit() }

// Secrets that go astray are seen wherever they go, in a script that is
// otherwise content; where they are meant to be they are not.
func TestLeaksAreSeen(t *testing.T) {
	contract, err := LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	const (
		start = "sandbox --certs 10\n"
		p12   = start + "exec openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out web.csr -subj /CN=web\n" +
			"secrets made.pass\nexec cmctl cert issue-p12 web.csr --generate-password made.pass --out web.p12 --yes\n"
		scep  = start + "secrets made.pw\nexec cmctl reg create p-scep --type scep --fqdn r1 --generate-password made.pw --yes\n"
		files = "-- pw --\na canary password\n"
	)
	for _, c := range []struct{ name, script, want string }{
		{"nothing", start + "exec cmctl proc list\n" + files, ""},
		{"printed", "! stdout .\nexec cmctl-leak pw\n" + files, `stdout of ["cmctl-leak" "pw"]: canary`},
		{"printed into a file", "secrets copy\nexec sh -c 'cmctl-leak pw >copy'\n" + files, "stdout of"},
		{"printed into a pipe", "exec sh -c 'cmctl-leak pw | wc -l'\n" + files, "stdout of"},
		{"in a file", "exec sh -c 'cat pw >copy'\n" + files, "copy: canary"},
		{"in the script's own file, changed", "exec sh -c 'echo >>pw'\n" + files, "pw: canary"},
		{"in Base64", "exec sh -c 'printf \"user:%s\" \"$(cat pw)\" | base64 >copy'\n" + files, "copy: canary"},
		{"in the state folder", start + "exec sh -c 'mkdir -p $CMCTL_STATE_DIR; cat pw >$CMCTL_STATE_DIR/journal'\n" + files, "state/journal: canary"},
		{"in requests.jsonl", start + "exec sh -c 'cat pw >>$CMSANDBOX_DIR/requests.jsonl'\n" + files, "requests.jsonl: canary"},
		{"in the config", start + "exec sh -c 'echo \"# 1234\" >>$CMSANDBOX_DIR/config.yaml'\n", "config.yaml: PIN"},
		{"a made password", p12 + "exec cmctl-leak made.pass\n", "password"},
		{"a made password in a file", p12 + "cp made.pass copy\n", "copy: password"},
		{"a made password of a registration", scep + "exec cmctl-leak made.pw\n", "password"},
		{"a PKCS#12", p12 + "exec cmctl-leak web.p12\n", "PKCS#12"},
		{"a PKCS#12 as PEM", p12 + "exec openssl base64 -in web.p12 -out web.pem\n", "web.pem: PKCS#12"},
		{"all where it belongs", p12, ""},
		{"an encrypted password that was asked for", scep + "exec cmctl reg list p-scep --type scep --show-encrypted\n", ""},
		{"an encrypted password", scep + "secrets list\nexec sh -c 'cmctl reg list p-scep --type scep --show-encrypted >list'\nexec cmctl-leak list\n", "encrypted password"},
		{"an officer's key", start + "exec cmctl-leak $CMSANDBOX_DIR/officer.key\n", "private key of an officer"},
		{"an officer's key in a file", start + "exec cp $CMSANDBOX_DIR/officer.key officer.txt\n", "officer.txt: private key of an officer"},
		{"an officer's PIN", "exec cmctl-leak pin\n-- pin --\nthe PIN 1234 is wrong\n", "PIN of an officer"},
		{"a number like the PIN", "exec cmctl-leak pin\n-- pin --\n912345 https://host:1234/\n", ""},
		{"by a crash of the script", "exec cmctl-leak pw\nexec false\n" + files, "stdout of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "leak.txtar"), []byte(c.script), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv(contractDir, dir)
			var heard strings.Builder
			testscript.RunT(hears{t, &heard}, contract.Params(dir, dir))
			got := heard.String()
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A secret is found inside other things too, however these are encoded.
func TestSecretIn(t *testing.T) {
	s := secret{password, []byte("k?~\xfb\xff secret")}
	for shift := range 4 {
		text := []byte(strings.Repeat("x", shift) + string(s.Value) + "tail")
		for form, encoded := range map[string]string{
			"plain":    string(text),
			"base64":   base64.StdEncoding.EncodeToString(text),
			"url":      base64.RawURLEncoding.EncodeToString(text),
			"wrapped":  strings.Join(strings.SplitAfter(base64.StdEncoding.EncodeToString(text), "e"), "\n"),
			"in JSON":  strings.Join(strings.SplitAfter(base64.StdEncoding.EncodeToString(text), "e"), `\n`),
			"hex":      hex.EncodeToString(text),
			"HEX":      strings.ToUpper(hex.EncodeToString(text)),
			"nowhere!": "",
		} {
			if got, want := s.in([]byte(encoded)), encoded != ""; got != want {
				t.Errorf("%s, shifted by %d: %v", form, shift, got)
			}
		}
	}
}

// What goes while the folders are looked through is passed over, what stays is
// found; a folder that is not there at all was never looked through.
func TestEachFilePassesOverWhatGoes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c/d", "e"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	err := eachFile(dir, func(path string, _ []byte) {
		seen = append(seen, filepath.Base(path))
		if err := errors.Join(os.RemoveAll(filepath.Join(dir, "b")), os.RemoveAll(filepath.Join(dir, "c"))); err != nil {
			t.Fatal(err)
		}
	})
	if got := strings.Join(seen, " "); err != nil || got != "a e" {
		t.Errorf("saw %q, %v", got, err)
	}
	if err := eachFile(filepath.Join(dir, "c"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
