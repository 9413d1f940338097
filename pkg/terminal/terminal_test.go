package terminal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestReadSecret(t *testing.T) {
	for _, tt := range []struct {
		name, keys, want string
		err              error
	}{
		{"return", "1234\r", "1234", nil},
		{"newline", "1234\nmore", "1234", nil},
		{"backspace", "12x\x7f34\r", "1234", nil},
		{"backspace over a letter of two bytes", "12å\b34\r", "1234", nil},
		{"backspace at the start", "\x7f\x7f1\r", "1", nil},
		{"Ctrl-U", "wrong\x151234\r", "1234", nil},
		{"Ctrl-U after an arrow key", "w\x1b[D\x151234\r", "1234", nil},
		{"empty", "\r", "", nil},
		{"arrow key", "12\x1b[D\r", "", errControl},
		{"Ctrl-C", "12\x03", "", errInterrupt},
		{"Ctrl-D", "12\x04", "", io.EOF},
		{"input ends", "12", "", io.EOF},
		{"high bytes", "p\xe5ss\r", "p\xe5ss", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readSecret(strings.NewReader(tt.keys))
			if !errors.Is(err, tt.err) || err == nil && string(got) != tt.want {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
			if err != nil && strings.Trim(string(got), "\x00") != "" {
				t.Errorf("a secret that is not used is left: %q", got)
			}
		})
	}
}

func FuzzReadSecret(f *testing.F) {
	f.Add("12\x7f34\r")
	f.Add("\xff\b\x15\x1b")
	f.Fuzz(func(t *testing.T, keys string) {
		got, err := readSecret(strings.NewReader(keys))
		if err == nil && strings.ContainsAny(string(got), "\r\n\x03\x04\x1b\x7f") {
			t.Errorf("%q gives %q", keys, got)
		}
	})
}

func TestStreams(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		env  map[string]string
		want Streams
	}{
		{"files", nil, Streams{}},
		{"forced", map[string]string{"CMCTL_FORCE_TTY": "1"}, Streams{OutTTY: true, ErrTTY: true, OutWidth: 80, OutColor: true, ErrColor: true}},
		{"forced with a width", map[string]string{"CMCTL_FORCE_TTY": "40"}, Streams{OutTTY: true, ErrTTY: true, OutWidth: 40, OutColor: true, ErrColor: true}},
		{"not forced", map[string]string{"CMCTL_FORCE_TTY": "0"}, Streams{}},
		{"NO_COLOR", map[string]string{"CMCTL_FORCE_TTY": "1", "NO_COLOR": "1"}, Streams{OutTTY: true, ErrTTY: true, OutWidth: 80}},
		{"empty NO_COLOR", map[string]string{"CMCTL_FORCE_TTY": "1", "NO_COLOR": ""}, Streams{OutTTY: true, ErrTTY: true, OutWidth: 80, OutColor: true, ErrColor: true}},
		{"TERM=dumb", map[string]string{"CMCTL_FORCE_TTY": "1", "TERM": "dumb"}, Streams{OutTTY: true, ErrTTY: true, OutWidth: 80, dumb: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := New(file, file, file, func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
			tt.want.In, tt.want.Out, tt.want.Err, tt.want.screen = file, file, got.relay, got.screen
			tt.want.relay = got.relay
			if *got != tt.want {
				t.Errorf("got %+v, want %+v", *got, tt.want)
			}
			got.NoColor()
			if got.OutColor || got.ErrColor {
				t.Error("NoColor left colour")
			}
		})
	}
}

func TestProgress(t *testing.T) {
	type step struct {
		after time.Duration
		text  string // empty: Clear
	}
	steps := []step{{0, "1"}, {100 * time.Millisecond, "2"}, {150 * time.Millisecond, "3\x1b"}, {time.Millisecond, "4"}, {0, ""}, {0, ""}, {11 * time.Second, "five"}}
	for _, tt := range []struct {
		name    string
		streams Streams
		quiet   bool
		want    string
	}{
		{"for people", Streams{ErrTTY: true, errWidth: 80}, false, "\r\x1b[K3\\x1b" + "\r\x1b[K" + "\r\x1b[Kfive"},
		{"narrow", Streams{ErrTTY: true, errWidth: 4}, false, "\r\x1b[K3\\x" + "\r\x1b[K" + "\r\x1b[Kfiv"},
		{"in a log", Streams{}, false, "five\n"},
		{"dumb terminal", Streams{ErrTTY: true, dumb: true}, false, "five\n"},
		{"quiet", Streams{ErrTTY: true}, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			tt.streams.Err = &b
			p := NewProgress(&tt.streams, tt.quiet)
			now := p.last
			p.now = func() time.Time { return now }
			for _, s := range steps {
				now = now.Add(s.after)
				if s.text == "" {
					p.Clear()
				} else {
					p.Set("%s", s.text)
				}
			}
			if b.String() != tt.want {
				t.Errorf("got %q, want %q", b.String(), tt.want)
			}
		})
	}
}
