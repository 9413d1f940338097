package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/modules"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// mod is a module, loaded when first used and again after its token was lost.
type mod struct {
	set    *Tokens
	name   string
	spec   p11.Spec
	fixed  bool // the settings name it, so a URI to paste need not
	asked  bool // its URI says what it wants at its start, and so must those to paste
	mu     sync.Mutex
	live   p11.Module
	info   p11.Info
	times  int   // how often it was loaded
	failed error // for good
}

// get gives the loaded module and which load it is.
func (m *mod) get(ctx context.Context) (p11.Module, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return nil, 0, m.failed
	}
	if m.live != nil {
		return m.live, m.times, nil
	}
	live, err := m.set.load(ctx, m.spec)
	if err == nil && m.times == 0 {
		if m.info, err = live.Info(ctx); err != nil {
			live.Close() //nolint:errcheck,gosec // it is given up
		}
	}
	if err != nil {
		err = m.explain(err)
		if exit.Of(err) == exit.Key { // not an interruption
			m.failed = err
		}
		return nil, 0, err
	}
	m.live = live
	m.times++
	return live, m.times, nil
}

// drop gives up a load, so that the next get loads anew. Of those who notice
// together that a token is lost, only the first one's counts.
func (m *mod) drop(load int) {
	m.mu.Lock()
	live := m.live
	if m.times != load {
		live = nil
	} else {
		m.live = nil
	}
	m.mu.Unlock()
	if live != nil {
		live.Close() //nolint:errcheck,gosec // it is given up
	}
}

// again gives up the load there is, to look for a token anew.
func (m *mod) again() {
	m.mu.Lock()
	load := m.times
	m.mu.Unlock()
	m.drop(load)
}

// dropped tells whether a load was given up on purpose.
func (m *mod) dropped(load int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.times != load || m.live == nil && m.failed == nil
}

// fail notes that the module is beyond use in this run.
func (m *mod) fail(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil {
		m.failed = m.explain(err)
	}
	return m.failed
}

func (m *mod) close() {
	m.mu.Lock()
	live := m.live
	m.live, m.failed = nil, errClosed
	m.mu.Unlock()
	if live != nil {
		live.Close() //nolint:errcheck,gosec // the run is over
	}
}

var errClosed = exit.New(exit.Key, "", "the tokens of this run are closed")

// explain puts what a module did into words.
func (m *mod) explain(err error) error {
	var (
		hung  *p11.HungError
		ended *p11.EndedError
		load  *p11.LoadError
		coded exit.Coder
	)
	switch {
	case errors.As(err, &coded), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &hung):
		return exit.New(exit.Key, "was the card pulled, or the reader? it was ended; put the card back and run again",
			"the PKCS#11 module %s hangs: %w", m.name, err)
	case errors.As(err, &ended):
		return exit.New(exit.Key, "run with --debug to see what the module says; a newer version of it may help", "the PKCS#11 module %s failed: %w", m.name, err)
	case errors.As(err, &load):
		return exit.New(exit.Key, "name the module of the token's maker: CMCTL_PKCS11_MODULE, the context's module, or module-path in the URI",
			"the PKCS#11 module %s cannot be loaded: %w", m.name, err)
	case p11.Code(err) == p11.ArgumentsBad && m.live == nil && m.spec.Reserved == "":
		return exit.New(exit.Key, "NSS wants to know its database: register it with p11-kit and x-init-reserved, or add ?x-init-reserved=... to the URI",
			"the PKCS#11 module %s does not start: %w", m.name, err)
	case m.live == nil:
		return exit.New(exit.Key, "", "the PKCS#11 module %s does not start: %w", m.name, err)
	}
	return exit.New(exit.Key, "", "the PKCS#11 module %s: %w", m.name, err)
}

// modulesFor are the modules in which a URI's token may be, and what was left
// out and why.
func (t *Tokens) modulesFor(u *uri.URI) (list []*mod, skipped []string, err error) {
	if !t.supported { // said first: nothing else matters then
		return nil, nil, unsupported()
	}
	var found []modules.Module
	fixed := false
	switch {
	case u.ModulePath != "":
		found = []modules.Module{{Name: u.ModulePath, Spec: p11.Spec{Path: u.ModulePath}}}
	case u.ModuleName != "":
		m, err := t.finder.Named(u.ModuleName)
		if err != nil {
			return nil, nil, err
		}
		found = []modules.Module{m}
	case t.cfg.Module != "":
		fixed = true
		found = []modules.Module{{Name: t.cfg.Module, Spec: p11.Spec{Path: t.cfg.Module}}}
		if !strings.ContainsAny(t.cfg.Module, `/\`) {
			if m, err := t.finder.Named(t.cfg.Module); err == nil {
				found = []modules.Module{m}
			}
		}
	default:
		found, skipped = t.finder.Registered()
		fixed = len(found) == 1
	}
	if len(found) == 0 {
		return nil, nil, exit.New(exit.Key, "name one: CMCTL_PKCS11_MODULE=/usr/lib/.../opensc-pkcs11.so, the context's module, or ?module-path=... in the URI",
			"no PKCS#11 module is named, and none is registered with p11-kit")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range found {
		if u.InitReserved != "" {
			f.Spec.Reserved = u.InitReserved
		}
		m := t.modules[f.Spec]
		if m == nil {
			m = &mod{set: t, name: f.Name, spec: f.Spec, fixed: fixed, asked: u.InitReserved != ""}
			t.modules[f.Spec] = m
		}
		list = append(list, m)
	}
	return list, skipped, nil
}

func unsupported() error {
	return exit.New(exit.Key, MissingHint, "this build of cmctl has no PKCS#11 support (it was made without cgo): keys on tokens cannot be used")
}

// place is a token in a module's slot.
type place struct {
	mod  *mod
	slot p11.Slot
}

// find looks for tokens that a URI fits, in all modules at once: one that
// hangs costs its deadline once.
func (t *Tokens) find(ctx context.Context, u *uri.URI) ([]place, error) {
	list, skipped, err := t.modulesFor(u)
	if err != nil {
		return nil, err
	}
	found := make([][]place, len(list))
	others := make([][]place, len(list))
	errs := make([]error, len(list))
	var wait sync.WaitGroup
	for i, m := range list {
		wait.Go(func() {
			slots, err := m.slots(ctx)
			errs[i] = err
			for _, s := range slots {
				if p := (place{m, s}); p.fits(u) {
					found[i] = append(found[i], p)
				} else {
					others[i] = append(others[i], p)
				}
			}
		})
	}
	wait.Wait()
	var all, rest []place
	for i := range list {
		all = append(all, found[i]...)
		rest = append(rest, others[i]...)
	}
	if len(all) == 0 {
		return nil, t.notFound(u, list, rest, errs, skipped)
	}
	for i, err := range errs {
		if err != nil {
			t.cfg.Officer.debug(fmt.Sprintf("module %s: %v", list[i].name, err))
		}
	}
	return all, nil
}

func (m *mod) slots(ctx context.Context) ([]p11.Slot, error) {
	live, load, err := m.get(ctx)
	if err != nil {
		return nil, err
	}
	slots, err := live.Slots(ctx)
	return slots, m.check(load, err)
}

// check notes a module that is beyond use, and puts its error into words.
func (m *mod) check(load int, err error) error {
	var hung *p11.HungError
	var ended *p11.EndedError
	switch {
	case err == nil:
		return nil
	case (errors.As(err, &hung) || errors.As(err, &ended)) && !m.dropped(load):
		return m.fail(err)
	}
	return m.explain(err)
}

func (t *Tokens) notFound(u *uri.URI, list []*mod, rest []place, errs []error, skipped []string) error {
	for _, err := range errs { // an interruption, or the only module's own error
		if err != nil && (len(list) == 1 || exit.Of(err) != exit.Key) {
			return err
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "no token fits %s", Describe(u))
	for _, p := range rest {
		switch {
		case p.slot.Fault != 0:
			fmt.Fprintf(&b, "\n  the card in %q cannot be read: %v", p.slot.Description, p.slot.Fault)
		case !p.blank():
			fmt.Fprintf(&b, "\n  there is %s", p.uri())
		}
	}
	for _, err := range errs {
		if err != nil {
			fmt.Fprintf(&b, "\n  %v", err)
		}
	}
	for _, s := range skipped {
		fmt.Fprintf(&b, "\n  %s", s)
	}
	hint := "is the card in the reader? `cmctl key list` shows what is there"
	if len(rest) > 0 {
		hint = "correct the URI, or put the right card in; `cmctl key list` shows what is there"
	}
	return exit.New(exit.Key, hint, "%s", b.String())
}

// Describe is a URI in messages.
func Describe(u *uri.URI) string {
	short := *u
	short.PINSource, short.InitReserved = "", ""
	if s := short.String(); s != uri.Scheme {
		return s
	}
	return "pkcs11: (any)"
}

// blank tells a slot that waits for a token to be made, as SoftHSM has one.
func (p place) blank() bool {
	return p.slot.Token.Label == "" && !p.slot.Token.Flags.Has(p11.Initialized)
}

// fits tells whether a URI's attributes of library, slot and token are those
// of this place. What modules pad with does not count.
func (p place) fits(u *uri.URI) bool {
	if p.slot.Fault != 0 || p.blank() {
		return false
	}
	same := func(want *string, have string) bool { return want == nil || strings.TrimRight(*want, " \x00") == have }
	tok := p.slot.Token
	return same(u.Token, tok.Label) && same(u.Manufacturer, tok.Manufacturer) && same(u.Model, tok.Model) && same(u.Serial, tok.Serial) &&
		same(u.SlotDescription, p.slot.Description) && same(u.SlotManufacturer, p.slot.Manufacturer) &&
		same(u.LibraryDescription, p.mod.info.Description) && same(u.LibraryManufacturer, p.mod.info.Manufacturer) &&
		(u.SlotID == nil || *u.SlotID == p.slot.ID) &&
		(u.LibraryVersion == nil || *u.LibraryVersion == uri.Version{Major: p.mod.info.Major, Minor: p.mod.info.Minor})
}

// uri names the token: by label and serial, and by more only where it has
// neither. Zeros are no serial.
func (p place) uri() *uri.URI {
	tok := p.slot.Token
	u := &uri.URI{}
	if tok.Label != "" {
		u.Token = &tok.Label
	}
	if strings.Trim(tok.Serial, "0") != "" {
		u.Serial = &tok.Serial
	}
	if u.Token == nil && u.Serial == nil {
		u.Manufacturer, u.Model = &tok.Manufacturer, &tok.Model
	}
	if !p.mod.fixed {
		u.ModulePath = p.mod.spec.Path
	}
	if !p.mod.fixed || p.mod.asked {
		u.InitReserved = p.mod.spec.Reserved
	}
	return u
}

// name is the token as officers know it.
func (p place) name() string {
	tok := p.slot.Token
	switch {
	case tok.Label != "" && tok.Serial != "":
		return fmt.Sprintf("token %q (serial %s)", tok.Label, tok.Serial)
	case tok.Label != "":
		return fmt.Sprintf("token %q", tok.Label)
	case tok.Serial != "":
		return fmt.Sprintf("the token with serial %s", tok.Serial)
	}
	return fmt.Sprintf("the token in %q", p.slot.Description)
}
