package signer

import "context"

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
