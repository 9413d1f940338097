package top

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzInspect: no file makes inspect panic, find nothing without an error, or
// find what cannot be printed.
func FuzzInspect(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "keys", "*.p12"))
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"))
	f.Add([]byte("\x30\x03\x02\x01\x05"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i := &inspector{name: "f", ask: func() ([]byte, error) { return nil, errors.New("nobody is there") }}
		if err := i.file(data); err != nil {
			return
		}
		if len(i.found) == 0 {
			t.Fatal("nothing found and no error")
		}
		for _, d := range i.found {
			if _, err := json.Marshal(d); err != nil {
				t.Fatal(err)
			}
			for _, field := range findingNoun.Fields {
				if text := field.Value(d); strings.Contains(text, "%!") {
					t.Fatalf("%s: %q", field.Name, text)
				}
			}
		}
	})
}
