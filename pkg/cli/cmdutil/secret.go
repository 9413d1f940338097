package cmdutil

import (
	"bytes"
	"context"
	"crypto/rand"
	"unicode"
	"unicode/utf8"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/terminal"
)

const maxSecret = 64 << 10

// SecretFile reads a secret, the first line of a file, - for standard input.
// flag is what named it, for messages.
func (f *Factory) SecretFile(flag, path string) (string, error) {
	data, err := f.ReadInput(path, maxSecret)
	if err != nil {
		return "", exit.Usagef(exit.HintOf(err), "%s: %w", flag, err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")), []byte("\r"))
	if err := CheckSecret(string(line)); err != nil {
		return "", exit.Usagef("the secret is the first line of the file", "%s: %s: %w", flag, InputName(path), err)
	}
	return string(line), nil
}

// CheckSecret refuses what cannot be typed as a password. The error does not
// show it.
func CheckSecret(s string) error {
	switch {
	case s == "":
		return exit.Usagef("", "it is empty")
	case !utf8.ValidString(s):
		return exit.Usagef("", "it is not UTF-8 text")
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return exit.Usagef("", "there is a control character in it")
		}
	}
	return nil
}

// AskNewSecret asks for a secret on the terminal, twice so that a slip of the
// finger is noticed. flag answers it without one.
func (f *Factory) AskNewSecret(ctx context.Context, what, flag string) (string, error) {
	p := f.Prompter()
	first, err := p.Secret(ctx, terminal.Question{Text: what, Flag: flag})
	if err != nil {
		return "", err
	}
	defer clear(first)
	if err := CheckSecret(string(first)); err != nil {
		return "", exit.Usagef("", "%s: %w", what, err)
	}
	second, err := p.Secret(ctx, terminal.Question{Text: what + ", again", Flag: flag})
	if err != nil {
		return "", err
	}
	defer clear(second)
	if !bytes.Equal(first, second) {
		return "", exit.Usagef("nothing was sent: run the command again", "%s: the two answers differ", what)
	}
	return string(first), nil
}

// NewPassword makes a password of 130 random bits: letters and digits.
func NewPassword() string { return rand.Text() }
