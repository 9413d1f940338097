package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Origin says where a value comes from.
type Origin struct{ Name string }

// String is the origin as messages show it: `--server`, `CMCTL_SERVER`,
// `context prod`, `default`; "" for a value that nothing gives.
func (o Origin) String() string { return o.Name }

// Pair is a certificate and its key: files, or pkcs11: URIs. A missing half is
// in the other's file or token.
type Pair struct {
	Cert, Key string
	Origin    Origin
	Secret    *Secret // nil: none is known, ask
}

// IsZero says that no pair is named.
func (p Pair) IsZero() bool { return p.Cert == "" && p.Key == "" }

// ref is the file or token that a secret opens.
func (p Pair) ref() string {
	if p.Key != "" {
		return p.Key
	}
	return p.Cert
}

// Settings is what counts for this run.
type Settings struct {
	ContextName   string
	Server        string
	CAFile        string
	TLSServerName string
	TLS           Pair
	Sign          Pair // the same as TLS when no signing pair is named
	Module        string
	Timeout       time.Duration
	Batch         int
	Parallel      int
	SignDigest    string // sha256, sha384 or sha512
	Protected     bool

	Notices []string // for stderr: what was ignored

	origins map[string]Origin
	file    *File
}

// Origin says where a setting came from, by its key in a context, or
// "context".
func (s *Settings) Origin(key string) Origin { return s.origins[key] }

// NeedServer is an error unless a gateway is named.
func (s *Settings) NeedServer() error {
	if s.Server != "" {
		return nil
	}
	if s.ContextName != "" {
		return exit.Usagef(fmt.Sprintf("set one with `cmctl context set %s --server URL`, or use --server", s.ContextName),
			"context %s names no gateway", s.ContextName)
	}
	hint := "use --server, or make a context with `cmctl context set NAME --server URL`"
	if names := s.file.Names(); len(names) > 0 {
		hint = "choose a context with --context or `cmctl context use`: " + strings.Join(names, ", ")
	}
	return exit.Usagef(hint, "no gateway is named")
}

// level is one place that settings come from: flags, variables or the context.
type level struct {
	values map[string]string // by key of a context
	origin func(key string) string
}

// resolver holds the levels while one Resolve runs, highest first.
type resolver struct {
	flags, env, context level
	pin, signPIN        string // CMCTL_PIN, CMCTL_SIGN_PIN
	notices             []string
}

func (r *resolver) levels() []level { return []level{r.flags, r.env, r.context} }

// Resolve decides what counts: flag, variable, context, default. A --context
// given as a flag means that context and nothing else: variables about
// connection and keys, perhaps left over from another gateway, are ignored,
// and a notice names them.
func Resolve(f *File, flags, env Lookup) (*Settings, error) {
	return ResolveAgain(f, Begun{}, flags, env)
}

// Begun is a run that goes on.
type Begun struct {
	Context string // in which it was begun; empty: any
	Origin  string // what it is, for messages
}

// ResolveAgain is Resolve for a run that goes on: in the context that it was
// begun in, unless --context names one, and with the variables counting as they
// did then.
func ResolveAgain(f *File, begun Begun, flags, env Lookup) (*Settings, error) {
	s := &Settings{origins: map[string]Origin{}, file: f}
	explicit, err := s.chooseContext(f, begun, flags, env)
	if err != nil {
		return nil, err
	}
	r := &resolver{}
	if err := r.readFlags(flags); err != nil {
		return nil, err
	}
	r.readContext(f, s.ContextName, env)
	r.readEnv(env, explicit)

	if err := r.plain(s); err != nil {
		return nil, err
	}
	r.pairs(s)
	s.Notices = r.notices
	return s, nil
}

// chooseContext decides the context and says whether a flag did.
func (s *Settings) chooseContext(f *File, begun Begun, flags, env Lookup) (explicit bool, err error) {
	name, explicit := flags("context")
	origin := "--context"
	switch {
	case explicit:
	case begun.Context != "":
		name, origin = begun.Context, begun.Origin
	default:
		var ok bool
		if name, origin, ok = EnvFor(env, "context"); !ok {
			name, origin = f.Current, "current-context of "+f.Path
		}
		if name == "" {
			return false, nil
		}
	}
	if !f.Has(name) {
		return false, exit.New(exit.Usage, "", "%s: %w", origin, f.unknown(name))
	}
	s.ContextName, s.origins["context"] = name, Origin{origin}
	return explicit, nil
}

func (r *resolver) readFlags(flags Lookup) error {
	r.flags = level{map[string]string{}, func(key string) string { return "--" + key }}
	for _, s := range settings() {
		v, given := flags(s.key)
		if !s.flag || !given {
			continue
		}
		if v == "" { // most likely an unset variable in a script
			return exit.Usagef("leave the flag out, or give it a value", "--%s is empty", s.key)
		}
		r.flags.values[s.key] = v
	}
	return nil
}

func (r *resolver) readEnv(env Lookup, ignoreConnection bool) {
	r.env = level{map[string]string{}, func(key string) string {
		s, _ := settingOf(key)
		return s.env()
	}}
	var ignored []string
	for _, s := range settings() {
		v, ok := lookupEnv(env, s.env())
		switch {
		case !ok:
		case ignoreConnection && (slices.Contains(connectionKeys(), s.key) || s.key == "module" && r.context.values[s.key] != ""):
			ignored = append(ignored, s.env())
		default:
			r.env.values[s.key] = v
		}
	}
	for name, into := range map[string]*string{"CMCTL_PIN": &r.pin, "CMCTL_SIGN_PIN": &r.signPIN} {
		v, ok := lookupEnv(env, name)
		switch {
		case ok && ignoreConnection:
			ignored = append(ignored, name)
		case ok:
			*into = v
		}
	}
	if len(ignored) > 0 {
		slices.Sort(ignored)
		r.notices = append(r.notices, fmt.Sprintf("--context is given: %s in the environment ignored", strings.Join(ignored, ", ")))
	}
}

// connectionKeys are the settings whose variables an explicit --context
// ignores: which gateway, and whose keys. The module's variable tells where a
// library is on this machine, and counts where the context names none.
func connectionKeys() []string {
	return []string{"server", "ca-file", "tls-server-name", "cert", "key", "pin-file", "sign-cert", "sign-key", "sign-pin-file"}
}

func (r *resolver) readContext(f *File, name string, env Lookup) {
	r.context = level{map[string]string{}, func(string) string { return "context " + name }}
	if name == "" {
		return
	}
	values, err := f.Get(name)
	if err != nil { // chooseContext has looked
		return
	}
	for key, v := range values {
		if s, _ := settingOf(key); s.path {
			v = f.absolute(v, env)
		}
		r.context.values[key] = v
	}
}

// plain decides the settings that stand alone: the layers are laid over each
// other, the highest last.
func (r *resolver) plain(s *Settings) error {
	values := map[string]string{}
	for _, set := range settings() {
		if set.fallback != "" {
			values[set.key], s.origins[set.key] = set.fallback, Origin{"default"}
		}
	}
	for _, l := range slices.Backward(r.levels()) {
		for key, value := range l.values {
			values[key], s.origins[key] = value, Origin{l.origin(key)}
		}
	}
	for _, set := range settings() {
		if value := values[set.key]; value != "" {
			if err := set.validate(value); err != nil {
				return exit.New(exit.Usage, "", "%s of %s: %w", set.key, s.origins[set.key], err)
			}
		}
	}
	s.Server = strings.TrimRight(values["server"], "/")
	s.CAFile, s.TLSServerName, s.Module = values["ca-file"], values["tls-server-name"], values["module"]
	s.SignDigest, s.Protected = values["sign-digest"], values["protected"] == "true"
	// These have been validated, or are not given at all.
	s.Timeout, _ = time.ParseDuration(values["timeout"])
	s.Batch, _ = strconv.Atoi(values["batch"])
	s.Parallel, _ = strconv.Atoi(values["parallel"])
	return nil
}
