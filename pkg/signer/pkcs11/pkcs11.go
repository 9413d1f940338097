// Package pkcs11 uses keys on smart cards and HSMs: it finds the key and the
// certificate that a PKCS#11 URI names, tries a PIN once and never the same
// wrong one again, and signs with whatever mechanism the token has.
//
// Each module runs in a child process (internal/child), so that one that hangs
// or crashes ends in an error. Every session is read-only, every signature
// goes through one path, and what differs between tokens is read from the
// token: flags, mechanism list, attributes.
package pkcs11

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/child"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/host"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/modules"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/refused"
)

// Supported tells whether this build can load modules: they need cgo.
const Supported = host.Supported

// MissingHint says what a build without PKCS#11 lacks.
const MissingHint = "use a build of cmctl with cgo: CGO_ENABLED=1 go build ./cmd/cmctl, with a C compiler at hand"

// Serve is the program's main when it was started by itself to hold a module.
// Otherwise it returns false at once.
func Serve(args []string) bool { return child.Serve(args, host.Load) }

// Config is what a run's tokens need. The functions may be nil.
type Config struct {
	Module       string // the module of the settings; empty: those registered with p11-kit
	ModuleOrigin string // where that came from, for messages
	StateDir     string // refused PINs are remembered below it
	Env          func(string) (string, bool)

	PINEntries int  // how many signatures may each enter the PIN, for keys that want that
	FinalTry   bool // try a PIN although the token says that few or one are left

	Officer Officer
}

// Officer is the person at the terminal, if there is one.
type Officer struct {
	// Present tells whether somebody can be asked.
	Present func() bool
	// Tell says what must be seen.
	Tell func(text string)
	// Request says what is to be done meanwhile, such as to enter the PIN on the
	// reader; over is called when that is done, or given up.
	Request func(text string) (over func())
	// Wait asks to do something and returns when it is done.
	Wait func(ctx context.Context, what string) error
	// Debug says what only --debug shows.
	Debug func(text string)
}

func (o Officer) present() bool { return o.Present != nil && o.Present() }

func (o Officer) tell(text string) {
	if o.Tell != nil {
		o.Tell(text)
	}
}

func (o Officer) request(text string) (over func()) {
	if o.Request == nil {
		return func() {}
	}
	return o.Request(text)
}

func (o Officer) debug(text string) {
	if o.Debug != nil {
		o.Debug(text)
	}
}

// PIN is a PIN and where it comes from, in words for messages.
type PIN struct {
	Value  []byte
	Origin string
}

// PINSource finds the PIN of a token; name is how the officer knows it. It is
// called at most once for a token.
type PINSource func(ctx context.Context, name string) (PIN, error)

// Tokens are the modules and tokens of one run. Pairs of keys on the same
// token share its login.
type Tokens struct {
	cfg    Config
	load   p11.Loader
	finder modules.Finder
	// supported is Supported, but for tests with a fake module.
	supported bool
	memory    refused.Memory

	mu      sync.Mutex
	modules map[p11.Spec]*mod
	tokens  []*token
	budget  budget
}

// New makes a run's tokens; nothing is loaded yet.
func New(cfg Config) *Tokens {
	if cfg.Env == nil {
		cfg.Env = func(string) (string, bool) { return "", false }
	}
	t := &Tokens{
		cfg: cfg, load: child.Loader(child.Limits{}, cfg.Officer.debug), finder: modules.Default(cfg.Env), supported: Supported,
		modules: map[p11.Spec]*mod{}, budget: budget{allowed: max(cfg.PINEntries, FreeEntries)},
	}
	if cfg.StateDir != "" {
		t.memory.Dir = filepath.Join(cfg.StateDir, "refused-pins")
	}
	return t
}

// Close ends every module and forgets the PINs.
func (t *Tokens) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tok := range t.tokens {
		tok.forget()
	}
	var wait sync.WaitGroup
	for _, m := range t.modules {
		wait.Go(m.close)
	}
	wait.Wait()
}
