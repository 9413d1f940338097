// Package config holds the officer's contexts and settings: the file, strictly
// read and atomically written; the registry of CMCTL_* variables; and the one
// place that decides which of flag, variable, context and default counts, with
// the origin of each value, so that messages can say where it came from.
//
// A wrong gateway or a PIN tried on the wrong card is worse than an error, so
// unknown keys, unknown contexts and half-named key pairs are never guessed.
package config

import "time"

// Lookup gives the value of a name and whether it is set: a flag that was
// given, or an environment variable.
type Lookup func(name string) (string, bool)

// Variable is an environment variable that cmctl reads.
type Variable struct {
	Name      string
	Meaning   string
	Flag      string // the flag it stands for, without dashes; empty: none
	Sensitive bool   // the value is a secret: shown as (set)
}

// Variables is the registry, in the order of `cmctl help environment`.
func Variables() []Variable { return nil }

// EnvFor gives the variable for a flag ("" when there is none) and its value; an empty value is an unset one.
func EnvFor(env Lookup, flag string) (value, variable string, ok bool) { return "", "", false }

// Path is where the config file is: --config, CMCTL_CONFIG, $XDG_CONFIG_HOME/cmctl/config.yaml,
// ~/.config/cmctl/config.yaml; "" when there is no home folder.
func Path(flags, env Lookup) string { return "" }

// StateDir is the folder for state: CMCTL_STATE_DIR, $XDG_STATE_HOME/cmctl, ~/.local/state/cmctl.
func StateDir(env Lookup) string { return "" }

// Key is a key of a context in the file.
type Key struct {
	Name    string
	Meaning string
	Flag    string // flag that overrides it, without dashes; empty: none
	Path    bool   // names a file
}

// Keys lists the keys of a context in the order in which they are written.
func Keys() []Key { return nil }

// File is the config file.
type File struct {
	Path     string
	Current  string
	Warnings []string
}

// Load reads a file. One that is not there is empty.
func Load(path string) (*File, error) { return &File{Path: path}, nil }

// Save writes the file: 0600, temporary name, synced, renamed; comments and order stay.
func (f *File) Save() error { return nil }

// Names lists the contexts in the order of the file.
func (f *File) Names() []string { return nil }

// Has says whether there is such a context.
func (f *File) Has(name string) bool { return false }

// Get gives a context's values as the file has them, by key; the error lists the contexts.
func (f *File) Get(name string) (map[string]string, error) { return nil, nil }

// Set sets one key of a context, making the context when it is new; an empty value takes the key
// away. A relative path is made absolute against the working directory.
func (f *File) Set(name, key, value string) error { return nil }

// Create makes an empty context when there is none of that name.
func (f *File) Create(name string) error { return nil }

// Use makes a context the current one.
func (f *File) Use(name string) error { return nil }

// Delete removes a context; when it is the current one, there is none after.
func (f *File) Delete(name string) error { return nil }

// Rename gives a context another name; the current one stays current.
func (f *File) Rename(from, to string) error { return nil }

// Origin says where a value comes from: `--server`, `CMCTL_SERVER`, `context "prod"`, `default`.
type Origin struct{ Name string }

// String is the origin as messages show it.
func (o Origin) String() string { return o.Name }

// Secret is the one source of a password or PIN that counts for a pair. Its value never prints.
type Secret struct {
	Origin Origin
	File   string // read from this file; empty: Value
	value  string
}

// Value is the secret itself when it came from a variable.
func (s *Secret) Value() string { return s.value }

// Pair is a certificate and its key: files or pkcs11: URIs. A missing half is
// in the other's file or token.
type Pair struct {
	Cert, Key string
	Origin    Origin
	Secret    *Secret // nil: ask on the terminal
}

// IsZero says that no pair is named.
func (p Pair) IsZero() bool { return p.Cert == "" && p.Key == "" }

// Settings is what counts for this run.
type Settings struct {
	ContextName   string
	Server        string
	CAFile        string
	TLSServerName string
	TLS           Pair
	Sign          Pair
	Module        string
	Timeout       time.Duration
	Batch         int
	Parallel      int
	SignDigest    string // sha256, sha384 or sha512
	Protected     bool

	Notices []string // for stderr: what was ignored, what is risky
}

// Origin says where a setting came from, by its key in the file ("server", "cert", "pin-file", ...) or "context".
func (s *Settings) Origin(name string) Origin { return Origin{} }

// NeedServer is an error unless a gateway is named.
func (s *Settings) NeedServer() error { return nil }

// Resolve decides what counts: flag, variable, context, default.
func Resolve(f *File, flags, env Lookup) (*Settings, error) { return &Settings{}, nil }
