package cmdutil

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cmctl/cmctl/pkg/exit"
)

// NameTemplate says how the files of a call are called, without ending: text
// with fields in braces.
type NameTemplate string

// DefaultNameTemplate names an output after its input.
const DefaultNameTemplate NameTemplate = "{stem}"

// NameFields are what a template's fields stand for. CertID and Serial are
// known only when the certificate is there.
type NameFields struct {
	Stem   string // name of the request's file without ending
	CN     string // common name of the request
	CertID string
	Serial string
}

const templateHint = "its fields are {stem}, the request's file name without ending, {cn}, its common name, {certid} and {serial}"

// Check refuses a template with a field that is not known or a folder in it.
func (t NameTemplate) Check() error {
	rest := string(t)
	if strings.TrimSpace(rest) == "" {
		return exit.Usagef(templateHint, "--name-template is empty")
	}
	if strings.ContainsAny(rest, `/\`) || strings.ContainsFunc(rest, unicode.IsControl) {
		return exit.Usagef("--out-dir names the folder", "--name-template %q: a file name has no slash or control character", rest)
	}
	for {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			return nil
		}
		end := strings.IndexByte(rest[open:], '}')
		if rest[open] == '}' || end < 0 {
			return exit.Usagef(templateHint, "--name-template %q: a brace without its other", string(t))
		}
		switch name := rest[open+1 : open+end]; name {
		case "stem", "cn", "certid", "serial":
		default:
			return exit.Usagef(templateHint, "--name-template %q: no field is called %q", string(t), name)
		}
		rest = rest[open+end+1:]
	}
}

// Late says whether names come out only when the certificate is there.
func (t NameTemplate) Late() bool {
	return strings.Contains(string(t), "{certid}") || strings.Contains(string(t), "{serial}")
}

// Name fills the fields in. What a file name cannot have anywhere becomes an
// underscore.
func (t NameTemplate) Name(f NameFields) string {
	name := strings.NewReplacer("{stem}", fileName(f.Stem), "{cn}", fileName(f.CN), "{certid}", fileName(f.CertID), "{serial}", fileName(f.Serial)).Replace(string(t))
	if strings.Trim(name, ". ") == "" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
		name = "_" + name
	}
	return name
}

const maxNamePart = 100

func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune(`/\:*?"<>|`, r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, strings.TrimSpace(s))
	if len(s) > maxNamePart {
		s = strings.ToValidUTF8(s[:maxNamePart], "")
	}
	if s == "" {
		return "_"
	}
	return s
}
