package cli

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// The part of the tree that is made for a command line is that of the whole.
func TestRootForALine(t *testing.T) {
	f := &cmdutil.Factory{}
	names := func(cmd *cobra.Command) (list string) {
		walk(cmd, func(c *cobra.Command) { list += c.CommandPath() + "\n" })
		return list
	}
	whole := NewRoot(f)
	for _, c := range whole.Commands() {
		if c.Name() == "help" {
			continue
		}
		for _, line := range [][]string{{c.Name()}, {"help", c.Name()}, {cobra.ShellCompRequestCmd, c.Name(), ""}} {
			root := NewRoot(f, line...)
			if got := len(root.Commands()); got != 2 {
				t.Errorf("%q: %d commands are made, want %s and help", line, got, c.Name())
			}
			part, _, err := root.Find([]string{c.Name()})
			if err != nil || names(part) != names(c) {
				t.Errorf("%q: got %s (%v), want %s", line, names(part), err, names(c))
			}
		}
	}
	for _, verb := range []string{"search", "issue-p12", "report"} {
		line := []string{"cert", verb}
		want, _, err := whole.Find(line)
		if err != nil {
			t.Fatal(err)
		}
		root := NewRoot(f, line...)
		got, _, err := root.Find(line)
		if err != nil || names(got) != names(want) || len(got.Parent().Commands()) != 1 {
			t.Errorf("%q: got %s (%v), want %s", line, names(got), err, names(want))
		}
	}
	for _, line := range [][]string{{"cert"}, {"cert", "nobody"}, {"cert", "--cn", "revoke"}} {
		got, _, err := NewRoot(f, line...).Find([]string{"cert"})
		want, _, _ := whole.Find([]string{"cert"})
		if err != nil || names(got) != names(want) {
			t.Errorf("%q: got %s (%v)", line, names(got), err)
		}
	}
	for _, line := range [][]string{{}, {"nobody"}, {"--context", "cert", "cert"}, {"help"}, {cobra.ShellCompRequestCmd, "ce"}} {
		if got := names(NewRoot(f, line...)); got != names(whole) {
			t.Errorf("%q: got\n%s", line, got)
		}
	}
}
