// Package refused remembers which PINs a token has refused, so that a script
// run again by cron does not try the same wrong PIN until the token locks. A
// PIN is kept as a salted, slow hash, in a file for each token that only its
// owner reads; a PIN that the token takes clears the token's file.
package refused

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/scrypt"
)

// Token names one, by all that it says of itself: serials alone are shared by
// whole families of tokens, and by the two tokens of one card.
type Token struct{ Manufacturer, Model, Serial, Label string }

// Memory is the folder of the files; "" remembers nothing.
type Memory struct{ Dir string }

// entry is one refused PIN.
type entry struct {
	Salt []byte    `json:"salt"`
	Hash []byte    `json:"hash"`
	At   time.Time `json:"at"`
}

type file struct {
	Token   Token   `json:"token"`
	Refused []entry `json:"refused"`
}

// most entries of a token: no token takes so many tries.
const most = 16

// hash is slow on purpose: a PIN has few digits, and one refused may be a slip
// away from the right one.
func hash(t Token, pin, salt []byte) ([]byte, error) {
	return scrypt.Key(append(pin[:len(pin):len(pin)], t.key()...), salt, 1<<15, 8, 1, 32)
}

func (t Token) key() []byte {
	text, _ := json.Marshal(t)
	sum := sha256.Sum256(text)
	return sum[:]
}

// Path is the token's file.
func (m Memory) Path(t Token) string {
	return filepath.Join(m.Dir, hex.EncodeToString(t.key()[:12])+".json")
}

func (m Memory) read(t Token) (file, error) {
	f := file{Token: t}
	if m.Dir == "" {
		return f, nil
	}
	data, err := os.ReadFile(m.Path(t))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return f, err
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("%s is damaged: %w", m.Path(t), err)
	}
	return f, nil
}

// Known tells whether the token has refused this PIN before, and when.
func (m Memory) Known(t Token, pin []byte) (at time.Time, known bool, err error) {
	f, err := m.read(t)
	if err != nil {
		return at, false, err
	}
	for _, e := range f.Refused {
		h, err := hash(t, pin, e.Salt)
		if err != nil {
			return at, false, err
		}
		if subtle.ConstantTimeCompare(h, e.Hash) == 1 {
			return e.At, true, nil
		}
	}
	return at, false, nil
}

// Add remembers a refused PIN.
func (m Memory) Add(t Token, pin []byte, now time.Time) error {
	if m.Dir == "" {
		return errors.New("there is no folder for state (CMCTL_STATE_DIR)")
	}
	f, err := m.read(t)
	if err != nil {
		f = file{Token: t} // a damaged file is made anew
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	h, err := hash(t, pin, salt)
	if err != nil {
		return err
	}
	f.Refused = append(f.Refused, entry{salt, h, now.UTC().Truncate(time.Second)})
	if over := len(f.Refused) - most; over > 0 {
		f.Refused = f.Refused[over:]
	}
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return m.write(m.Path(t), append(data, '\n'))
}

// write replaces a file whole: temporary name, sync, rename.
func (m Memory) write(path string, data []byte) (err error) {
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(m.Dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// Forget clears what is remembered of a token.
func (m Memory) Forget(t Token) error {
	if m.Dir == "" {
		return nil
	}
	if err := os.Remove(m.Path(t)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Lock lets one process at a time try PINs on a token: several started at once
// with the same wrong PIN would lock it. Without a folder there is no lock.
func (m Memory) Lock(ctx context.Context, t Token) (unlock func(), err error) {
	if m.Dir == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(m.Path(t)+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		ok, err := tryLock(f)
		switch {
		case err != nil:
			_ = f.Close()
			return nil, err
		case ok:
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
