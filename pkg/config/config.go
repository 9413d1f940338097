// Package config holds the officer's contexts and settings: the file, strictly
// read and atomically written; the registry of the variables that cmctl reads;
// and the one place that decides which of flag, variable, context and default
// counts, with the origin of each value, so that messages can name it.
//
// A wrong gateway or a PIN tried on the wrong card is worse than an error, so
// unknown keys, unknown contexts and half-named key pairs are never guessed.
package config

import "strings"

// Lookup gives the value of a name and whether it is set: a flag that was
// given, or an environment variable. A test passes a map's.
type Lookup func(name string) (string, bool)

// setting is a value that several levels can give: its key in a context, the
// flag and the variable over it, and what holds without any of them.
type setting struct {
	key      string
	meaning  string
	flag     bool   // there is a flag of the same name
	variable string // variable of another name than the flag's
	path     bool   // names a file: in a context relative to the config file
	ref      bool   // names a certificate or key, which may be a pkcs11: URI
	tag      string // type in YAML when it is no string
	fallback string
	check    func(string) error
}

// settings lists the keys of a context in the order of the contract.
func settings() []setting {
	return []setting{
		{key: "server", meaning: "base URL of the gateway's API, https only", flag: true, check: checkServer},
		{key: "ca-file", meaning: "PEM file of the CAs that the gateway's certificate is checked against, instead of the system's", flag: true, path: true},
		{key: "tls-server-name", meaning: "name expected in the gateway's certificate, instead of the host of the server", flag: true, check: checkHostName},
		{key: "cert", meaning: "officer's certificate: a PEM or PKCS#12 file, or a pkcs11: URI", flag: true, path: true, ref: true},
		{key: "key", meaning: "officer's key: a PEM or PKCS#12 file, or a pkcs11: URI", flag: true, path: true, ref: true},
		{key: "pin-file", meaning: "file with the password or PIN of that key", flag: true, path: true},
		{key: "sign-cert", meaning: "certificate that requests are signed with, when it is another", flag: true, path: true, ref: true},
		{key: "sign-key", meaning: "key that requests are signed with, when it is another", flag: true, path: true, ref: true},
		{key: "sign-pin-file", meaning: "file with the password or PIN of the signing key", flag: true, path: true},
		{key: "module", meaning: "PKCS#11 module, a shared library", variable: "CMCTL_PKCS11_MODULE", path: true},
		{key: "timeout", meaning: "time for one exchange with the gateway, " + timeoutRange, flag: true, fallback: "60s", check: checkTimeout},
		{key: "batch", meaning: "certificates in one signed request, " + batchRange, flag: true, tag: "!!int", fallback: "100", check: checkBatch},
		{key: "parallel", meaning: "requests under way at the same time, " + parallelRange, flag: true, tag: "!!int", fallback: "4", check: checkParallel},
		{key: "sign-digest", meaning: "digest of signatures: sha256, sha384 or sha512", fallback: "sha256", check: checkDigest},
		{key: "protected", meaning: "true: every write needs --yes with --expect N, and questions name the context", tag: "!!bool", fallback: "false", check: checkBool},
	}
}

func settingOf(key string) (setting, bool) {
	for _, s := range settings() {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

// env is the variable that gives the setting; "" when none does.
func (s setting) env() string {
	switch {
	case s.variable != "":
		return s.variable
	case s.flag:
		return variableOf(s.key)
	}
	return ""
}

// variableOf is the name of a flag's variable.
func variableOf(flag string) string {
	return "CMCTL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Key is a key of a context in the file.
type Key struct {
	Name     string
	Meaning  string
	Flag     string // the flag over it, without dashes; empty: none
	Variable string // the variable over it; empty: none
	Default  string // what holds without any of them; empty: nothing
	Path     bool   // names a file
}

// Keys lists the keys of a context in the order of the contract.
func Keys() []Key {
	var keys []Key
	for _, s := range settings() {
		k := Key{Name: s.key, Meaning: s.meaning, Variable: s.env(), Default: s.fallback, Path: s.path}
		if s.flag {
			k.Flag = s.key
		}
		keys = append(keys, k)
	}
	return keys
}

func keyNames() []string {
	var names []string
	for _, s := range settings() {
		names = append(names, s.key)
	}
	return names
}
