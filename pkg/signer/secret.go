package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Secrets says where the password or PIN of one key comes from: the first
// source that is set, else Ask.
type Secrets struct {
	Sources []Source
	// Ask asks the officer; nil when nobody can be asked. It is called at most
	// once, and only when the file is encrypted and no source is set.
	Ask func(ctx context.Context, prompt string) ([]byte, error)
	// Names are what can be set instead, for messages; empty: --pin-file,
	// CMCTL_PIN_FILE, CMCTL_PIN.
	Names []string
}

// Source is one place a secret may come from. One with neither File nor Value
// is not set.
type Source struct {
	Origin string // as the officer knows it: --pin-file, CMCTL_PIN
	File   string // its first line is the secret
	Value  string
}

// secret is a password with where it came from, in words for messages.
type secret struct {
	value  []byte
	origin string
}

// maxSecret bounds what is read of a secret's file.
const maxSecret = 64 << 10

// get finds the password for the file called name.
func (s Secrets) get(ctx context.Context, name string) (secret, error) {
	return s.find(ctx, "password", name, "%s is encrypted")
}

// find finds the secret for a file or a token. It is never empty. kind is what
// it is called, wanted why there has to be one.
func (s Secrets) find(ctx context.Context, kind, name, wanted string) (secret, error) {
	for _, src := range s.Sources {
		switch {
		case src.File != "":
			value, err := firstLine(src.File)
			if err != nil {
				return secret{}, exit.New(exit.Key, "", "the %s for %s was to come from %s (%s): %w", kind, name, src.File, src.Origin, err)
			}
			return secret{value, fmt.Sprintf("from %s (%s)", src.File, src.Origin)}, nil
		case src.Value != "":
			return secret{[]byte(src.Value), "from " + src.Origin}, nil
		}
	}
	names := s.Names
	if len(names) == 0 {
		names = []string{"--pin-file", "CMCTL_PIN_FILE", "CMCTL_PIN"}
	}
	hint := "give it with " + strings.Join(names, " or ")
	if s.Ask == nil {
		return secret{}, exit.New(exit.Key, hint, wanted+" and no %s was given", name, kind)
	}
	value, err := s.Ask(ctx, strings.ToUpper(kind[:1])+kind[1:]+" for "+name)
	if err != nil {
		return secret{}, err
	}
	if len(value) == 0 {
		return secret{}, exit.New(exit.Key, hint, wanted+" and the %s given was empty; it was not tried", name, kind)
	}
	return secret{value, "as typed"}, nil
}

// firstLine reads a secret from a file: one line, LF or CRLF, or a pipe such
// as <(pass show officer). What cannot have been meant would cost a try at a
// token, and is refused.
func firstLine(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return nil, plain(err)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("it is UTF-16 text, as Windows PowerShell writes it: save it as UTF-8")
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if bytes.IndexByte(line, 0) >= 0 { // of UTF-16 without a mark, or of no text at all
		return nil, errors.New("there is a NUL in its first line: save it as UTF-8 text")
	}
	line = bytes.TrimSuffix(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")), []byte("\r"))
	if len(line) == 0 {
		return nil, errors.New("its first line is empty")
	}
	return line, nil
}
