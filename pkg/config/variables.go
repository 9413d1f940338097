package config

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// Variable is an environment variable that cmctl reads.
type Variable struct {
	Name      string
	Meaning   string
	Flag      string // the flag it stands for, without dashes; empty: none
	Sensitive bool   // the value is a secret
}

// Variables is the registry, in the order of `cmctl help environment`. Flags
// that guard against mistakes (--yes, --max, --expect, --force and every other
// overriding one) have no variable: such a word is given for one run.
func Variables() []Variable {
	flag := func(name, meaning string) Variable {
		return Variable{Name: variableOf(name), Meaning: meaning, Flag: name}
	}
	return []Variable{
		flag("config", "config file"),
		flag("context", "context to use instead of the file's current one"),
		flag("server", "base URL of the gateway's API"),
		flag("ca-file", "PEM file of the CAs that the gateway is checked against"),
		flag("tls-server-name", "name expected in the gateway's certificate"),
		flag("cert", "officer's certificate: file or pkcs11: URI"),
		flag("key", "officer's key: file or pkcs11: URI"),
		flag("pin-file", "file with the password or PIN of that key"),
		{Name: "CMCTL_PIN", Meaning: "password or PIN of that key", Sensitive: true},
		flag("sign-cert", "certificate that requests are signed with"),
		flag("sign-key", "key that requests are signed with"),
		flag("sign-pin-file", "file with the password or PIN of the signing key"),
		{Name: "CMCTL_SIGN_PIN", Meaning: "password or PIN of the signing key", Sensitive: true},
		{Name: "CMCTL_PKCS11_MODULE", Meaning: "PKCS#11 module, a shared library"},
		flag("timeout", "time for one exchange with the gateway"),
		flag("batch", "certificates in one signed request"),
		flag("parallel", "requests under way at the same time"),
		flag("output", "form of output"),
		flag("no-header", "true: tables and csv without header"),
		flag("csv-safe", "true: csv whose cells no spreadsheet reads as formulas"),
		flag("no-color", "true: no colour"),
		flag("no-input", "true: never ask, end with status 2 instead"),
		flag("debug", "true: show exchanges with the gateway on stderr, values masked"),
		flag("quiet", "true: no notices on stderr"),
		{Name: "CMCTL_STATE_DIR", Meaning: "folder for journals and state"},
		{Name: "CMCTL_FORCE_TTY", Meaning: "treat stdout and stderr as a terminal: 1, or its width in columns"},
		{Name: "NO_COLOR", Meaning: "anything: no colour"},
		{Name: "XDG_CONFIG_HOME", Meaning: "folder of cmctl/config.yaml instead of ~/.config"},
		{Name: "XDG_STATE_HOME", Meaning: "folder of cmctl/ for journals and state instead of ~/.local/state"},
	}
}

// EnvFor gives the value of a flag's variable and the variable's name. A flag
// that is not in the registry has none, and an empty variable is an unset one.
func EnvFor(env Lookup, flag string) (value, variable string, ok bool) {
	for _, v := range Variables() {
		if v.Flag == flag && flag != "" {
			value, ok = lookupEnv(env, v.Name)
			return value, v.Name, ok
		}
	}
	return "", "", false
}

// EnvBool reads the variable of a flag that is on or off.
func EnvBool(env Lookup, flag string) (bool, error) {
	value, name, ok := EnvFor(env, flag)
	if !ok {
		return false, nil
	}
	switch strings.ToLower(value) {
	case "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off":
		return false, nil
	}
	return false, exit.Usagef("set it to true or false, or unset it", "%s=%q is neither true nor false", name, value)
}

// Path is where the config file is: --config, CMCTL_CONFIG,
// $XDG_CONFIG_HOME/cmctl/config.yaml or ~/.config/cmctl/config.yaml; "" when
// there is no home folder. by is the flag or variable that named it.
func Path(flags, env Lookup) (path, by string) {
	if p, ok := flags("config"); ok && p != "" {
		return p, "--config"
	}
	if p, name, ok := EnvFor(env, "config"); ok {
		return p, name
	}
	return under(env, "XDG_CONFIG_HOME", ".config", "cmctl/config.yaml"), ""
}

// StateDir is the folder for journals and state: CMCTL_STATE_DIR,
// $XDG_STATE_HOME/cmctl or ~/.local/state/cmctl; "" when there is no home folder.
func StateDir(env Lookup) string {
	if p, ok := lookupEnv(env, "CMCTL_STATE_DIR"); ok {
		return p
	}
	return under(env, "XDG_STATE_HOME", ".local/state", "cmctl")
}

// under is a path below an XDG folder. A relative XDG folder is ignored, as
// the XDG base directory specification has it.
func under(env Lookup, xdg, fallback, path string) string {
	dir, ok := lookupEnv(env, xdg)
	if !ok || !filepath.IsAbs(dir) {
		home := homeDir(env)
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, filepath.FromSlash(fallback))
	}
	return filepath.Join(dir, filepath.FromSlash(path))
}

func homeDir(env Lookup) string {
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if home, ok := lookupEnv(env, name); ok {
			return home
		}
	}
	return ""
}

// AbsoluteEnv is an environment whose relative paths mean what they do now, also
// after the working directory is another.
func AbsoluteEnv(env Lookup) Lookup {
	paths := map[string]bool{"CMCTL_CONFIG": true, "CMCTL_STATE_DIR": true}
	for _, s := range settings() {
		paths[s.env()] = s.path
	}
	dir, err := os.Getwd()
	if err != nil { // it is gone, and nothing can be found from it
		return env
	}
	return func(name string) (string, bool) {
		v, ok := env(name)
		bare := name == "CMCTL_PKCS11_MODULE" && filepath.Base(v) == v // the system's loader looks for it
		if !ok || v == "" || !paths[name] || uri.Is(v) || filepath.IsAbs(v) || bare {
			return v, ok
		}
		return filepath.Join(dir, v), true
	}
}

func lookupEnv(env Lookup, name string) (string, bool) {
	v, ok := env(name)
	return v, ok && v != ""
}
