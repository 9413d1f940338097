// Package docgen makes what is committed from the command tree and the tables
// behind it: completion scripts, man pages, and the reference in Markdown. The
// same tree gives the same bytes, so `make check` can compare.
//
// Man pages are written here and not by cobra/doc: that one passes text
// through Markdown, where "<certid>..." is an HTML tag and vanishes, and it
// puts the day of the build into each page.
package docgen

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// Folders lists the folders that belong to the generator: what it does not
// make is removed from them.
func Folders() []string { return []string{"completions", "docs/man", "docs/reference"} }

// Files makes all files from the tree, by their path in the repository.
func Files(root *cobra.Command) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, s := range cmdutil.Shells() {
		var b bytes.Buffer
		if err := s.Write(root, &b); err != nil {
			return nil, err
		}
		files["completions/"+s.File] = b.Bytes()
	}
	all := commands(root)
	for _, cmd := range all {
		files["docs/man/"+fileName(cmd)+".1"] = manPage(cmd)
		files["docs/reference/"+fileName(cmd)+".md"] = commandPage(cmd)
	}
	for name, page := range map[string][]byte{
		"README": index(all), "exit-codes": exitCodes(), "environment": environment(), "config": configKeys(), "operations": operations(all),
	} {
		files["docs/reference/"+name+".md"] = page
	}
	return files, nil
}

// Write brings the generator's folders below dir up to date.
func Write(dir string, root *cobra.Command) error {
	files, err := Files(root)
	if err != nil {
		return err
	}
	for _, folder := range Folders() {
		if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
			return err
		}
	}
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// commands are the command and those below it that people call, parents first.
func commands(cmd *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			out = append(out, commands(c)...)
		}
	}
	return out
}

func fileName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// synopsis is the usage line; a command that has verbs wants one.
func synopsis(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " <command>"
	}
	return cmd.UseLine()
}

// description is Long, or Short as a sentence.
func description(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return strings.TrimSpace(cmd.Long)
	}
	return cmd.Short + "."
}

// examples are the lines of the example without their indent.
func examples(cmd *cobra.Command) []string {
	var out []string
	for _, l := range strings.Split(strings.TrimRight(cmd.Example, "\n"), "\n") {
		out = append(out, strings.TrimPrefix(l, "  "))
	}
	return out
}

// flag is a flag as pages print it.
type flag struct {
	short, long, arg string // "o", "output", "form"
	usage            string // without the API's name
	fallback         string // what holds when it is not given; empty: nothing
	api              string // the API's name of what it sets; empty: none
}

// apiName is how a flag's text names the field of the API that it sets.
var apiName = regexp.MustCompile(` \(API: (\w+)\)`)

func flagsOf(fs *pflag.FlagSet) []flag {
	var out []flag
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		arg, usage := pflag.UnquoteUsage(f)
		d := flag{short: f.Shorthand, long: f.Name, arg: arg, usage: usage}
		if m := apiName.FindStringSubmatch(usage); m != nil {
			d.usage, d.api = strings.Replace(usage, m[0], "", 1), m[1]
		}
		if !slices.Contains([]string{"", "0", "0s", "false", "[]"}, f.DefValue) {
			d.fallback = f.DefValue
		}
		out = append(out, d)
	})
	return out
}

func (f flag) text() string {
	if f.fallback == "" {
		return f.usage
	}
	return f.usage + "; " + f.fallback + " by default"
}
