//go:build cgo

package pkcs11

import (
	"crypto"
	"crypto/rand"
	"slices"
	"sync/atomic"
	"testing"

	miekg "github.com/miekg/pkcs11"
)

// Signatures through the signer, beside those by bare miekg/pkcs11 with the
// same key, by one worker and by eight: what isolation costs.

func BenchmarkSign(b *testing.B) {
	h := newHSM(b)
	h.token("bench", testKey{typ: "rsa2048", id: []byte{1}, cn: "RSA"}, testKey{typ: "p256", id: []byte{2}, cn: "EC"})
	digest := crypto.SHA256.New().Sum(nil)
	for _, k := range []struct {
		name, id  string
		mechanism uint
		data      []byte
	}{
		{"RSA-2048", "%01", miekg.CKM_RSA_PKCS, slices.Concat(hashes[0].digestInfo, digest)},
		{"P-256", "%02", miekg.CKM_ECDSA, digest},
	} {
		for _, workers := range []int{1, 8} {
			name := k.name + map[int]string{1: "/one", 8: "/eight"}[workers]
			b.Run(name+"/signer", func(b *testing.B) {
				set := New(Config{Module: h.module})
				defer set.Close()
				key, err := open(b, set, "pkcs11:token=bench;id="+k.id, fixedPIN(testPIN))
				if err != nil {
					b.Fatal(err)
				}
				share(b, workers, func() func() error {
					return func() error {
						_, err := key.Sign(rand.Reader, digest, crypto.SHA256)
						return err
					}
				})
			})
			b.Run(name+"/raw", func(b *testing.B) {
				p, slot := h.raw(b)
				defer p.Destroy()
				defer p.Finalize() //nolint:errcheck // it ends here
				s, err := p.OpenSession(slot, miekg.CKF_SERIAL_SESSION)
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Login(s, miekg.CKU_USER, testPIN); err != nil {
					b.Fatal(err)
				}
				object := find(b, p, s, k.id[1:])
				share(b, workers, func() func() error {
					s, err := p.OpenSession(slot, miekg.CKF_SERIAL_SESSION)
					if err != nil {
						b.Fatal(err)
					}
					return func() error {
						if err := p.SignInit(s, []*miekg.Mechanism{miekg.NewMechanism(k.mechanism, nil)}, object); err != nil {
							return err
						}
						_, err := p.Sign(s, k.data)
						return err
					}
				})
			})
		}
	}
}

// share does the work of a benchmark in several goroutines.
func share(b *testing.B, workers int, worker func() func() error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, workers)
	b.ResetTimer()
	for range workers {
		do := worker()
		go func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range workers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.StopTimer()
}

func (h *hsm) raw(b *testing.B) (*miekg.Ctx, uint) {
	b.Helper()
	p := miekg.New(h.module)
	if err := p.Initialize(); err != nil {
		b.Fatal(err)
	}
	slots, err := p.GetSlotList(true)
	if err != nil || len(slots) == 0 {
		b.Fatal(err)
	}
	return p, slots[0]
}

func find(b *testing.B, p *miekg.Ctx, s miekg.SessionHandle, id string) miekg.ObjectHandle {
	b.Helper()
	if err := p.FindObjectsInit(s, []*miekg.Attribute{
		miekg.NewAttribute(miekg.CKA_CLASS, miekg.CKO_PRIVATE_KEY), miekg.NewAttribute(miekg.CKA_ID, []byte{id[1] - '0'}),
	}); err != nil {
		b.Fatal(err)
	}
	found, _, err := p.FindObjects(s, 1)
	if err != nil || len(found) == 0 {
		b.Fatal(err)
	}
	if err := p.FindObjectsFinal(s); err != nil {
		b.Fatal(err)
	}
	return found[0]
}

// Opening a token to the first signature, beside the same by bare
// miekg/pkcs11.
func BenchmarkOpen(b *testing.B) {
	h := newHSM(b)
	h.token("bench", testKey{typ: "p256", id: []byte{1}, cn: "EC"})
	digest := crypto.SHA256.New().Sum(nil)
	b.Run("signer", func(b *testing.B) {
		for b.Loop() {
			set := New(Config{Module: h.module})
			key, err := open(b, set, "pkcs11:token=bench;id=%01", fixedPIN(testPIN))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
				b.Fatal(err)
			}
			set.Close()
		}
	})
	b.Run("raw", func(b *testing.B) {
		for b.Loop() {
			p, slot := h.raw(b)
			s, err := p.OpenSession(slot, miekg.CKF_SERIAL_SESSION)
			if err != nil {
				b.Fatal(err)
			}
			if err := p.Login(s, miekg.CKU_USER, testPIN); err != nil {
				b.Fatal(err)
			}
			if err := p.SignInit(s, []*miekg.Mechanism{miekg.NewMechanism(miekg.CKM_ECDSA, nil)}, find(b, p, s, "%01"[1:])); err != nil {
				b.Fatal(err)
			}
			if _, err := p.Sign(s, digest); err != nil {
				b.Fatal(err)
			}
			if err := p.Finalize(); err != nil {
				b.Fatal(err)
			}
			p.Destroy()
		}
	})
}
