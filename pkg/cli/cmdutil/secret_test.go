package cmdutil

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// A secret is the first line of a file, and no error shows it.
func TestSecretFile(t *testing.T) {
	for _, c := range []struct{ name, in, want, err string }{
		{"a line", "canary\n", "canary", ""},
		{"without its end", "canary", "canary", ""},
		{"of Windows, with a byte order mark", "\xef\xbb\xbfcanary ä \r\nmore", "canary ä ", ""},
		{"nothing", "", "", "it is empty"},
		{"nothing on the first line", "\ncanary\n", "", "it is empty"},
		{"not UTF-8", "canary\xff\n", "", "it is not UTF-8 text"},
		{"a control character", "canary\x1b\n", "", "there is a control character in it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pw")
			if err := os.WriteFile(file, []byte(c.in), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{file, "-"} {
				f := &Factory{Streams: &terminal.Streams{In: strings.NewReader(c.in)}}
				got, err := f.SecretFile("--password-file", path)
				if got != c.want || (err == nil) != (c.err == "") {
					t.Errorf("%q, %v", got, err)
				}
				if err == nil {
					continue
				}
				if want := "--password-file: " + InputName(path) + ": " + c.err; err.Error() != want || exit.Of(err) != exit.Usage {
					t.Errorf("%v, want %s", err, want)
				}
			}
		})
	}
}

func TestNewPassword(t *testing.T) {
	a, b := NewPassword(), NewPassword()
	if !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(a) || a == b {
		t.Errorf("%s %s", a, b)
	}
}
