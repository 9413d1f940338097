package clitest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// softHSM is the real module behind the scripts' tokens.
func softHSM() (string, error) {
	paths := []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"}
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("SoftHSM 2 is not installed (apt-get install softhsm2); looked for %v", paths)
}

// shim builds the module that misbehaves, once, unless a newer one is there.
var shim = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(Root(), "testdata", "pkcs11shim")
	built := filepath.Join(Root(), "bin", "pkcs11shim.so")
	if isNewer(built, filepath.Join(dir, "shim.c"), filepath.Join(dir, "cryptoki.h")) {
		return built, nil
	}
	if err := os.MkdirAll(filepath.Dir(built), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(built), "shim-") // another test run may build it too
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	part := filepath.Join(tmp, "shim.so")
	out, err := exec.Command("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-shared", "-fPIC", "-o", part, filepath.Join(dir, "shim.c"), "-ldl", "-lpthread").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("the PKCS#11 shim cannot be built: %w\n%s", err, out)
	}
	return built, os.Rename(part, built)
})

func isNewer(built string, sources ...string) bool {
	b, err := os.Stat(built)
	if err != nil {
		return false
	}
	for _, s := range sources {
		if info, err := os.Stat(s); err != nil || info.ModTime().After(b.ModTime()) {
			return false
		}
	}
	return true
}

// cmdToken is `token LABEL [KEY...]`: make a token with PIN 1234 in the
// script's own SoftHSM. A KEY is NAME:TYPE[:OPTION...], types rsa2048, rsa3072,
// rsa4096, p256, p384, p521; its certificate is NAME.pem. Options: id=HEX,
// label=TEXT (both the NAME's position and NAME when left out; empty: none),
// certid=HEX (another CKA_ID for the certificate), always (the PIN for each
// signature), nocert, nopublic (no public key object), open (usable without
// PIN), ca (the certificate is marked as a CA's), allow=N
// (CKA_ALLOWED_MECHANISMS of one).
//
// $SOFTHSM is the real module, $SHIM the one that misbehaves; cmctl uses the
// shim, whose log is $PKCS11SHIM_LOG. The files pin and wrong hold PINs.
func cmdToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: token LABEL [NAME:TYPE[:OPTION...]...]")
	}
	if ts.Getenv("SHIM") == "" {
		module, err := softHSM()
		ts.Check(err)
		path, err := shim()
		ts.Check(err)
		tokens, conf := ts.MkAbs("tokens"), ts.MkAbs("softhsm2.conf")
		ts.Check(os.Mkdir(tokens, 0o700))
		for name, text := range map[string]string{conf: "directories.tokendir = " + tokens + "\nlog.level = ERROR\n", ts.MkAbs("pin"): "1234\n", ts.MkAbs("wrong"): "4321\n"} {
			ts.Check(os.WriteFile(name, []byte(text), 0o600))
		}
		ts.Setenv("SOFTHSM2_CONF", conf)
		ts.Setenv("SOFTHSM", module)
		ts.Setenv("SHIM", path)
		ts.Setenv("PKCS11SHIM_MODULE", module)
		ts.Setenv("PKCS11SHIM_LOG", ts.MkAbs("calls"))
		ts.Setenv("PKCS11SHIM_OUT", ts.MkAbs("card-out"))
		ts.Setenv("CMCTL_PKCS11_MODULE", path)
	}
	ts.Check(ts.Exec("make-token", args...))
}

// cmdCalls is `calls FILTER WANT`: what the token was asked since the last
// time, as one array, put through a jq filter, gives WANT. The log starts anew,
// but for the wrong PINs: they are the token's memory.
func cmdCalls(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: calls FILTER WANT")
	}
	path := ts.Getenv("PKCS11SHIM_LOG")
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		ts.Check(err)
	}
	seen := ts.Value(seenKey{}).(*int)
	text := string(data)[*seen:]
	*seen = len(data)
	checkFilter(ts, neg, text, args[0], args[1])
}

type seenKey struct{}
