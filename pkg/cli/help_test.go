package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
)

func newTree() *cobra.Command {
	root := NewRoot(&cmdutil.Factory{})
	root.InitDefaultHelpCmd() // as Execute does
	return root
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, c := range cmd.Commands() {
		walk(c, visit)
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	walk(NewRoot(&cmdutil.Factory{}), func(cmd *cobra.Command) { // without help, whose texts are cobra's
		for _, problem := range helpProblems(cmd) {
			t.Errorf("%s: %s", cmd.CommandPath(), problem)
		}
	})
}

// helpProblems are what an officer would trip over in a command's help.
func helpProblems(cmd *cobra.Command) (out []string) {
	note := func(bad bool, format string, args ...any) {
		if bad {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	first := []rune(cmd.Short + " ")[0]
	note(cmd.Short == "", "no short text")
	note(strings.HasSuffix(cmd.Short, "."), "the short text %q ends with a full stop", cmd.Short)
	note(!unicode.IsUpper(first), "the short text %q does not start with a capital", cmd.Short)
	note(len(cmd.Short) > 75, "the short text has %d characters", len(cmd.Short))
	note(strings.HasSuffix(cmd.Long, "\n") && !cmd.IsAdditionalHelpTopicCommand(), "the long text ends with a blank line")
	for _, l := range strings.Split(cmd.Long, "\n") {
		note(len(l) > 80 && !cmd.IsAdditionalHelpTopicCommand(), "a line of %d characters in the long text: %s", len(l), l)
	}
	leaf := cmd.Runnable() && !cmd.HasSubCommands()
	note(leaf && !cmd.HasExample(), "no example")
	for _, l := range strings.Split(cmd.Example, "\n") {
		note(cmd.HasExample() && !strings.HasPrefix(l, "  "), "an example without indent: %q", l)
		note(leaf && cmd.HasExample() && !strings.Contains(l, cmd.CommandPath()), "an example of something else: %q", l)
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		note(f.Usage == "", "--%s has no text", f.Name)
		note(strings.HasSuffix(f.Usage, "."), "the text of --%s ends with a full stop", f.Name)
	})
	return out
}

func TestHelpProblemsAreSeen(t *testing.T) {
	run := func(*cobra.Command, []string) {}
	for _, c := range []struct {
		name string
		cmd  *cobra.Command
		want int
	}{
		{"good", &cobra.Command{Use: "a", Short: "Do it", Example: "  a", Run: run}, 0},
		{"nothing at all", &cobra.Command{Use: "a", Run: run}, 3},
		{"full stop", &cobra.Command{Use: "a", Short: "Do it.", Example: "  a", Run: run}, 1},
		{"example of another", &cobra.Command{Use: "a", Short: "Do it", Example: "  b", Run: run}, 1},
		{"long line", &cobra.Command{Use: "a", Short: "Do it", Long: strings.Repeat("x", 81), Example: "  a", Run: run}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := helpProblems(c.cmd); len(got) != c.want {
				t.Errorf("problems: %q, want %d", got, c.want)
			}
		})
	}
}

// Every command line that help, documents and messages show must be one that
// cmctl takes: the command is there, and so are the flags and their values.
func TestCommandLinesShownAreTaken(t *testing.T) {
	n := 0
	check := func(where, line string) {
		for _, words := range callsOf(line) {
			n++
			if err := taken(words); err != nil {
				t.Errorf("%s: %s\n\t%v", where, line, err)
			}
		}
	}
	walk(newTree(), func(cmd *cobra.Command) {
		for _, l := range strings.Split(cmd.Example, "\n") {
			check("example of "+cmd.CommandPath(), l)
		}
	})
	if n < 20 {
		t.Errorf("only %d command lines in the examples", n)
	}
	for _, file := range documents(t) {
		for _, l := range shellLines(t, file) {
			check(file, l)
		}
	}
}

func TestWrongCommandLinesAreSeen(t *testing.T) {
	for _, line := range []string{
		"cmctl cert frobnicate", "cmctl cert search --colour", "cmctl cert revoke 1 --reason cessation",
		"cmctl context use", "cmctl cert search --cn x | cmctl cert hold --form -", "cmctl proc list extra",
	} {
		bad := false
		for _, words := range callsOf(line) {
			bad = bad || taken(words) != nil
		}
		if !bad {
			t.Errorf("%s: taken", line)
		}
	}
}

// taken parses the arguments of cmctl as Run would and runs nothing.
func taken(args []string) error {
	cmd, rest, err := newTree().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := cmd.Flags().GetBool("help"); help || cmd.Name() == "help" {
		return nil
	}
	if len(cmd.Flags().Args()) > 0 && cmd.HasSubCommands() {
		return fmt.Errorf("%s has no command %q", cmd.CommandPath(), cmd.Flags().Arg(0))
	}
	if err := cmd.ValidateRequiredFlags(); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// callsOf are the arguments of each call of cmctl in a line of shell.
func callsOf(line string) (calls [][]string) {
	var words []string
	end := func() {
		for i, w := range words { // behind VARIABLE=value, "if", "cmctl-sandbox exec --" and the like
			if w == "cmctl" {
				calls = append(calls, words[i+1:])
				break
			}
		}
		words = nil
	}
	for _, w := range shellWords(line) {
		switch {
		case w == "|" || w == "||" || w == "&&" || w == ";" || w == "&":
			end()
		case w == "then" || w == "do" || w == "if" || w == "while" || w == "!":
			end()
		case strings.HasPrefix(w, "#"):
			end()
			return calls
		default:
			words = append(words, w)
		}
	}
	end()
	return calls
}

var word = regexp.MustCompile(`(?:"(?:[^"\\]|\\.)*"|'[^']*'|\$\([^()]*\)|[^\s|;&"'()]|\\.)+|\|\||&&|[|;&()]`)

// What shell puts in place before cmctl sees it.
var (
	substitution = regexp.MustCompile(`["]?[$<]\(([^()]*)\)["]?`)
	variable     = regexp.MustCompile(`"?\$\{?\w+\}?"?`)
	redirection  = regexp.MustCompile(`\d?(?:>>?|<)(?:&\d|\s*\S+)`)
)

// shellWords splits a line as far as these documents need it: quotes, pipes,
// redirections. What is substituted is 1, which passes for a number, a name
// and a file; a command in it counts as one of its own.
func shellWords(line string) (words []string) {
	inner := ""
	for _, m := range substitution.FindAllStringSubmatch(line, -1) {
		inner += " ; " + m[1]
	}
	line = substitution.ReplaceAllString(line, "1") + inner
	line = redirection.ReplaceAllString(variable.ReplaceAllString(line, "1"), "")
	for _, w := range word.FindAllString(line, -1) {
		if w == "(" || w == ")" {
			w = ";"
		}
		if len(w) > 1 && (w[0] == '"' || w[0] == '\'') && w[len(w)-1] == w[0] {
			w = w[1 : len(w)-1]
		}
		words = append(words, w)
	}
	return words
}

// documents are the pages written by hand that show command lines.
func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(files, "../../README.md")
}

// shellLines are the lines of shell in a document: what stands in a fenced
// block of sh, bash or console, and in code that starts with cmctl.
func shellLines(t *testing.T, file string) (lines []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block := ""
	inline := regexp.MustCompile("`(cmctl [^`]+)`")
	join := ""
	for _, l := range strings.Split(string(data), "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(l), "```")
		switch {
		case isFence && block != "":
			block = ""
		case isFence:
			block = fence + " "
		case block == "console ":
			if l, ok := strings.CutPrefix(l, "$ "); ok {
				lines = append(lines, l)
			}
		case block == "sh " || block == "bash ":
			if rest, more := strings.CutSuffix(l, `\`); more {
				join += rest
				continue
			}
			lines = append(lines, join+l)
			join = ""
		case block == "":
			for _, m := range inline.FindAllStringSubmatch(l, -1) {
				if complete(m[1]) {
					lines = append(lines, m[1])
				}
			}
		}
	}
	return lines
}

// complete says whether code in running text is a whole command line and not
// its beginning: "cmctl cert revoke" names a command.
func complete(line string) bool {
	return strings.Contains(line, " -") || regexp.MustCompile(`\d`).MatchString(line)
}

// Hints name commands too, and nobody reads them before the day they matter.
func TestCommandsInMessagesExist(t *testing.T) {
	call := regexp.MustCompile("`cmctl ([a-z][a-z0-9 -]*)")
	n := 0
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range call.FindAllStringSubmatch(string(data), -1) {
			if strings.HasPrefix(m[1], "is ") { // the start of a sentence
				continue
			}
			n++
			cmd, rest, err := newTree().Find(strings.Fields(m[1]))
			switch {
			case err != nil:
				t.Errorf("%s: cmctl %s: %v", path, m[1], err)
			case cmd.Name() == "help":
			case cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-"):
				t.Errorf("%s: cmctl %s: %s has no command %q", path, m[1], cmd.CommandPath(), rest[0])
			default:
				for _, w := range rest {
					name, isFlag := strings.CutPrefix(w, "--")
					if isFlag && name != "help" && cmd.Flag(name) == nil {
						t.Errorf("%s: cmctl %s: no flag --%s", path, m[1], name)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 10 {
		t.Errorf("only %d commands found in messages", n)
	}
}

// The topic on exit codes is printed from the table, every row of it.
func TestExitCodesTopicShowsTheTable(t *testing.T) {
	cmd, _, err := newTree().Find([]string{"exit-codes"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range exit.Table() {
		if line := fmt.Sprintf("  %3d  %-12s %s\n", r.Code, r.Kind, r.Meaning); !strings.Contains(cmd.Long, line) {
			t.Errorf("the topic lacks %q", line)
		}
	}
}
