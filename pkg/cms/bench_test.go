package cms_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"github.com/cmctl/cmctl/pkg/cms"
)

// BenchmarkSignCMS makes messages over an answer-sized content;
// BenchmarkRawSign is the bare signature that is in each.
func BenchmarkSignCMS(b *testing.B) {
	content := make([]byte, 2048)
	for _, kind := range []string{"RSA-2048", "RSA-4096", "P-256"} {
		o := newOfficer(b, kind, nil)
		s, err := cms.NewSigner(o.key, o.leaf, []*x509.Certificate{o.ca, o.top}, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.SignCMS(context.Background(), content); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRawSign(b *testing.B) {
	digest := make([]byte, 32)
	for _, kind := range []string{"RSA-2048", "RSA-4096", "P-256"} {
		key := newKey(b, kind)
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				if _, err := key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
