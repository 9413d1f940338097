package cms

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// OpenSSL's plain, signed and enveloped messages: what can be read without a
// key is.
func TestContent(t *testing.T) {
	dir := t.TempDir()
	openssl := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %q: %v\n%s", args, err, out)
		}
	}
	want := []byte("content\n")
	if err := os.WriteFile(filepath.Join(dir, "text"), want, 0o600); err != nil {
		t.Fatal(err)
	}
	openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k", "-out", "c", "-subj", "/CN=x")
	openssl("cms", "-data_create", "-in", "text", "-binary", "-outform", "DER", "-out", "data")
	openssl("cms", "-sign", "-in", "text", "-binary", "-nodetach", "-signer", "c", "-inkey", "k", "-outform", "DER", "-out", "signed")
	openssl("cms", "-sign", "-in", "text", "-binary", "-nodetach", "-stream", "-signer", "c", "-inkey", "k", "-outform", "DER", "-out", "streamed")
	openssl("cms", "-sign", "-in", "text", "-binary", "-signer", "c", "-inkey", "k", "-outform", "DER", "-out", "detached")
	openssl("cms", "-encrypt", "-in", "text", "-binary", "-outform", "DER", "-out", "enveloped", "c")
	for _, c := range []struct {
		file, kind string
		content    []byte
	}{
		{"data", "1.2.840.113549.1.7.1", want}, {"signed", "1.2.840.113549.1.7.2", want}, {"streamed", "1.2.840.113549.1.7.2", want},
		{"detached", "1.2.840.113549.1.7.2", nil}, {"enveloped", "1.2.840.113549.1.7.3", nil},
	} {
		data, err := os.ReadFile(filepath.Join(dir, c.file))
		if err != nil {
			t.Fatal(err)
		}
		kind, content, err := Content(data)
		if err != nil || kind.String() != c.kind || !bytes.Equal(content, c.content) {
			t.Errorf("%s: %s %q %v", c.file, kind, content, err)
		}
		if _, _, err := Content(data[:len(data)-1]); err == nil {
			t.Errorf("%s: cut off and no error", c.file)
		}
	}
	if _, _, err := Content([]byte("\x30\x03\x02\x01\x01")); err == nil {
		t.Error("a number is no message")
	}
}
