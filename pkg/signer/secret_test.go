package signer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/cmctl/cmctl/pkg/signer"
)

var errDeclined = errors.New("no terminal")

func TestSecrets(t *testing.T) {
	b := newBench(t, "p256")
	b.run("openssl pkcs12 -export -inkey p256.key -in p256.pem -passout 'pass:s3 cret' -out p")
	b.write("lf", "s3 cret\n")
	b.write("crlf", "s3 cret\r\nsecond line\r\n")
	b.write("bare", "s3 cret")
	b.write("bom", "\xef\xbb\xbfs3 cret\r\n")
	b.write("wrong", "other\n")
	b.write("blank", "\ns3 cret\n")
	b.write("empty", "")
	b.write("utf16le", "\xff\xfes\x003\x00\r\x00\n\x00")
	b.write("utf16be", "\xfe\xff\x00s\x003\x00\r\x00\n")
	b.write("utf16", "s\x003\x00\r\x00\n\x00")
	b.write("later", "s3 cret\n\x00")
	b.write("cr", "s3 cret\r")
	file := func(origin, name string) signer.Source {
		return signer.Source{Origin: origin, File: b.path(name)}
	}
	value := func(origin, v string) signer.Source { return signer.Source{Origin: origin, Value: v} }
	typed := func(v string) func(context.Context, string) ([]byte, error) {
		return func(context.Context, string) ([]byte, error) { return []byte(v), nil }
	}
	name := b.path("p")
	unset := []signer.Source{{Origin: "--pin-file"}, {Origin: "CMCTL_PIN"}}
	tests := []struct {
		name      string
		secrets   signer.Secrets
		asked     int
		err, hint string
	}{
		{"LF", signer.Secrets{Sources: []signer.Source{file("--pin-file", "lf")}}, 0, "", ""},
		{"CRLF and more lines", signer.Secrets{Sources: []signer.Source{file("--pin-file", "crlf")}}, 0, "", ""},
		{"no newline", signer.Secrets{Sources: []signer.Source{file("--pin-file", "bare")}}, 0, "", ""},
		{"byte order mark", signer.Secrets{Sources: []signer.Source{file("--pin-file", "bom")}}, 0, "", ""},
		{"value", signer.Secrets{Sources: []signer.Source{value("CMCTL_PIN", "s3 cret")}}, 0, "", ""},
		{"the first that is set", signer.Secrets{Sources: append(unset, value("CMCTL_PIN", "s3 cret"), file("pin-file", "wrong"))}, 0, "", ""},
		{"a wrong one is not followed by the next", signer.Secrets{Sources: []signer.Source{file("--pin-file", "wrong"), value("CMCTL_PIN", "s3 cret")}, Ask: typed("s3 cret")}, 0,
			"the password for " + name + " is wrong (from " + b.path("wrong") + " (--pin-file))", once},
		{"typed", signer.Secrets{Sources: unset, Ask: typed("s3 cret")}, 1, "", ""},
		{"typed wrong", signer.Secrets{Ask: typed("other")}, 1, "the password for " + name + " is wrong (as typed)", once},
		{"typed nothing", signer.Secrets{Ask: typed("")}, 1, name + " is encrypted and the password given was empty; it was not tried", pinHint},
		{"none", signer.Secrets{Names: []string{"--sign-pin-file", "CMCTL_SIGN_PIN"}}, 0, name + " is encrypted and no password was given", "give it with --sign-pin-file or CMCTL_SIGN_PIN"},
		{"first line empty", signer.Secrets{Sources: []signer.Source{file("--pin-file", "blank")}, Ask: typed("s3 cret")}, 0,
			"the password for " + name + " was to come from " + b.path("blank") + " (--pin-file): its first line is empty", ""},
		{"file empty", signer.Secrets{Sources: []signer.Source{file("--pin-file", "empty")}}, 0,
			"the password for " + name + " was to come from " + b.path("empty") + " (--pin-file): its first line is empty", ""},
		{"UTF-16", signer.Secrets{Sources: []signer.Source{file("--pin-file", "utf16le")}}, 0,
			"the password for " + name + " was to come from " + b.path("utf16le") + " (--pin-file): it is UTF-16 text, as Windows PowerShell writes it: save it as UTF-8", ""},
		{"UTF-16, the other way round", signer.Secrets{Sources: []signer.Source{file("--pin-file", "utf16be")}}, 0,
			"the password for " + name + " was to come from " + b.path("utf16be") + " (--pin-file): it is UTF-16 text, as Windows PowerShell writes it: save it as UTF-8", ""},
		{"UTF-16 without a mark", signer.Secrets{Sources: []signer.Source{file("--pin-file", "utf16")}}, 0,
			"the password for " + name + " was to come from " + b.path("utf16") + " (--pin-file): there is a NUL in its first line: save it as UTF-8 text", ""},
		{"NUL in another line", signer.Secrets{Sources: []signer.Source{file("--pin-file", "later")}}, 0, "", ""},
		{"bare CR", signer.Secrets{Sources: []signer.Source{file("--pin-file", "cr")}}, 0, "", ""},
		{"file missing", signer.Secrets{Sources: []signer.Source{file("CMCTL_PIN_FILE", "none")}, Ask: typed("s3 cret")}, 0,
			"the password for " + name + " was to come from " + b.path("none") + " (CMCTL_PIN_FILE): there is no such file", ""},
		{"file is a directory", signer.Secrets{Sources: []signer.Source{file("CMCTL_PIN_FILE", ".")}}, 0,
			"the password for " + name + " was to come from " + b.path(".") + " (CMCTL_PIN_FILE): it is a directory", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			if ask := tt.secrets.Ask; ask != nil {
				tt.secrets.Ask = func(ctx context.Context, prompt string) ([]byte, error) {
					asked++
					if want := "Password for " + name; prompt != want {
						t.Errorf("prompt %q, want %q", prompt, want)
					}
					return ask(ctx, prompt)
				}
			}
			_, err := signer.Open(context.Background(), signer.Ref{Key: name}, tt.secrets, nil)
			if tt.err != "" {
				checkErr(t, err, tt.err, tt.hint)
			} else if err != nil {
				t.Error(err)
			}
			if asked != tt.asked {
				t.Errorf("asked %d times, want %d", asked, tt.asked)
			}
		})
	}
	refuse := signer.Secrets{Ask: func(context.Context, string) ([]byte, error) { return nil, errDeclined }}
	if _, err := signer.Open(context.Background(), signer.Ref{Key: name}, refuse, nil); err != errDeclined { //nolint:errorlint // the very error is wanted
		t.Errorf("what Ask says became %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := signer.Open(ctx, signer.Ref{Key: name}, refuse, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}
