package pkcs12

import (
	"os"
	"path/filepath"
	"testing"
)

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
