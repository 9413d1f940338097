package clitest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/cli"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// Every flag of every verb that takes a value is wrong once in the scripts, in
// a line `code 2 cmctl ...`; keys end with 8. The flags that all verbs share are
// wrong with one of them. Such scripts end with `requests length 0`, or say
// what was sent before.
func TestEveryFieldIsWrongOnce(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(Root(), "testdata", "script", "*", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var refused []string
	line := regexp.MustCompile(`(?m)^(?:\[\w+\] )?code [28] (.*)$`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			refused = append(refused, m[1])
		}
	}
	wrong := func(verb, flag string) bool {
		r := regexp.MustCompile(`\bcmctl (.* )?` + verb + `(.* )?--` + regexp.QuoteMeta(flag) + `[ =]`)
		for _, l := range refused {
			if r.MatchString(l + " ") {
				return true
			}
		}
		return false
	}
	root := cli.NewRoot(&cmdutil.Factory{Env: func(string) (string, bool) { return "", false }})
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if takesValue(f) && !wrong("", f.Name) {
			t.Errorf("--%s, of all verbs, is wrong in no script", f.Name)
		}
	})
	search, _, err := root.Find([]string{"cert", "search"})
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			walk(c)
		}
		verb := strings.TrimPrefix(cmd.CommandPath(), "cmctl ")
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if search.Flags().Lookup(f.Name) != nil && search.Flags().Lookup(f.Name).Usage == f.Usage && wrong("cert search ", f.Name) {
				return // a filter, read by the same code
			}
			if cmd.Runnable() && takesValue(f) && !wrong(regexp.QuoteMeta(verb)+" ", f.Name) {
				t.Errorf("cmctl %s --%s is wrong in no script: testdata/script/input/fields.txtar takes it", verb, f.Name)
			}
		})
	}
	walk(root)
}

func takesValue(f *pflag.Flag) bool { return f.Value.Type() != "bool" && !f.Hidden }
