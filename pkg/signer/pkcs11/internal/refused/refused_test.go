package refused

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var card = Token{"Maker", "Model", "123", "Officer card"}

func TestMemory(t *testing.T) {
	m := Memory{filepath.Join(t.TempDir(), "state", "refused-pins")}
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	known := func(tok Token, pin string) bool {
		t.Helper()
		at, known, err := m.Known(tok, []byte(pin))
		if err != nil || known && !at.Equal(now) {
			t.Errorf("%v, %v", at, err)
		}
		return known
	}
	if known(card, "0000") {
		t.Error("known before it was refused")
	}
	for _, pin := range []string{"0000", "1111"} {
		if err := m.Add(card, []byte(pin), now); err != nil {
			t.Fatal(err)
		}
	}
	if !known(card, "0000") || !known(card, "1111") {
		t.Error("a refused PIN is not known")
	}
	if known(card, "1234") || known(card, "000") || known(card, "") {
		t.Error("another PIN is known")
	}
	// Serials are shared; each of the rest tells tokens apart.
	for _, other := range []Token{{"M", "Model", "123", "Officer card"}, {"Maker", "M", "123", "Officer card"}, {"Maker", "Model", "1", "Officer card"}, {"Maker", "Model", "123", "Signature"}} {
		if known(other, "0000") {
			t.Errorf("known for %v too", other)
		}
	}
	if err := m.Forget(card); err != nil || known(card, "0000") {
		t.Errorf("still known, %v", err)
	}
	if err := m.Forget(card); err != nil {
		t.Errorf("nothing to forget: %v", err)
	}
}

func TestFileTellsNothing(t *testing.T) {
	m := Memory{t.TempDir()}
	if err := m.Add(card, []byte("97531357"), time.Now()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(m.Path(card))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("97531357")) {
		t.Error("the file holds the PIN")
	}
	info, err := os.Stat(m.Path(card))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	first := data
	if err := m.Forget(card); err != nil {
		t.Fatal(err)
	}
	if err := m.Add(card, []byte("97531357"), time.Now()); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(m.Path(card)); err != nil || bytes.Equal(data, first) {
		t.Errorf("the same hash twice: no salt? %v", err)
	}
}

func TestMostEntries(t *testing.T) {
	m := Memory{t.TempDir()}
	for i := range most + 2 {
		if err := m.Add(card, []byte{'0' + byte(i)}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	f, err := m.read(card)
	if err != nil || len(f.Refused) != most {
		t.Errorf("%d entries, %v", len(f.Refused), err)
	}
	if _, known, _ := m.Known(card, []byte{'0' + most + 1}); !known {
		t.Error("the last one is not known")
	}
}

// A file that cannot be read must not pass for "never refused".
func TestDamagedFile(t *testing.T) {
	m := Memory{t.TempDir()}
	if err := os.WriteFile(m.Path(card), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Known(card, []byte("1234")); err == nil || !strings.Contains(err.Error(), m.Path(card)) {
		t.Errorf("got %v", err)
	}
	if err := m.Add(card, []byte("1234"), time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, known, err := m.Known(card, []byte("1234")); !known || err != nil {
		t.Errorf("%v, %v", known, err)
	}
}

func TestNoFolder(t *testing.T) {
	var m Memory
	if err := m.Add(card, []byte("1"), time.Now()); err == nil {
		t.Error("remembered nowhere")
	}
	if _, known, err := m.Known(card, []byte("1")); known || err != nil {
		t.Errorf("%v, %v", known, err)
	}
	unlock, err := m.Lock(context.Background(), card)
	if err != nil || m.Forget(card) != nil {
		t.Error(err)
	}
	unlock()
}

func TestLock(t *testing.T) {
	m := Memory{t.TempDir()}
	var inside, most atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			unlock, err := m.Lock(context.Background(), card)
			if err != nil {
				t.Error(err)
				return
			}
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Millisecond)
			inside.Add(-1)
			unlock()
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at once", most.Load())
	}
	unlock, err := m.Lock(context.Background(), card)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	other, err := m.Lock(context.Background(), Token{Label: "other"})
	if err != nil {
		t.Fatalf("another token's: %v", err)
	}
	other()
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if _, err := m.Lock(ctx, card); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
}
