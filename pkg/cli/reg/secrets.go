package reg

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// secret is a field that is never an argument: it is read from a file, typed,
// or made here and kept in a file.
type secret struct {
	api      string // also the column of a list that holds it
	what     string
	fileFlag string // also the column of a list that names a file with it
	askFlag  string
	makeFlag string
	hint     string
	make     func() string
	set      func(in *cmapi.RegistrationInput, value string) error // checks too; the error does not show the value
	value    func(in cmapi.RegistrationInput) string               // as kept in a file; "" when it is not set

	file, keepIn string
	ask          bool
	dryRun       bool // none is made or asked for
}

// secrets are the two that registrations have.
func secrets() []*secret {
	return []*secret{
		{
			api: "password", what: "password", fileFlag: "password-file", askFlag: "ask-password", makeFlag: "generate-password",
			make: cmdutil.NewPassword,
			set: func(in *cmapi.RegistrationInput, value string) error {
				if err := cmdutil.CheckSecret(value); err != nil {
					return err
				}
				in.Password = cmapi.Secret(value)
				return nil
			},
			value: func(in cmapi.RegistrationInput) string { return string(in.Password) },
		},
		{
			api: "hmacKey", what: "HMAC key", fileFlag: "hmac-key-file", askFlag: "ask-hmac-key", makeFlag: "generate-hmac-key",
			hint: "`openssl rand -base64 32` makes one, --generate-hmac-key too",
			make: func() string {
				key := cmapi.HMACKey{}
				rand.Read(key[:]) // never fails (crypto/rand)
				return key.Text()
			},
			set: func(in *cmapi.RegistrationInput, value string) (err error) {
				in.HMACKey, err = cmapi.ParseHMACKey(value)
				return err
			},
			value: func(in cmapi.RegistrationInput) string {
				if in.HMACKey == nil {
					return ""
				}
				return in.HMACKey.Text()
			},
		},
	}
}

func (s *secret) flags() []string { return []string{s.fileFlag, s.askFlag, s.makeFlag} }

// given says whether the command line names a way to it.
func (s *secret) given() bool { return s.file != "" || s.keepIn != "" || s.ask }

func (s *secret) addFlags(cmd *cobra.Command) {
	of := "scep, est, cmp"
	if s.api == "hmacKey" {
		of = "acme, 32 bytes in Base64"
	}
	cmd.Flags().StringVar(&s.file, s.fileFlag, "", "the "+s.what+" is the first line of this `file`, - for standard input; "+of+" (API: "+s.api+")")
	cmd.Flags().BoolVar(&s.ask, s.askFlag, false, "ask for the "+s.what+" on the terminal")
	cmd.Flags().StringVar(&s.keepIn, s.makeFlag, "", "make the "+s.what+" and keep it in this new `file`, 0600")
}

// untyped says that the secret of a dry run would be typed in a real one.
func (s *secret) untyped() bool { return s.dryRun && s.ask }

// check refuses more than one way to the same secret.
func (s *secret) check(given func(flag string) bool) error {
	var ways []string
	for _, flag := range s.flags() {
		if given(flag) {
			ways = append(ways, "--"+flag)
		}
	}
	if len(ways) > 1 {
		return exit.Usagef("give one of them", "%s exclude each other", strings.Join(ways, " and "))
	}
	return nil
}

// fill puts the secret of the command line into a registration: out of a file
// or typed; one that is to be made is left to the keeper. needed says that one
// has to be there.
func (s *secret) fill(ctx context.Context, f *cmdutil.Factory, in *cmapi.RegistrationInput, needed bool) error {
	var value string
	var err error
	from := "--" + s.fileFlag
	switch {
	case s.file != "":
		value, err = f.SecretFile(from, s.file)
	case s.keepIn != "", s.dryRun:
		return nil
	case s.ask || needed:
		from = "the " + s.what
		value, err = s.typed(ctx, f)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.set(in, value); err != nil {
		return exit.Usagef(s.hint, "%s: %w", from, err)
	}
	return nil
}

// typed asks for the secret: a password twice; a key is pasted and has its
// length to tell a slip.
func (s *secret) typed(ctx context.Context, f *cmdutil.Factory) (string, error) {
	flag := "--" + s.fileFlag
	if s.api == "password" {
		return f.AskNewSecret(ctx, "Password of the registration", flag)
	}
	value, err := f.Prompter().Secret(ctx, terminal.Question{Text: "HMAC key in Base64", Flag: flag})
	return string(value), err
}

// canAsk refuses early when the secret is to be typed and nobody can.
func (s *secret) canAsk(f *cmdutil.Factory, needed bool) error {
	if s.dryRun || s.file != "" || s.keepIn != "" || !s.ask && !needed {
		return nil // nothing is to be typed
	}
	return f.Prompter().Check(terminal.Question{Text: s.what, Flag: "--" + s.fileFlag})
}
