package docgen

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/output"
)

// toy is a tree with everything that pages print.
func toy() *cobra.Command {
	root := &cobra.Command{Use: "cmctl", Short: "Do things"}
	root.PersistentFlags().StringP("output", "o", "", "`form` of the output {a|b}")
	noun := &cobra.Command{Use: "cert", Short: "Work with certificates"}
	verb := &cobra.Command{
		Use:     "show <certid>...",
		Short:   "Show CM's view",
		Long:    "Show <it>.\n.not a request\n\nSecond * paragraph with a back\\slash.",
		Example: "  cmctl cert show 1\n  cmctl cert show 2 | cat",
		Run:     func(*cobra.Command, []string) {},
	}
	verb.Flags().Int("batch", 100, "most `N` at once (API: limit)")
	verb.Flags().Bool("fast", false, "quickly")
	noun.AddCommand(cmdutil.Columns(cmdutil.Operations(verb, "getCertificateDetails"), output.Columns{TSV: []string{"certid", "status"}, More: []string{"ski"}, Schema: "certificate"}))
	root.AddCommand(noun)
	return root
}

func made(t *testing.T, name string) string {
	t.Helper()
	files, err := Files(toy())
	if err != nil {
		t.Fatal(err)
	}
	data, ok := files[name]
	if !ok {
		t.Fatalf("no %s among %q", name, slices.Sorted(maps.Keys(files)))
	}
	return string(data)
}

func TestManPage(t *testing.T) {
	const want = `.TH CMCTL\-CERT\-SHOW 1 "" cmctl "cmctl manual"
.SH NAME
cmctl\-cert\-show \- show CM's view
.SH SYNOPSIS
\fBcmctl cert show\fR <certid>... [flags]
.SH DESCRIPTION
Show <it>.
\&.not a request
.PP
Second * paragraph with a back\eslash.
.SH OPTIONS
.TP
\fB\-\-batch\fR \fIN\fR
most N at once; 100 by default (API: limit)
.TP
\fB\-\-fast\fR
quickly
.PP
The options of every command, such as \fB\-\-context\fR and \fB\-\-output\fR, are in \fBcmctl\fR(1).
.SH OUTPUT
The columns of \fB\-o tsv\fR and \fB\-o csv\fR, in this order, to which later versions only append:
.PP
certid, status
.PP
With \fB\-\-columns\fR, and for \fB\-\-sort\fR, there are also ski.
.SH EXAMPLES
.RS 4
.nf
cmctl cert show 1
cmctl cert show 2 | cat
.fi
.RE
.SH SEE ALSO
\fBcmctl\fR(1), \fBcmctl\-cert\fR(1)
`
	if got := made(t, "docs/man/cmctl-cert-show.1"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCommandPage(t *testing.T) {
	want := strings.ReplaceAll(generated+`# cmctl cert show

Show CM's view.

'''
cmctl cert show <certid>... [flags]
'''

Show \<it>.
.not a request

Second \* paragraph with a back\slash.

## Flags

| flag | meaning | in the API |
|---|---|---|
| '--batch N' | most N at once; 100 by default | 'limit' |
| '--fast' | quickly |  |

[Flags of every command](cmctl.md#flags-of-every-command) · [exit codes](exit-codes.md)

## Examples

'''sh
cmctl cert show 1
cmctl cert show 2 | cat
'''

## Columns

The columns of '-o tsv' and '-o csv', in this order. Later versions only append.

|  | column |
|---|---|
| 1 | 'certid' |
| 2 | 'status' |

With '--columns', and for '--sort', there are also 'ski'.

A record of '-o json' is described by [certificate.json](../schema/certificate.json).

## Operations of the API

| operationId | method and path |  |
|---|---|---|
| 'getCertificateDetails' | 'GET /certificates/{certid}/details' | read |
`, "'", "`")
	want = strings.ReplaceAll(want, "CM`s", "CM's")
	if got := made(t, "docs/reference/cmctl-cert-show.md"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The same tree gives the same bytes; `make check` relies on it.
func TestFilesAreTheSameEachTime(t *testing.T) {
	first, err := Files(toy())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := Files(toy())
		if err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(first, again, func(a, b []byte) bool { return string(a) == string(b) }) {
			t.Fatal("another run gave other files")
		}
	}
}

// Write keeps to its folders and takes away what is no longer made.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	for name, keep := range map[string]bool{"docs/man/cmctl-gone.1": false, "docs/reference/gone.md": false, "completions/old": false, "docs/lists.md": true, "docs/man.md": true} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := os.Stat(path); (err == nil) != keep {
				t.Errorf("%s: there %t, want %t", name, err == nil, keep)
			}
		}()
	}
	if err := Write(dir, toy()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docs/man/cmctl.1", "docs/reference/operations.md", "completions/_cmctl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// Links from one document of the repository to another lead somewhere.
func TestLinksOfDocuments(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)?(#[^)]+)?\)`)
	n := 0
	err := filepath.WalkDir("../../..", func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "testdata"):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			n++
			target := path
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(path), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", path, m[0])
				continue
			}
			if m[2] == "" {
				continue
			}
			text, err := os.ReadFile(target)
			if err != nil {
				return err
			}
			if !slices.Contains(anchors(string(text)), m[2]) {
				t.Errorf("%s: %s: no such heading", path, m[0])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 50 {
		t.Errorf("only %d links found", n)
	}
}

// anchors are the headings of a document as links name them.
func anchors(text string) (out []string) {
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, "#") {
			title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(l, "#")))
			title = regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(title, "")
			out = append(out, "#"+strings.ReplaceAll(title, " ", "-"))
		}
	}
	return out
}
