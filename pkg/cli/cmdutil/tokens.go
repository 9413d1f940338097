package cmdutil

import (
	"context"
	"crypto/tls"
	"fmt"
	"strconv"

	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/signer"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// Tokens are the tokens and HSMs of this run; nothing is loaded before a key on
// one is used.
func (f *Factory) Tokens() (*pkcs11.Tokens, error) {
	if f.tokens != nil {
		return f.tokens, nil
	}
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	entries := 0
	if v, ok := f.Flag("pin-entries"); ok {
		if entries, err = strconv.Atoi(v); err != nil || entries < 1 {
			return nil, exit.Usagef("give the number of signatures", "--pin-entries %s is no number above 0", v)
		}
	}
	f.tokens = pkcs11.New(pkcs11.Config{
		Module: s.Module, ModuleOrigin: s.Origin("module").String(), StateDir: config.StateDir(f.Env), Env: f.Env,
		PINEntries: entries, FinalTry: f.isSet("pin-final-try"),
		Officer: pkcs11.Officer{Present: f.someone, Tell: f.tell, Request: f.request, Wait: f.wait, Debug: f.debug},
	})
	return f.tokens, nil
}

// someone tells whether there is somebody to be asked.
func (f *Factory) someone() bool { return f.Prompter().Check(terminal.Question{}) == nil }

// tell says what must be seen by whoever is there, whatever the form of output.
func (f *Factory) tell(text string) {
	if f.someone() {
		f.Streams.Say(output.Escape(text))
		return
	}
	f.Warn("%s", text)
}

// request tells what somebody has to do elsewhere, such as to press keys on a
// reader. It stands there until over is called.
func (f *Factory) request(text string) (over func()) {
	over = f.Streams.Hold()
	f.tell(text)
	return over
}

// wait asks the officer to do something and to say so.
func (f *Factory) wait(ctx context.Context, what string) error {
	done, err := f.Prompter().Confirm(ctx, terminal.Question{Text: what + ". Go on?", Flag: "--no-input"})
	if err == nil && !done {
		return exit.New(exit.Key, "run the command again", "%s: given up", what)
	}
	return err
}

func (f *Factory) debug(text string) {
	if f.isSet("debug") {
		f.Streams.Say("debug: " + output.Escape(text))
	}
}

// secrets says where the password or PIN of a pair comes from.
func (f *Factory) secrets(p config.Pair, use string) signer.Secrets {
	flag, names := "--pin-file", []string{"--pin-file", "CMCTL_PIN_FILE", "CMCTL_PIN"}
	if use == forSigning {
		flag, names = "--sign-pin-file", []string{"--sign-pin-file", "CMCTL_SIGN_PIN_FILE", "CMCTL_SIGN_PIN"}
	}
	secrets := signer.Secrets{Names: names, Ask: func(ctx context.Context, prompt string) ([]byte, error) {
		return f.Prompter().Secret(ctx, terminal.Question{Text: prompt, Flag: flag})
	}}
	if s := p.Secret; s != nil {
		secrets.Sources = []signer.Source{{Origin: s.Origin.String(), File: s.File, Value: s.Value()}}
	}
	return secrets
}

// readyForTLS logs in to the token of a TLS key before a connection waits for
// the PIN, and tells the highest TLS version that the key can serve.
func (f *Factory) readyForTLS(ctx context.Context, id *signer.Identity) (uint16, error) {
	if err := id.Unlock(ctx); err != nil {
		return 0, err
	}
	limit := id.MaxTLS()
	if limit != 0 {
		f.debug(fmt.Sprintf("%s makes no RSA-PSS signature, which TLS 1.3 wants: %s is the highest version offered", id.OnToken().Token(), tls.VersionName(limit)))
	}
	return limit, nil
}

// onToken tells whether a pair's key is on a token.
func onToken(p config.Pair) bool { return uri.Is(p.Key) || p.Key == "" && uri.Is(p.Cert) }

// pinEntries tells how many PIN entries the signatures of a write will take,
// in words.
func pinEntries(id *signer.Identity, signatures int) string {
	key := id.OnToken()
	if key == nil {
		return "no PIN entry"
	}
	each, known, login := key.PINEntries()
	n := 0
	if login {
		n = 1
	}
	switch {
	case each:
		if n += signatures; n == 1 {
			return "1 PIN entry"
		}
		return fmt.Sprintf("%d PIN entries", n)
	case login && !known:
		return "1 PIN entry, or one more for each signature if the key wants that"
	case login:
		return "1 PIN entry"
	}
	return "no PIN entry"
}

// agreed refuses a write without a question whose signatures want more PIN
// entries than --pin-entries allows: before anything is sent. The login, which
// is due anyway, tells whether they do.
func (f *Factory) agreed(ctx context.Context, id *signer.Identity) error {
	key := id.OnToken()
	if key == nil {
		return nil
	}
	if err := id.Unlock(ctx); err != nil {
		return err
	}
	handshake, err := f.tlsKey(ctx)
	if err != nil {
		return err
	}
	each := false
	if handshake != nil {
		each, _, _ = handshake.PINEntries()
	}
	return key.Agreed(each)
}

// tlsKey is the key for TLS, when it is on a token.
func (f *Factory) tlsKey(ctx context.Context) (*pkcs11.Key, error) {
	id, err := f.TLSOfficer(ctx)
	if err != nil {
		return nil, err
	}
	return id.OnToken(), nil
}

// PINSource finds the PIN for a token that is only looked at: --pin-file as
// given on the command line, the URI's pin-source, or the officer. The PIN of
// the settings is for the key of the settings.
func (f *Factory) PINSource(u *uri.URI) pkcs11.PINSource {
	secrets := f.secrets(config.Pair{}, forTLS)
	if file, ok := f.Flag("pin-file"); ok {
		secrets.Sources = []signer.Source{{Origin: "--pin-file", File: file}}
	}
	return secrets.PINFor(u)
}

// TLSOfficer is the certificate and key for TLS.
func (f *Factory) TLSOfficer(ctx context.Context) (*signer.Identity, error) {
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	return f.officer(ctx, s.TLS, forTLS)
}

// PlanSignatures says beforehand how many signatures a run will make with a
// key: one that wants the PIN for each is refused where --pin-entries allows
// fewer.
func (f *Factory) PlanSignatures(id *signer.Identity, n int) { f.plan(id, n, false) }

// plan is PlanSignatures; with consent, so many PIN entries are agreed to.
func (f *Factory) plan(id *signer.Identity, n int, consent bool) {
	if id.OnToken() != nil {
		f.tokens.Plan(n, consent)
	}
}

// ReadyToSign opens the key of a write and says how many signatures it will
// make: what is wrong with that is told before the gateway is asked, which may
// take a PIN. How many PIN entries are to come is told before the first, as far
// as the token shows it; the yes to the question of the write will be the consent.
func (f *Factory) ReadyToSign(ctx context.Context, n int) error {
	s, err := f.Settings()
	if err != nil {
		return err
	}
	if err := s.NeedServer(); err != nil { // before a password is typed
		return err
	}
	if _, err := f.Signer(ctx); err != nil {
		return err
	}
	id, err := f.Officer(ctx)
	if err != nil {
		return err
	}
	key := id.OnToken()
	switch {
	case f.Yes():
		f.plan(id, n, false)
		return nil
	case key == nil:
		return nil
	}
	entries := n
	if handshake, err := f.tlsKey(ctx); err != nil {
		return err
	} else if handshake != nil {
		entries++
	}
	switch each, known, login := key.PINEntries(); {
	case !login || entries <= pkcs11.FreeEntries:
	case each:
		f.tell(fmt.Sprintf("the key on %s wants the PIN for each signature: %d PIN entries are to come", key.Token(), entries))
	case !known:
		f.tell(fmt.Sprintf("if the key on %s wants the PIN for each signature, %d PIN entries are to come", key.Token(), entries))
	}
	return nil
}
