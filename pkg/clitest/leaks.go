package clitest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cmctl/cmctl/pkg/cli"
)

// Every script is searched for secrets that went astray: all that each cmctl
// printed, every file below $WORK, and the sandbox's folder with the officer's
// state and requests.jsonl. What is searched for, in plain, in Base64 and in
// hex:
//
//   - canaries: every secret that a script makes up has the word canary in it,
//   - what crossed the wire, made up or not: passwords, HMAC keys, encrypted
//     passwords, PKCS#12 files and key packages,
//   - the private keys and the PIN that the sandbox gives to its officers,
//   - the mark of any private key in PEM.
//
// Where they may be is named: meantPlaces, files of the script itself, and what
// a script says with `secrets PATTERN...`.

// leaksDir is the variable that names the folder where the processes of one
// script note what they printed and what secrets they saw.
const leaksDir = "CLITEST_LEAKS_DIR"

// Kinds of secrets. Which places are meant for one goes by its kind.
const (
	canary      = "canary"
	password    = "password"
	hmacKey     = "HMAC key"
	encrypted   = "encrypted password"
	pkcs12File  = "PKCS#12 file"
	keyPackage  = "key package"
	privateKey  = "private key"
	officerKey  = "private key of an officer"
	officerPIN  = "PIN of an officer"
	sandboxPIN  = "1234"
	skipSecret  = "sandbox-skip" // opens the sandbox's key packages
	leastSecret = 6              // bytes; what is shorter is found everywhere
	longest     = 300            // bytes that are searched for: enough to hold what differs, and to find a part that was shown
)

// meantPlaces are the base names of files that hold secrets of a kind in every
// script.
var meantPlaces = map[string][]string{
	privateKey: {"*.key", "k.pem", "gateway/authority.pem"},
	officerKey: {"officer*.key", "guest.key"},
	pkcs12File: {"*.p12"},
	keyPackage: {"*.p7m"},
}

// secret is something that must not be found.
type secret struct {
	Kind  string `json:"kind"`
	Value []byte `json:"value"`
}

// leaks watches over one script.
type leaks struct {
	dir   string            // what processes noted
	work  string            // $WORK
	own   map[string][]byte // files of the script itself, as they were
	meant []string          // patterns of the script's `secrets`
	known []secret
}

type leaksKey struct{}

// watchLeaks begins to watch over a script; it is judged when the script ends.
func watchLeaks(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "clitest-leaks-")
	if err != nil {
		return err
	}
	l := &leaks{dir: dir, work: env.WorkDir, own: map[string][]byte{}, known: []secret{{canary, []byte("canary")}, {canary, []byte("c4n4ry")}, {password, []byte(skipSecret)}}}
	err = eachFile(env.WorkDir, func(path string, data []byte) { l.own[path] = data })
	env.Setenv(leaksDir, dir)
	env.Values[leaksKey{}] = l
	env.Defer(func() {
		defer func() { _ = os.RemoveAll(dir) }()
		report(env.T(), l.searchPrinted, func() ([]string, error) { return l.searchFiles(l.work) })
	})
	return err
}

func report(t testscript.T, searches ...func() ([]string, error)) {
	var found []string
	for _, search := range searches {
		more, err := search()
		if err != nil {
			more = append(more, err.Error())
		}
		found = append(found, more...)
	}
	if len(found) > 0 {
		t.Fatal("secrets where they are not meant to be:\n" + strings.Join(found, "\n"))
	}
}

// cmdSecrets is `secrets PATTERN...`: files below $WORK, by path or by base
// name, in which this script wants secrets to be.
func cmdSecrets(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: secrets PATTERN...")
	}
	l := ts.Value(leaksKey{}).(*leaks)
	for _, pattern := range args {
		_, err := filepath.Match(pattern, "")
		ts.Check(err)
		l.meant = append(l.meant, pattern)
	}
}

// watchSandbox makes the keys of a sandbox's officers known, and has its
// folder searched before it goes.
func watchSandbox(ts *testscript.TestScript, dir string) {
	l := ts.Value(leaksKey{}).(*leaks)
	files, err := filepath.Glob(filepath.Join(dir, "*.key"))
	ts.Check(err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		ts.Check(err)
		if lines := strings.Split(strings.TrimSpace(string(data)), "\n"); len(lines) > 2 {
			l.known = append(l.known, secret{officerKey, []byte(lines[2])}) // the first line of a key is much the same in all
		}
	}
	ts.Defer(func() {
		report(ts.Value(testKey{}).(testscript.T), func() ([]string, error) { return l.searchFiles(dir) })
	})
}

type testKey struct{}

// tap has a program of the suite note all that it prints.
func tap() cli.Option {
	dir := os.Getenv(leaksDir)
	if dir == "" {
		panic(leaksDir + " is not set: what is printed would go unsearched")
	}
	return cli.WithTap(note(dir, "stdout"), note(dir, "stderr"))
}

// note is a file of its own for a stream, headed by the command line. One that
// cannot be written is a script's full disk.
func note(dir, stream string) io.Writer {
	f, err := os.CreateTemp(dir, stream+"-")
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintf(f, "%q\n", os.Args)
	return forgiving{f}
}

type forgiving struct{ io.Writer }

func (w forgiving) Write(p []byte) (int, error) {
	_, _ = w.Writer.Write(p)
	return len(p), nil
}

// secrets are those known so far.
func (l *leaks) secrets() ([]secret, error) {
	known := append(slices.Clone(l.known), pemKey, secret{officerPIN, []byte(sandboxPIN)})
	raw, err := os.ReadFile(filepath.Join(l.dir, wireNote))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var s secret
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			return known, nil
		} else if err != nil {
			return nil, err
		}
		if len(s.Value) >= leastSecret && !slices.ContainsFunc(known, func(k secret) bool { return bytes.Equal(k.Value, s.Value) }) {
			known = append(known, s)
		}
	}
}

// searchPrinted looks through what each cmctl printed. No place there is meant
// for a secret, but for encrypted passwords that were asked for.
func (l *leaks) searchPrinted() (found []string, err error) {
	known, err := l.secrets()
	if err != nil {
		return nil, err
	}
	err = eachFile(l.dir, func(path string, data []byte) {
		if filepath.Base(path) == wireNote {
			return
		}
		stream, _, _ := strings.Cut(filepath.Base(path), "-")
		args, text, _ := bytes.Cut(data, []byte("\n"))
		asked := bytes.Contains(args, []byte(`"--show-encrypted"`))
		for _, s := range known {
			meant := asked && s.Kind == encrypted && stream == "stdout"
			if !meant && s.in(text) {
				found = append(found, fmt.Sprintf("%s of %s: %s: %s", stream, args, s.Kind, excerpt(text)))
			}
		}
	})
	return found, err
}

// searchFiles looks through the files below a folder.
func (l *leaks) searchFiles(dir string) (found []string, err error) {
	known, err := l.secrets()
	if err != nil {
		return nil, err
	}
	err = eachFile(dir, func(path string, data []byte) {
		if own, ok := l.own[path]; ok && bytes.Equal(own, data) {
			return
		}
		for _, s := range known {
			if s.Kind == officerPIN && dir == l.work {
				continue // scripts write it where they like
			}
			if s.in(data) && !l.isMeant(dir, path, s.Kind) {
				found = append(found, fmt.Sprintf("%s: %s", path, s.Kind))
			}
		}
	})
	return found, err
}

// isMeant tells whether a file is where a secret belongs. In the sandbox's
// folder no script has a say.
func (l *leaks) isMeant(dir, path, kind string) bool {
	patterns := meantPlaces[kind]
	if dir == l.work {
		patterns = append(slices.Clone(patterns), l.meant...)
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && slices.ContainsFunc(patterns, func(p string) bool {
		base, _ := filepath.Match(p, filepath.Base(path))
		whole, _ := filepath.Match(p, filepath.ToSlash(rel))
		return base || whole
	})
}

var pemKey = secret{privateKey, []byte("PRIVATE KEY-----")}

var pinAlone = regexp.MustCompile(`(?:^|[^0-9A-Za-z.:/-])` + sandboxPIN + `(?:[^0-9A-Za-z.:/-]|$)`)

// in tells whether a text holds the secret, as it is or encoded, also wrapped
// in lines or as a JSON string.
func (s secret) in(text []byte) bool {
	if s.Kind == officerPIN {
		return pinAlone.Match(text)
	}
	value := s.Value
	if len(value) > longest {
		value = value[:longest]
	}
	if bytes.Contains(text, value) || bytes.Contains(bytes.ToLower(text), []byte(hex.EncodeToString(value))) {
		return true
	}
	joined := bytes.ReplaceAll(bytes.Join(bytes.Fields(text), nil), []byte(`\n`), nil)
	for _, form := range base64Forms(value) {
		if bytes.Contains(joined, form) {
			return true
		}
	}
	return false
}

// base64Forms are how a value looks inside Base64 of something that it is part
// of, in both alphabets: without the characters that its neighbours share.
func base64Forms(value []byte) (forms [][]byte) {
	for shift := range 3 {
		padded := append(bytes.Repeat([]byte{0}, shift), value...)
		text := base64.RawStdEncoding.EncodeToString(padded[:len(padded)/3*3])
		text = text[(shift*8+5)/6:]
		forms = append(forms, []byte(text))
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(text); url != text {
			forms = append(forms, []byte(url))
		}
	}
	return forms
}

func excerpt(text []byte) string {
	const most = 300
	if len(text) > most {
		return fmt.Sprintf("%q ...", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

// eachFile visits what is below a folder. What goes while it looks, such as the
// socket or the lock of a process that is about to end, is not there to be
// found; the folder itself has to be.
func eachFile(dir string, visit func(path string, data []byte)) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var data []byte
			if data, err = os.ReadFile(path); err == nil {
				visit(path, data)
			}
		}
		if path != dir && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
