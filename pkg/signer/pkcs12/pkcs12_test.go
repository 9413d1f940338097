package pkcs12

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
)

// pfx encodes a PKCS#12 file with a MAC of so many rounds around content. The
// last arc of its content type is 1 for data, 2 for signed data.
func pfx(arc int, rounds int64, content []byte) []byte {
	var b cryptobyte.Builder
	seq := func(b *cryptobyte.Builder, f func(*cryptobyte.Builder)) { b.AddASN1(casn1.SEQUENCE, f) }
	seq(&b, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		seq(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier([]int{1, 2, 840, 113549, 1, 7, arc})
			b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
		})
		seq(b, func(b *cryptobyte.Builder) {
			seq(b, func(b *cryptobyte.Builder) {
				seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier([]int{1, 3, 14, 3, 2, 26}) })
				b.AddASN1OctetString(make([]byte, 20))
			})
			b.AddASN1OctetString([]byte("saltsalt"))
			b.AddASN1Int64(rounds)
		})
	})
	return b.BytesOrPanic()
}

func TestReadOdd(t *testing.T) {
	enveloped := []byte("0\x0f0\x0d\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x03\xa0\x00")
	tests := []struct {
		name string
		data []byte
		err  string
	}{
		{"no contents", pfx(1, 2, []byte("0\x00")), ""},
		{"signed by a public key", pfx(2, 2, nil), "the PKCS#12 file f has a signature by a public key instead of a password, which is not supported"},
		{"encrypted to a public key", pfx(1, 2, enveloped), "the PKCS#12 file f has contents encrypted to a public key instead of a password, which is not supported"},
		{"BER inside", pfx(1, 2, []byte("0\x80\x00\x00")), "the PKCS#12 file f has BER encoding inside, which is not supported"},
		{"endless MAC", pfx(1, 1<<31, []byte("0\x00")), "the PKCS#12 file f has a MAC of 2147483648 rounds, which is not supported"},
		{"no sequence inside", pfx(1, 2, []byte("\x04\x00")), "the PKCS#12 file f cannot be read: it is damaged"},
		{"damaged part", pfx(1, 2, []byte("0\x020\x00")), "the PKCS#12 file f cannot be read: it is damaged"},
		{"and more", append(pfx(1, 2, nil), 0), "the PKCS#12 file f is damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read("f", tt.data)
			if tt.err == "" && err == nil {
				return
			}
			if err == nil || err.Error() != tt.err || exit.Of(err) != exit.Key {
				t.Errorf("error %v, want %s", err, tt.err)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"gnutls.p12", "java-legacy.p12"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "keys", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read("f", data)
		if err != nil {
			return
		}
		if o, err := readOutline(file.der); err != nil || o.macIterations > 100 {
			return // too slow to try
		}
		if _, _, err := file.Open([]byte("nonsense")); err == nil {
			t.Fatal("it opened by another password")
		}
	})
}
