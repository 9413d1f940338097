package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
)

func TestVariables(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range Variables() {
		if seen[v.Name] || v.Meaning == "" {
			t.Errorf("%+v: twice, or without meaning", v)
		}
		seen[v.Name] = true
		if want := strings.HasSuffix(v.Name, "_PIN"); v.Sensitive != want {
			t.Errorf("%s: sensitive is %v", v.Name, v.Sensitive)
		}
		if v.Flag != "" && v.Name != variableOf(v.Flag) {
			t.Errorf("%s stands for --%s", v.Name, v.Flag)
		}
		if slices.Contains([]string{"yes", "max", "expect", "force", "expect-sha256", "show-encrypted"}, v.Flag) {
			t.Errorf("--%s must not have a variable", v.Flag)
		}
	}
	for _, s := range settings() {
		if e := s.env(); e != "" && !seen[e] {
			t.Errorf("%s is read but not in the registry", e)
		}
	}
}

func TestKeys(t *testing.T) {
	want := []string{
		"server", "ca-file", "tls-server-name", "cert", "key", "pin-file", "sign-cert", "sign-key", "sign-pin-file",
		"module", "timeout", "batch", "parallel", "sign-digest", "protected",
	}
	var got []string
	for _, k := range Keys() {
		got = append(got, k.Name)
		if k.Meaning == "" || k.Flag != "" && k.Flag != k.Name || k.Path != slices.Contains([]string{"ca-file", "cert", "key", "pin-file", "sign-cert", "sign-key", "sign-pin-file", "module"}, k.Name) {
			t.Errorf("%+v", k)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestEnv(t *testing.T) {
	env := look("CMCTL_OUTPUT=json", "CMCTL_QUIET=", "CMCTL_YES=true", "CMCTL_NO_INPUT=Yes", "CMCTL_DEBUG=0", "CMCTL_NO_HEADER=maybe")
	for _, tt := range []struct {
		flag, value, variable string
		ok                    bool
	}{
		{"output", "json", "CMCTL_OUTPUT", true},
		{"quiet", "", "CMCTL_QUIET", false},
		{"yes", "", "", false},
		{"", "", "", false},
	} {
		if value, variable, ok := EnvFor(env, tt.flag); value != tt.value || variable != tt.variable || ok != tt.ok {
			t.Errorf("EnvFor(%q) = %q, %q, %v", tt.flag, value, variable, ok)
		}
	}
	for flag, want := range map[string]bool{"no-input": true, "debug": false, "quiet": false, "yes": false} {
		if got, err := EnvBool(env, flag); got != want || err != nil {
			t.Errorf("EnvBool(%q) = %v, %v", flag, got, err)
		}
	}
	if _, err := EnvBool(env, "no-header"); exit.Of(err) != exit.Usage || err.Error() != `CMCTL_NO_HEADER="maybe" is neither true nor false` {
		t.Errorf("got %v", err)
	}
}

func TestPaths(t *testing.T) {
	for _, tt := range []struct {
		name       string
		flags, env []string
		config, by string
		state      string
	}{
		{"nothing", nil, nil, "", "", ""},
		{"home", nil, []string{"HOME=/h"}, "/h/.config/cmctl/config.yaml", "", "/h/.local/state/cmctl"},
		{"home on Windows", nil, []string{"USERPROFILE=/u"}, "/u/.config/cmctl/config.yaml", "", "/u/.local/state/cmctl"},
		{"XDG", nil, []string{"HOME=/h", "XDG_CONFIG_HOME=/c", "XDG_STATE_HOME=/s"}, "/c/cmctl/config.yaml", "", "/s/cmctl"},
		{"relative XDG", nil, []string{"HOME=/h", "XDG_CONFIG_HOME=c", "XDG_STATE_HOME=s"}, "/h/.config/cmctl/config.yaml", "", "/h/.local/state/cmctl"},
		{"variables", nil, []string{"HOME=/h", "XDG_CONFIG_HOME=/c", "CMCTL_CONFIG=x.yaml", "CMCTL_STATE_DIR=/st"}, "x.yaml", "CMCTL_CONFIG", "/st"},
		{"flag", []string{"config=f.yaml"}, []string{"HOME=/h", "CMCTL_CONFIG=x.yaml"}, "f.yaml", "--config", "/h/.local/state/cmctl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, by := Path(look(tt.flags...), look(tt.env...)); got != tt.config || by != tt.by {
				t.Errorf("config %q by %q, want %q by %q", got, by, tt.config, tt.by)
			}
			if got := StateDir(look(tt.env...)); got != tt.state {
				t.Errorf("state %q, want %q", got, tt.state)
			}
		})
	}
}

func TestAbsoluteEnv(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	env := AbsoluteEnv(look("CMCTL_PIN_FILE=pin", "CMCTL_KEY=keys/officer.key", "CMCTL_CERT=pkcs11:token=a", "CMCTL_CA_FILE="+filepath.Join(dir, "x"), "CMCTL_STATE_DIR=state",
		"CMCTL_PKCS11_MODULE=opensc-pkcs11.so", "CMCTL_PIN=1234", "CMCTL_CONTEXT=prod", "CMCTL_SIGN_KEY="))
	t.Chdir(t.TempDir())
	for name, want := range map[string]string{
		"CMCTL_PIN_FILE": filepath.Join(dir, "pin"), "CMCTL_KEY": filepath.Join(dir, "keys", "officer.key"), "CMCTL_CERT": "pkcs11:token=a", "CMCTL_CA_FILE": filepath.Join(dir, "x"),
		"CMCTL_STATE_DIR": filepath.Join(dir, "state"), "CMCTL_PKCS11_MODULE": "opensc-pkcs11.so", "CMCTL_PIN": "1234", "CMCTL_CONTEXT": "prod", "CMCTL_SIGN_KEY": "", "CMCTL_SERVER": "",
	} {
		if got, _ := env(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got, _ := AbsoluteEnv(look("CMCTL_PKCS11_MODULE=./m.so"))("CMCTL_PKCS11_MODULE"); filepath.Base(got) != "m.so" || !filepath.IsAbs(got) {
		t.Errorf("got %s", got)
	}
}
