package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// look makes a Lookup from "name=value" words.
func look(words ...string) Lookup {
	return func(name string) (string, bool) {
		for _, w := range words {
			if n, v, _ := strings.Cut(w, "="); n == name {
				return v, true
			}
		}
		return "", false
	}
}

// load reads a config from text, in a folder of its own.
func load(t *testing.T, text string) *File {
	t.Helper()
	f, err := Load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const twoContexts = `
current-context: prod
contexts:
  prod:
    server: https://prod.example.com/pgwy/api/
    ca-file: ca.pem
    tls-server-name: pgwy.prod
    cert: officer.pem
    key: officer.key
    pin-file: ~/pin
    module: lib/p11.so
    timeout: 5s
    batch: 900
    parallel: 1
    sign-digest: sha512
    protected: true
  dev.local:
    server: https://dev.example.com
    key: pkcs11:token=Officer%20card;id=%02
    sign-cert: /abs/sign.pem
`

func TestResolvePlain(t *testing.T) {
	f := load(t, twoContexts)
	dir := filepath.Dir(f.Path)
	env := []string{"HOME=/home/anna"}
	prod := Settings{
		ContextName: "prod", Server: "https://prod.example.com/pgwy/api", CAFile: dir + "/ca.pem", TLSServerName: "pgwy.prod",
		Module: dir + "/lib/p11.so", Timeout: 5 * time.Second, Batch: 900, Parallel: 1, SignDigest: "sha512", Protected: true,
	}
	pair := Pair{Cert: dir + "/officer.pem", Key: dir + "/officer.key", Origin: Origin{"context prod"}, Secret: &Secret{Origin: Origin{"context prod"}, File: "/home/anna/pin"}}
	prod.TLS, prod.Sign = pair, pair
	card := Pair{Key: "pkcs11:token=Officer%20card;id=%02", Origin: Origin{"context dev.local"}}
	dev := Settings{
		ContextName: "dev.local", Server: "https://dev.example.com", Timeout: time.Minute, Batch: 100, Parallel: 4, SignDigest: "sha256",
		TLS: card, Sign: Pair{Cert: "/abs/sign.pem", Origin: Origin{"context dev.local"}},
	}
	for _, tt := range []struct {
		name       string
		flags, env []string
		want       Settings
		change     func(*Settings)
	}{
		{name: "current context", want: prod},
		{name: "CMCTL_CONTEXT", env: []string{"CMCTL_CONTEXT=dev.local"}, want: dev},
		{name: "--context over CMCTL_CONTEXT", flags: []string{"context=dev.local"}, env: []string{"CMCTL_CONTEXT=prod"}, want: dev},
		{name: "an empty variable is unset", env: []string{"CMCTL_CONTEXT=", "CMCTL_SERVER=", "CMCTL_PIN="}, want: prod},
		{
			name: "variables over the context",
			env:  []string{"CMCTL_SERVER=https://env", "CMCTL_CA_FILE=env.pem", "CMCTL_TLS_SERVER_NAME=e", "CMCTL_PKCS11_MODULE=e.so", "CMCTL_TIMEOUT=1s", "CMCTL_BATCH=2", "CMCTL_PARALLEL=3"},
			want: prod,
			change: func(s *Settings) {
				s.Server, s.CAFile, s.TLSServerName, s.Module = "https://env", "env.pem", "e", "e.so"
				s.Timeout, s.Batch, s.Parallel = time.Second, 2, 3
			},
		},
		{
			name:  "flags over variables",
			flags: []string{"server=https://flag", "ca-file=flag.pem", "tls-server-name=f", "timeout=1m0s", "batch=5", "parallel=6"},
			env:   []string{"CMCTL_SERVER=https://env", "CMCTL_CA_FILE=env.pem", "CMCTL_TLS_SERVER_NAME=e", "CMCTL_TIMEOUT=1s", "CMCTL_BATCH=2", "CMCTL_PARALLEL=3"},
			want:  prod,
			change: func(s *Settings) {
				s.Server, s.CAFile, s.TLSServerName = "https://flag", "flag.pem", "f"
				s.Timeout, s.Batch, s.Parallel = time.Minute, 5, 6
			},
		},
		{
			name: "no variable for what guards", env: []string{"CMCTL_PROTECTED=false", "CMCTL_SIGN_DIGEST=sha256", "CMCTL_MODULE=x"}, want: prod,
		},
		{
			name: "no flag for what has none", flags: []string{"protected=false", "sign-digest=sha256", "module=x"}, want: prod,
		},
		{
			name: "--context ignores what is left over", flags: []string{"context=prod"},
			env: []string{
				"CMCTL_SERVER=https://env", "CMCTL_CA_FILE=x", "CMCTL_TLS_SERVER_NAME=x", "CMCTL_CERT=x", "CMCTL_KEY=x", "CMCTL_PIN_FILE=x", "CMCTL_PIN=SECRET",
				"CMCTL_SIGN_CERT=x", "CMCTL_SIGN_KEY=x", "CMCTL_SIGN_PIN_FILE=x", "CMCTL_SIGN_PIN=SECRET", "CMCTL_TIMEOUT=7s", "CMCTL_PKCS11_MODULE=x.so",
			},
			want: prod,
			change: func(s *Settings) {
				s.Timeout = 7 * time.Second
				s.Notices = []string{"--context is given: CMCTL_CA_FILE, CMCTL_CERT, CMCTL_KEY, CMCTL_PIN, CMCTL_PIN_FILE, CMCTL_PKCS11_MODULE, CMCTL_SERVER, " +
					"CMCTL_SIGN_CERT, CMCTL_SIGN_KEY, CMCTL_SIGN_PIN, CMCTL_SIGN_PIN_FILE, CMCTL_TLS_SERVER_NAME in the environment ignored"}
			},
		},
		{
			name: "--context and another flag", flags: []string{"context=prod", "server=https://flag"}, env: []string{"CMCTL_SERVER=https://env"}, want: prod,
			change: func(s *Settings) {
				s.Server = "https://flag"
				s.Notices = []string{"--context is given: CMCTL_SERVER in the environment ignored"}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Resolve(f, look(tt.flags...), look(append(env, tt.env...)...))
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if tt.change != nil {
				tt.change(&want)
			}
			got.file, got.origins = nil, nil
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got\n%+v, want\n%+v", *got, want)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	f := load(t, twoContexts)
	s, err := Resolve(f, look("timeout=3s", "key=other.key"), look("CMCTL_SERVER=https://env", "CMCTL_CERT=e.pem", "CMCTL_PKCS11_MODULE=x"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Origin{
		"context": {"current-context of " + f.Path}, "server": {"CMCTL_SERVER"}, "timeout": {"--timeout"}, "key": {"--key"}, "module": {"CMCTL_PKCS11_MODULE"},
		"ca-file": {"context prod"}, "tls-server-name": {"context prod"}, "batch": {"context prod"}, "parallel": {"context prod"},
		"sign-digest": {"context prod"}, "protected": {"context prod"},
	}
	if !reflect.DeepEqual(s.origins, want) {
		t.Errorf("got %v, want %v", s.origins, want)
	}
	s, err = Resolve(load(t, ""), look("sign-key=s", "cert=c", "pin-file=p"), look("CMCTL_SIGN_PIN=x"))
	if err != nil {
		t.Fatal(err)
	}
	want = map[string]Origin{
		"timeout": {"default"}, "batch": {"default"}, "parallel": {"default"}, "sign-digest": {"default"}, "protected": {"default"},
		"cert": {"--cert"}, "pin-file": {"--pin-file"}, "sign-key": {"--sign-key"}, "sign-pin-file": {"CMCTL_SIGN_PIN"},
	}
	if !reflect.DeepEqual(s.origins, want) {
		t.Errorf("got %v, want %v", s.origins, want)
	}
	if got := s.Origin("cert").String(); got != "--cert" {
		t.Errorf("Origin says %q", got)
	}
}

// brief is a pair as the table below writes it: cert key (origin) [secret].
func brief(p Pair) string {
	s := fmt.Sprintf("%s %s (%s)", p.Cert, p.Key, p.Origin)
	if p.Secret != nil {
		from := "file " + p.Secret.File
		if p.Secret.File == "" {
			from = "value " + p.Secret.Value()
		}
		s += fmt.Sprintf(" [%s: %s]", p.Secret.Origin, from)
	}
	return s
}

func TestPairsAndSecrets(t *testing.T) {
	const files = "server: https://s\n    cert: /c.pem\n    key: /c.key\n    pin-file: /c.pin"
	const card = "server: https://s\n    key: pkcs11:token=A;id=%01\n    pin-file: /c.pin"
	for _, tt := range []struct {
		name       string
		context    string
		flags, env []string
		tls, sign  string
		notice     string
	}{
		{"none", "", nil, nil, "  ()", "  ()", ""},
		{"a secret for nothing", "", []string{"pin-file=/f.pin"}, []string{"CMCTL_PIN=1"}, "  ()", "  ()", ""},
		{
			"context", files, nil, nil,
			"/c.pem /c.key (context x) [context x: file /c.pin]", "/c.pem /c.key (context x) [context x: file /c.pin]", "",
		},
		{
			"one member of a flag decides the whole pair", files, []string{"key=/f.key"}, nil,
			" /f.key (--key)", " /f.key (--key)", "",
		},
		{
			"one member of a variable decides the whole pair", files, nil, []string{"CMCTL_CERT=/e.pem"},
			"/e.pem  (CMCTL_CERT)", "/e.pem  (CMCTL_CERT)", "",
		},
		{
			"flag over variable", files, []string{"cert=/f.pem"}, []string{"CMCTL_CERT=/e.pem", "CMCTL_KEY=/e.key"},
			"/f.pem  (--cert)", "/f.pem  (--cert)", "",
		},
		{
			"signing pair of its own", files + "\n    sign-key: /s.key", nil, nil,
			"/c.pem /c.key (context x) [context x: file /c.pin]", " /s.key (context x)", "",
		},
		{
			"the signing pair of the context stays when a flag names TLS", files + "\n    sign-key: /s.key\n    sign-pin-file: /s.pin", []string{"key=/f.key"}, nil,
			" /f.key (--key)", " /s.key (context x) [context x: file /s.pin]", "",
		},
		{
			"one member of signing decides that pair", files + "\n    sign-cert: /s.pem\n    sign-key: /s.key\n    sign-pin-file: /s.pin", []string{"sign-cert=/f.pem"}, nil,
			"/c.pem /c.key (context x) [context x: file /c.pin]", "/f.pem  (--sign-cert)", "",
		},

		// The order of secrets.
		{
			"--pin-file first", files, []string{"pin-file=/f.pin"}, []string{"CMCTL_PIN_FILE=/e.pin", "CMCTL_PIN=1"},
			"/c.pem /c.key (context x) [--pin-file: file /f.pin]", "/c.pem /c.key (context x) [--pin-file: file /f.pin]", "",
		},
		{
			"then CMCTL_PIN_FILE", files, nil, []string{"CMCTL_PIN_FILE=/e.pin", "CMCTL_PIN=1"},
			"/c.pem /c.key (context x) [CMCTL_PIN_FILE: file /e.pin]", "/c.pem /c.key (context x) [CMCTL_PIN_FILE: file /e.pin]", "",
		},
		{
			"then CMCTL_PIN", files, nil, []string{"CMCTL_PIN=1"},
			"/c.pem /c.key (context x) [CMCTL_PIN: value 1]", "/c.pem /c.key (context x) [CMCTL_PIN: value 1]", "",
		},
		{
			"the same for signing", files + "\n    sign-key: /s.key\n    sign-pin-file: /s.pin", []string{"sign-pin-file=/f.pin"}, []string{"CMCTL_SIGN_PIN_FILE=/e.pin", "CMCTL_SIGN_PIN=1"},
			"/c.pem /c.key (context x) [context x: file /c.pin]", " /s.key (context x) [--sign-pin-file: file /f.pin]", "",
		},
		{
			"CMCTL_SIGN_PIN_FILE", files + "\n    sign-key: /s.key\n    sign-pin-file: /s.pin", nil, []string{"CMCTL_SIGN_PIN_FILE=/e.pin", "CMCTL_SIGN_PIN=1"},
			"/c.pem /c.key (context x) [context x: file /c.pin]", " /s.key (context x) [CMCTL_SIGN_PIN_FILE: file /e.pin]", "",
		},
		{
			"CMCTL_SIGN_PIN", files + "\n    sign-key: /s.key\n    sign-pin-file: /s.pin", nil, []string{"CMCTL_SIGN_PIN=1"},
			"/c.pem /c.key (context x) [context x: file /c.pin]", " /s.key (context x) [CMCTL_SIGN_PIN: value 1]", "",
		},

		// Whose a secret is.
		{
			"the context's serves no key of a variable", files, nil, []string{"CMCTL_KEY=/e.key"},
			" /e.key (CMCTL_KEY)", " /e.key (CMCTL_KEY)", "",
		},
		{
			"the context's serves its own key named again", files, []string{"key=/c.key"}, nil,
			" /c.key (--key) [context x: file /c.pin]", " /c.key (--key) [context x: file /c.pin]", "",
		},
		{
			"the context's serves its own token named again", card, []string{"key=PKCS11:id=%02;token=A"}, nil,
			" PKCS11:id=%02;token=A (--key) [context x: file /c.pin]", " PKCS11:id=%02;token=A (--key) [context x: file /c.pin]", "",
		},
		{
			"the context's serves no other token", card, []string{"key=pkcs11:token=B;id=%01"}, nil,
			" pkcs11:token=B;id=%01 (--key)", " pkcs11:token=B;id=%01 (--key)", "",
		},
		{
			"a pin-file beside no key serves none", "server: https://s\n    pin-file: /c.pin", []string{"key=/f.key"}, nil,
			" /f.key (--key)", " /f.key (--key)", "",
		},
		{
			"CMCTL_PIN serves a flag's key when no variable names one", files, []string{"key=/f.key"}, []string{"CMCTL_PIN=1"},
			" /f.key (--key) [CMCTL_PIN: value 1]", " /f.key (--key) [CMCTL_PIN: value 1]", "",
		},
		{
			"CMCTL_PIN stays with CMCTL_KEY", files, []string{"key=/f.key"}, []string{"CMCTL_KEY=/e.key", "CMCTL_PIN=1"},
			" /f.key (--key)", " /f.key (--key)", "CMCTL_PIN is not used: it belongs to CMCTL_KEY, and --key names another key",
		},
		{
			"CMCTL_PIN_FILE stays with CMCTL_CERT", files, []string{"key=/f.key"}, []string{"CMCTL_CERT=/e.p12", "CMCTL_PIN_FILE=/e.pin"},
			" /f.key (--key)", " /f.key (--key)", "CMCTL_PIN_FILE is not used: it belongs to CMCTL_CERT, and --key names another key",
		},
		{
			"CMCTL_PIN when flag and variable name one file", files, []string{"key=/e.key"}, []string{"CMCTL_KEY=/../e.key", "CMCTL_PIN=1"},
			" /e.key (--key) [CMCTL_PIN: value 1]", " /e.key (--key) [CMCTL_PIN: value 1]", "",
		},
		{
			"CMCTL_PIN with its own key", files, nil, []string{"CMCTL_KEY=/e.key", "CMCTL_PIN=1"},
			" /e.key (CMCTL_KEY) [CMCTL_PIN: value 1]", " /e.key (CMCTL_KEY) [CMCTL_PIN: value 1]", "",
		},
		{
			"CMCTL_SIGN_PIN stays with CMCTL_SIGN_KEY", files, []string{"sign-key=/f.key"}, []string{"CMCTL_SIGN_KEY=/e.key", "CMCTL_SIGN_PIN=1"},
			"/c.pem /c.key (context x) [context x: file /c.pin]", " /f.key (--sign-key)", "CMCTL_SIGN_PIN is not used: it belongs to CMCTL_SIGN_KEY, and --sign-key names another key",
		},

		// TLS secret for signing.
		{
			"no secret for another signing file", files + "\n    sign-key: /s.key", []string{"pin-file=/f.pin"}, nil,
			"/c.pem /c.key (context x) [--pin-file: file /f.pin]", " /s.key (context x)", "",
		},
		{
			"the TLS secret for the same file", files + "\n    sign-cert: /s.pem\n    sign-key: /c.key", []string{"pin-file=/f.pin"}, nil,
			"/c.pem /c.key (context x) [--pin-file: file /f.pin]", "/s.pem /c.key (context x) [--pin-file: file /f.pin]", "",
		},
		{
			"the TLS secret for another key of the same token", card + "\n    sign-key: pkcs11:token=A;id=%02", nil, []string{"CMCTL_PIN=1"},
			" pkcs11:token=A;id=%01 (context x) [CMCTL_PIN: value 1]", " pkcs11:token=A;id=%02 (context x) [CMCTL_PIN: value 1]", "",
		},
		{
			"not for another token", card + "\n    sign-key: pkcs11:token=B;id=%02", nil, []string{"CMCTL_PIN=1"},
			" pkcs11:token=A;id=%01 (context x) [CMCTL_PIN: value 1]", " pkcs11:token=B;id=%02 (context x)", "",
		},
		{
			"a signing secret without signing pair", files, []string{"sign-pin-file=/f.pin"}, nil,
			"/c.pem /c.key (context x) [context x: file /c.pin]", "/c.pem /c.key (context x) [--sign-pin-file: file /f.pin]", "",
		},
		{
			"--context: variables neither name nor open keys", files, []string{"context=x"}, []string{"CMCTL_KEY=/e.key", "CMCTL_PIN=1"},
			"/c.pem /c.key (context x) [context x: file /c.pin]", "/c.pem /c.key (context x) [context x: file /c.pin]",
			"--context is given: CMCTL_KEY, CMCTL_PIN in the environment ignored",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := load(t, "")
			if tt.context != "" {
				f = load(t, "current-context: x\ncontexts:\n  x:\n    "+tt.context+"\n")
			}
			s, err := Resolve(f, look(tt.flags...), look(tt.env...))
			if err != nil {
				t.Fatal(err)
			}
			if got := brief(s.TLS); got != tt.tls {
				t.Errorf("TLS:  %s\nwant: %s", got, tt.tls)
			}
			if got := brief(s.Sign); got != tt.sign {
				t.Errorf("signing: %s\nwant:    %s", got, tt.sign)
			}
			if got := strings.Join(s.Notices, "; "); got != tt.notice {
				t.Errorf("notice: %s\nwant:   %s", got, tt.notice)
			}
		})
	}
}

func TestSameRef(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"a.key", "./x/../a.key", true},
		{"a.key", "b.key", false},
		{file, link, true},
		{"", "", false},
		{"pkcs11:token=A", "token=A", false},
		{"pkcs11:id=%01", "pkcs11:id=%01", true},
		{"pkcs11:id=%01", "pkcs11:id=%02", false}, // whichever card has it: may be two
		{"pkcs11:token=A%20b;id=%01", "pkcs11:object=x;token=A b", true},
		{"pkcs11:token=A", "pkcs11:token=A;serial=1", false}, // there may be two of that label
		{"pkcs11:serial=1?module-path=/a.so", "pkcs11:serial=1?module-path=/b.so", false},
		{"pkcs11:serial=1?pin-source=/x", "pkcs11:serial=1;type=private", true},
		{"pkcs11:slot-id=0;id=%01", "pkcs11:slot-id=0;id=%02", true},
		{"pkcs11:manufacturer=M;id=%01", "pkcs11:manufacturer=M;id=%02", false},
	} {
		if got := sameRef(tt.a, tt.b); got != tt.want {
			t.Errorf("sameRef(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

func TestSecretNeverPrints(t *testing.T) {
	s, err := Resolve(load(t, ""), look("key=k"), look("CMCTL_PIN=hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{s.TLS.Secret, s.TLS.Secret.Origin} {
			if got := fmt.Sprintf(format, v); strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s shows %s", format, got)
			}
		}
	}
	if s.TLS.Secret.Value() != "hunter2" {
		t.Error("the secret is lost")
	}
}

func TestResolveRefuses(t *testing.T) {
	const text = "current-context: %s\ncontexts:\n  prod:\n    server: https://p\n  test:\n    %s\n"
	for _, tt := range []struct {
		name             string
		current, context string
		flags, env       []string
		message, hint    string
	}{
		{"--context", "prod", "", []string{"context=prdo"}, nil, `--context: unknown context "prdo"`, `did you mean "prod"? contexts are prod, test`},
		{"CMCTL_CONTEXT", "prod", "", nil, []string{"CMCTL_CONTEXT=zzzzzz"}, `CMCTL_CONTEXT: unknown context "zzzzzz"`, "contexts are prod, test"},
		{"current-context", "gone", "", nil, nil, `current-context of PATH: unknown context "gone"`, "contexts are prod, test"},
		{"empty flag", "prod", "", []string{"ca-file="}, nil, "--ca-file is empty", "leave the flag out, or give it a value"},
		{"plain http", "prod", "", []string{"server=http://p/pgwy/api"}, nil, `server of --server: "http://p/pgwy/api" is plain http`,
			"use https: over plain http anyone on the way could read and change requests, and no officer's certificate is shown"},
		{"no URL", "prod", "", nil, []string{"CMCTL_SERVER=pgwy:8444"}, `server of CMCTL_SERVER: "pgwy:8444" is not a URL of a gateway`, "write it like https://pgwy.example.com:8444/pgwy/api"},
		{"other scheme", "prod", "", []string{"server=ldap://x"}, nil, `server of --server: "ldap://x" is not an https URL`, "write it like https://pgwy.example.com:8444/pgwy/api"},
		{"no host", "prod", "", []string{"server=https://:8444/x"}, nil, `server of --server: "https://:8444/x" names no host`, "write it like https://pgwy.example.com:8444/pgwy/api"},
		{"user info", "prod", "", []string{"server=https://anna:hunter2@x/"}, nil, "server of --server: the URL has a user name or password in it",
			"the officer's certificate says who is asking; take away what stands before the @"},
		{"query", "prod", "", []string{"server=https://x/?a=b"}, nil, `server of --server: "https://x/?a=b" has a query or a fragment`, "the base URL ends with its path, such as /pgwy/api"},
		{"fragment", "prod", "", []string{"server=https://x/#a"}, nil, `server of --server: "https://x/#a" has a query or a fragment`, "the base URL ends with its path, such as /pgwy/api"},
		{"port", "prod", "", []string{"server=https://x:99999/"}, nil, `server of --server: "https://x:99999/" has no valid port`, "ports are 1 to 65535"},
		{"TLS name", "prod", "", []string{"tls-server-name=https://x"}, nil, `tls-server-name of --tls-server-name: "https://x" is not a host name`, "write the host name alone, such as pgwy.example.com"},
		{"timeout without unit", "test", "timeout: 60", nil, nil, `timeout of context test: "60" is not a timeout`, "write a number with its unit, 100ms to 1h, such as 60s"},
		{"timeout too short", "prod", "", []string{"timeout=99ms"}, nil, `timeout of --timeout: "99ms" is not a timeout`, "write a number with its unit, 100ms to 1h, such as 60s"},
		{"timeout too long", "prod", "", nil, []string{"CMCTL_TIMEOUT=61m"}, `timeout of CMCTL_TIMEOUT: "61m" is not a timeout`, "write a number with its unit, 100ms to 1h, such as 60s"},
		{"batch 0", "test", "batch: 0", nil, nil, `batch of context test: "0" is not a batch size`, "use a whole number, 1 to 900"},
		{"batch 901", "prod", "", []string{"batch=901"}, nil, `batch of --batch: "901" is not a batch size`, "use a whole number, 1 to 900"},
		{"batch that may be meant as octal", "test", "batch: 0100", nil, nil, `batch of context test: "0100" is not a batch size`, "use a whole number, 1 to 900"},
		{"parallel", "test", "parallel: 65", nil, nil, `parallel of context test: "65" is not a number of requests`, "use a whole number, 1 to 64"},
		{"digest", "test", "sign-digest: sha1", nil, nil, `sign-digest of context test: "sha1" is not a digest for signatures`, "use one of sha256, sha384, sha512"},
		{"protected", "test", "protected: yes", nil, nil, `protected of context test: "yes" is neither true nor false`, "use true or false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.context == "" {
				tt.context = "server: https://t"
			}
			f := load(t, fmt.Sprintf(text, tt.current, tt.context))
			_, err := Resolve(f, look(tt.flags...), look(tt.env...))
			message := strings.ReplaceAll(tt.message, "PATH", f.Path)
			if err == nil || err.Error() != message || exit.HintOf(err) != tt.hint || exit.Of(err) != exit.Usage {
				t.Errorf("got  %v\nhint %s\nwant %s\nhint %s", err, exit.HintOf(err), message, tt.hint)
			}
		})
	}
}

func TestNeedServer(t *testing.T) {
	for _, tt := range []struct {
		name, text    string
		flags         []string
		message, hint string
	}{
		{"from a flag", "", []string{"server=https://x"}, "", ""},
		{"nothing at all", "", nil, "no gateway is named", "use --server, or make a context with `cmctl context set NAME --server URL`"},
		{"contexts, none current", "contexts: {a: {server: 'https://a'}, b: }", nil, "no gateway is named", "choose a context with --context or `cmctl context use`: a, b"},
		{"context without server", "current-context: b\ncontexts: {b: }", nil, "context b names no gateway", "set one with `cmctl context set b --server URL`, or use --server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Resolve(load(t, tt.text), look(tt.flags...), look())
			if err != nil {
				t.Fatal(err)
			}
			err = s.NeedServer()
			if tt.message == "" && err == nil {
				return
			}
			if err == nil || err.Error() != tt.message || exit.HintOf(err) != tt.hint || exit.Of(err) != exit.Usage {
				t.Errorf("got %v, hint %s", err, exit.HintOf(err))
			}
		})
	}
}

func TestResolveAgain(t *testing.T) {
	const text = "current-context: now\ncontexts:\n  then:\n    server: https://then\n  now:\n    server: https://now\n"
	begun := Begun{"then", "the job j"}
	for _, tt := range []struct {
		name        string
		begun       Begun
		flags, env  []string
		server, key string
		origin      string
		notices     int
	}{
		{"the context that it began in, and the variables", begun, nil, []string{"CMCTL_KEY=k"}, "https://then", "k", "the job j", 0},
		{"whatever the variable says by now", begun, nil, []string{"CMCTL_CONTEXT=now"}, "https://then", "", "the job j", 0},
		{"another by flag, and that one alone", begun, []string{"context=now"}, []string{"CMCTL_KEY=k"}, "https://now", "", "--context", 1},
		{"in none", Begun{}, nil, []string{"CMCTL_KEY=k"}, "https://now", "k", "current-context of ", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ResolveAgain(load(t, text), tt.begun, look(tt.flags...), look(tt.env...))
			if err != nil {
				t.Fatal(err)
			}
			if s.Server != tt.server || s.TLS.Key != tt.key || !strings.HasPrefix(s.Origin("context").String(), tt.origin) || len(s.Notices) != tt.notices {
				t.Errorf("got %+v, context by %s", s, s.Origin("context"))
			}
		})
	}
	if _, err := ResolveAgain(load(t, text), Begun{"gone", "the job j"}, look(), look()); exit.Of(err) != exit.Usage || !strings.HasPrefix(err.Error(), "the job j: ") {
		t.Errorf("got %v", err)
	}
}

func TestModuleOfAnExplicitContext(t *testing.T) {
	f := load(t, "contexts:\n  own:\n    module: /own.so\n  none:\n    server: https://h\n")
	for _, tt := range []struct {
		flags, env []string
		module     string
		notice     string
	}{
		{[]string{"context=own"}, []string{"CMCTL_PKCS11_MODULE=/e.so"}, "/own.so", "--context is given: CMCTL_PKCS11_MODULE in the environment ignored"},
		{[]string{"context=none"}, []string{"CMCTL_PKCS11_MODULE=/e.so"}, "/e.so", ""},
		{nil, []string{"CMCTL_PKCS11_MODULE=/e.so", "CMCTL_CONTEXT=own"}, "/e.so", ""},
		{[]string{"context=own"}, nil, "/own.so", ""},
	} {
		s, err := Resolve(f, look(tt.flags...), look(tt.env...))
		if err != nil {
			t.Fatal(err)
		}
		if s.Module != tt.module || strings.Join(s.Notices, "|") != tt.notice {
			t.Errorf("%v %v: module %s, notices %q", tt.flags, tt.env, s.Module, s.Notices)
		}
	}
}
