package cmdutil

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/config"
)

func TestProcedureChoices(t *testing.T) {
	list := []cmapi.Procedure{{ID: "p-one", Name: "One Procedure"}, {ID: "p-two", Name: "Evil\nname\x1b[m"}, {Name: "One without an id"}, {ID: "P-three"}}
	for typed, want := range map[string][]string{
		"":      {"p-one\tOne Procedure", "p-two\tEvil name [m", "P-three\t"},
		"P-T":   {"p-two\tEvil name [m", "P-three\t"},
		"one ":  {"One Procedure", "One without an id"},
		"evil":  nil, // a name of several lines cannot be typed
		"other": nil,
	} {
		if got := procedureChoices(list, typed); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

// What was asked for is remembered for a minute, for one gateway and officer,
// in a file that nobody else reads.
func TestRememberedProcedures(t *testing.T) {
	dir := t.TempDir()
	env := func(name string) (string, bool) { return dir, name == "CMCTL_STATE_DIR" }
	a := &config.Settings{ContextName: "a", Server: "https://h"}
	file := completionFile(env, a)
	for name, other := range map[string]*config.Settings{
		"context": {ContextName: "b", Server: "https://h"},
		"server":  {ContextName: "a", Server: "https://i"},
		"officer": {ContextName: "a", Server: "https://h", TLS: config.Pair{Cert: "c", Key: "k"}},
	} {
		if completionFile(env, other) == file {
			t.Errorf("another %s has the same file", name)
		}
	}
	if got := completionFile(func(string) (string, bool) { return "", false }, a); got != "" {
		t.Errorf("no folder, but %s", got)
	}
	rememberProcedures("", nil)

	list := []cmapi.Procedure{{ID: "p", Name: "P"}}
	rememberProcedures(file, list)
	now := time.Now()
	if got, ok := rememberedProcedures(file, now); !ok || !reflect.DeepEqual(got, list) {
		t.Errorf("%v %t", got, ok)
	}
	for _, at := range []time.Time{now.Add(2 * time.Minute), now.Add(-2 * time.Minute)} { // old, or of a clock that was wrong
		if _, ok := rememberedProcedures(file, at); ok {
			t.Errorf("still good at %s", at)
		}
	}
	st, err := os.Stat(file)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if st, err := os.Stat(filepath.Dir(file)); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := rememberedProcedures(file, now); ok {
		t.Error("nonsense taken for a list")
	}
}

func TestTokensAreLeftAlone(t *testing.T) {
	for _, c := range []struct {
		pair config.Pair
		want bool
	}{{config.Pair{Key: "PKCS11:token=x"}, true}, {config.Pair{Cert: "pkcs11:token=x", Key: "officer.key"}, true}, {config.Pair{Cert: "officer.p12"}, false}} {
		if got := isToken(c.pair); got != c.want {
			t.Errorf("%+v: %t", c.pair, got)
		}
	}
}
